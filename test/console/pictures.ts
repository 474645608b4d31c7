/**
 * The screenshots of docs/console.md, out of a console of 5,000 Services that are made up. Run by itself, it writes them
 * (`make console-pictures`); test/console/page.test.ts looks whether they say what the page says.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { TestBrowser } from "#test/console/browser.ts";
import { BROKEN, BUSIEST, LargeConsole } from "#test/console/large-console.ts";
import { svgOf } from "#test/console/snapshot-svg.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const WIDTH = 1_120;

interface Picture {
  /** Below docs/pictures. */
  readonly file: string;
  /** Behind `#/`. */
  readonly view: string;
  readonly title: string;
  /** Of what is shown, in pixels. */
  readonly height: number;
}

export const PICTURES: readonly Picture[] = [
  {
    file: "console-overview.svg",
    view: "overview",
    title: "The console's overview: counts of everything, and what is not well with what to do about it",
    height: 620,
  },
  {
    file: "console-services.svg",
    view: "services?order=busiest",
    title: "The console's Services, the busiest first: addresses, pods and what comes in",
    height: 620,
  },
  {
    file: "console-service.svg",
    view: `service/${BUSIEST}?from=203.0.113.7:4242`,
    title: "A Service in the console: the way of a packet as a picture, what comes in, and each step",
    height: 1_100,
  },
  {
    file: "console-broken.svg",
    view: `service/${BROKEN}`,
    title: "A Service in the console whose only pod is not ready: the broken step is named",
    height: 900,
  },
  {
    file: "console-node.svg",
    view: "node/n3?drain=yes",
    title: "A node in the console: its plan beside what it reports, and what a drain would move",
    height: 700,
  },
];

export interface Shot extends Picture {
  readonly svg: string;
}

/** In their order, by one page that goes from view to view. */
export async function shoot(browser: TestBrowser, console: LargeConsole): Promise<readonly Shot[]> {
  // As of everybody who makes them, wherever that is.
  const viewport = { width: WIDTH, height: 800 };
  const { page } = await browser.page({ viewport, locale: "en-GB", timezoneId: "UTC", colorScheme: "light" });
  await page.goto(console.url);
  await page.getByLabel("Bearer token").fill("a-token");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  const shots: Shot[] = [];
  for (const picture of PICTURES) {
    await show(page, picture.view);
    shots.push({ ...picture, svg: await svgOf(page, picture.title, picture.height) });
  }
  return shots;
}

async function show(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`);
  await page.locator("main :is(table, .tiles, .steps)").first().waitFor();
}

/** What an SVG says, in its order; its lines are where a browser's fonts break them. */
export const wordsOf = (svg: string): string =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)]
    .map(([, text = ""]) => text.trim())
    .join(" ")
    .replaceAll(/\s+/g, " ");

if (import.meta.main) {
  await using console = await LargeConsole.start();
  await using browser = await TestBrowser.start();
  for (const { file, svg } of await shoot(browser, console))
    await writeFile(join(ROOT, "docs/pictures", file), svg);
}
