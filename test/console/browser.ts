/** Chromium as Debian has it, driven by playwright-core; and axe, which looks for what people with disabilities cannot use. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** WCAG 2.2 level AA, with all that came before it. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #axe: string;

  private constructor(browser: Browser, axe: string) {
    this.#browser = browser;
    this.#axe = axe;
  }

  static async start(): Promise<TestBrowser> {
    // Root has no sandbox; what it opens is ours.
    const args = ["--no-sandbox", "--disable-dev-shm-usage"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    return new TestBrowser(browser, await readFile(AXE, "utf8"));
  }

  /** A page of its own; `problems` gets what its console says is wrong, such as what the policy of the page forbids. */
  async page(
    options: BrowserContextOptions = {},
  ): Promise<{ readonly page: Page; readonly problems: string[] }> {
    const context = await this.#browser.newContext({ reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    return { page, problems };
  }

  /** What axe finds on the page as it is, a line each. */
  async violations(page: Page): Promise<readonly string[]> {
    // By the debugger: the page's own policy lets no other script in.
    await page.evaluate(this.#axe);
    return await page.evaluate(async (tags) => {
      type Found = { violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] };
      const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<Found> } };
      const { violations } = await axe.run({ runOnly: tags });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
      );
    }, TAGS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
