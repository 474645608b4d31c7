/**
 * The console's page in Chromium. Who may see what is the subject of test/integration/console.test.ts; here it is what
 * people see of 5,000 Services, by mouse, by keyboard, on a narrow screen, in light and dark.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { TestBrowser } from "#test/console/browser.ts";
import { BROKEN, BUSIEST, LargeConsole, SERVICES } from "#test/console/large-console.ts";
import { shoot, wordsOf } from "#test/console/pictures.ts";

const LISTS = ["overview", "services", "pools", "nodes", "sessions", "moves"];
const VIEWS = [
  ...LISTS,
  ...[`service/${BROKEN}`, `service/${BUSIEST}?from=203.0.113.7:4242`, "node/n7", "node/n3?drain=yes"],
];

let browser: TestBrowser;
let console: LargeConsole;

before(async () => {
  console = await LargeConsole.start();
  browser = await TestBrowser.start();
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await console?.[Symbol.asyncDispose]();
});

async function signIn(page: Page): Promise<void> {
  await page.goto(console.url);
  await page.getByLabel("Bearer token").fill("a-token");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

const textOf = async (found: Locator): Promise<string> => (await found.textContent()) ?? "";

/** Without a new page: the token is in its memory. */
async function show(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`);
  await page.locator("main :is(table, .verdict)").first().waitFor();
}

for (const colorScheme of ["light", "dark"] as const)
  for (const width of [1_280, 360])
    test(`axe finds nothing in any view, ${colorScheme}, ${width} pixels wide, and nothing is cut off`, async () => {
      const { page, problems } = await browser.page({ colorScheme, viewport: { width, height: 800 } });
      await page.goto(console.url);
      await page.getByLabel("Bearer token").waitFor();
      assert.deepEqual(await browser.violations(page), [], "sign in");
      await signIn(page);
      for (const view of VIEWS) {
        await show(page, view);
        assert.deepEqual(await browser.violations(page), [], view);
        const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
        assert.ok(overflow <= 0, `${view} is ${overflow} pixels too wide`);
      }
      assert.deepEqual(problems, []);
    });

test("axe is awake: a field without its label, and grey on grey, are found", async () => {
  const { page } = await browser.page();
  await page.goto(console.url);
  await page.getByLabel("Bearer token").waitFor();
  await page.evaluate("document.querySelector('label').remove()");
  await page.evaluate("document.querySelector('#token-help').style.color = '#ccc'");
  const found = (await browser.violations(page)).map((line) => line.split(":")[0]);
  assert.deepEqual([...new Set(found)].sort(), ["color-contrast", "label", "label-title-only"]);
});

test(`of ${SERVICES} Services the broken one comes first, a search finds one, and the page holds a part of them`, async () => {
  const { page } = await browser.page();
  await signIn(page);
  await page.getByRole("link", { name: "Services", exact: true }).click();
  const rows = page.locator("tbody tr");
  await page.getByText(`${SERVICES} in all`).waitFor();
  assert.equal(await rows.count(), 100);
  assert.match(await textOf(rows.first()), /default\/web-4321.*No pod of it is ready/s);
  await page.getByLabel("Search").fill("web-77 10.64.0.77");
  await page.getByText(`1 of ${SERVICES}`).waitFor();
  assert.match(await textOf(rows.first()), /^default\/web-7710\.64\.0\.77/);
  await page.getByLabel("Search").fill("");
  await page.getByText(`${SERVICES} in all`).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText(`101 to 200 of ${SERVICES}`).waitFor();
  await page.goBack();
});

test("by keyboard alone: in, to the broken Service, and what is wrong with it in words and in the picture", async () => {
  const { page } = await browser.page();
  await page.goto(console.url);
  await page.getByLabel("Bearer token").focus();
  await page.keyboard.type("a-token");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  const link = page.getByRole("link", { name: "Services with something broken: 1" });
  await link.waitFor();
  await tabTo(page, "Services with something broken: 1");
  await page.keyboard.press("Enter");
  await page.getByRole("checkbox", { name: "Only what is broken" }).waitFor();
  assert.ok(await page.getByRole("checkbox", { name: "Only what is broken" }).isChecked());
  await page.getByRole("link", { name: BROKEN }).waitFor();
  await tabTo(page, BROKEN);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: BROKEN }).waitFor();
  // A new view begins at its heading.
  assert.equal(await page.evaluate<string>("document.activeElement.textContent"), BROKEN);
  await page.locator(".verdict.bad").waitFor();
  assert.match(await textOf(page.locator(".verdict")), /^Broken: /);
  assert.match(
    (await page.locator("svg").getAttribute("aria-label")) ?? "",
    /of 1 pods 0 that are shown are ready/,
  );
  assert.equal((await page.locator("svg g.bad").count()) > 0, true);
});

test("which pod a connection goes to, what is no connection, and where the address has been", async () => {
  const { page } = await browser.page();
  await signIn(page);
  await show(page, "service/default/web-77");
  const from = page.getByLabel("A connection from ADDRESS:PORT");
  await from.fill("203.0.113.7:4242");
  await page.keyboard.press("Enter");
  await page.getByText(/^n1: 10\.64\.0\.77 TCP\/80 -> 10\.1\.0\.77:8080$/).waitFor();
  await from.fill("nowhere");
  await page.keyboard.press("Enter");
  await page.getByText(/comes from ADDRESS:PORT, such as/).waitFor();
  assert.match(
    await textOf(
      page
        .getByRole("region", { name: /^Where its addresses have been/ })
        .locator("tbody tr")
        .first(),
    ),
    /^10\.64\.0\.77n\d+.*30 s, until nownobody had it before$/,
  );
});

/** As often as it takes to come to a link of that text. */
async function tabTo(page: Page, text: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate<string>(
      "document.activeElement.ariaLabel ?? document.activeElement.textContent",
    );
    if (focused === text) return;
  }
  assert.fail(`no Tab leads to "${text}"`);
}

test("what a router says is text, whatever it is, and a reload forgets the token", async () => {
  const { page, problems } = await browser.page();
  await signIn(page);
  await show(page, "sessions");
  assert.match(await textOf(page.locator("tbody tr").first()), /<script>document\.title=2<\/script>/);
  assert.match(await page.title(), /^Sessions/);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    await page.evaluate<unknown>("[document.cookie, localStorage.length, sessionStorage.length]"),
    ["", 0, 0],
  );
  await page.reload();
  await page.getByLabel("Bearer token").waitFor();
});

test("what comes in for a Service: found by the busiest, and as it goes while somebody looks", async () => {
  const { page, problems } = await browser.page();
  // Time is the test's, so that ten seconds of a look are none.
  await page.clock.install();
  await signIn(page);
  await page.getByRole("link", { name: /^Coming in: 20 MB\/s/ }).click();
  assert.ok(await page.getByRole("checkbox", { name: "Busiest first" }).isChecked());
  const first = page.locator("tbody tr").first();
  await first.getByText("2.5 MB/s, 60 connections/min").waitFor();
  await first.getByRole("link", { name: BUSIEST }).click();
  const chart = page.getByRole("img", { name: /^What has come in since you look: 2\.5 MB a second now/ });
  await chart.waitFor();
  assert.match(
    (await page.locator("svg").getAttribute("aria-label")) ?? "",
    /ready\. 2\.5 MB a second come in\.$/,
  );
  console.change(700, 10);
  await page.clock.runFor(11_000);
  await page.getByRole("img", { name: /look: 700 B a second now, 2\.5 MB a second at most$/ }).waitFor();
  await page
    .getByText(/^700 B\/s in, /)
    .first()
    .waitFor();
  assert.ok((await page.locator("canvas").boundingBox())?.height);
  assert.deepEqual(problems, []);
  console.change(2_500_000, 0);
});

test("by keyboard from the nodes to what one of them is to do, and to what a drain of it would move", async () => {
  const { page } = await browser.page();
  await signIn(page);
  await show(page, "nodes");
  await tabTo(page, "n3");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "n3" }).waitFor();
  await page.getByText("All is as planned.").waitFor();
  const [, owned = ""] = /^100 of|^(\d+) in all/.exec(await textOf(page.locator(".count"))) ?? [];
  assert.ok(Number(owned) > 100, owned);
  await tabTo(page, "What would a drain of this node move?");
  await page.keyboard.press("Enter");
  const drain = page.getByRole("region", { name: "What a drain would do" });
  await drain.waitFor();
  assert.match(
    await textOf(drain),
    new RegExp(`${owned} addresses of layer 2 move, 250 ready pods end here`),
  );
  assert.match(await textOf(drain), /10\.64\.\d+\.\d+ moves to n\d+/);
  assert.equal(await drain.getByRole("listitem").count(), 101);
});

test("the screenshots of docs/console.md say what the page says", async () => {
  for (const { file, svg } of await shoot(browser, console)) {
    const kept = await readFile(new URL(`../../docs/pictures/${file}`, import.meta.url), "utf8");
    // Where fonts are others, lines are longer, and the lower end shows a line more or less.
    const [shown, told] = [wordsOf(svg), wordsOf(kept)];
    const length = Math.floor(Math.min(shown.length, told.length) * 0.9);
    assert.ok(told.length > 200, file);
    assert.equal(told.slice(0, length), shown.slice(0, length), `make console-pictures writes ${file} anew`);
  }
});
