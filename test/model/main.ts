/**
 * `make model`: everything that can happen to ownership among a few nodes, as far as sizes.ts goes. A line of JSON for each
 * walk; the page is docs/results/model.md. Ends with 1 at the first promise that is not kept, and prints how it came to it.
 *
 *     node test/model/main.ts [--only N]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { BOUNDS } from "./promises.ts";
import { DEEP } from "./sizes.ts";
import { walk } from "./walk.ts";

const RESULTS = `${CHECKOUT}/docs/results/model.md`;

const { values } = parseArgs({ options: { only: { type: "string" } } });
const chosen = DEEP.filter((_, at) => values.only === undefined || Number(values.only) === at + 1);
const rows: string[] = [];
for (const { what, walk: size } of chosen) {
  const began = performance.now();
  const { breach, ...figures } = walk(size);
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stdout.write(`${JSON.stringify({ what, ...size, ...figures, seconds, breach: breach?.what })}\n`);
  if (breach !== undefined) {
    process.stderr.write(`${[breach.what, ...breach.trace].join("\n")}\n`);
    process.exit(1);
  }
  const { states, steps, depth, isWhole, twoMs, apartMs, noneMs, aloneMs } = figures;
  const longest = [twoMs, apartMs, noneMs, aloneMs].map((ms) => ms / 1_000).join(" | ");
  rows.push(
    `| ${what}${isWhole ? "" : " (cut off)"} | ${states.toLocaleString("en")} | ${steps.toLocaleString("en")} | ${depth / 2} | ${longest} |`,
  );
}
if (values.only === undefined) {
  await mkdir(`${CHECKOUT}/docs/results`, { recursive: true });
  await writeFile(RESULTS, page(rows));
}

function page(lines: readonly string[]): string {
  const { twoMs, apartMs, noneMs, aloneMs } = BOUNDS;
  const most = [twoMs, apartMs, noneMs, aloneMs].map((ms) => ms / 1_000).join(" | ");
  return `# The last \`make model\`

All that can happen to the ownership of addresses in layer 2, as far as each row says; [what the model is, and what it
leaves out](../layer2.md#what-was-explored). Times are seconds, in steps of half a second. No promise was broken.

| what | states | steps | deepest, s | two answer that hear each other | two answer that do not | nobody, where some hear each other | nobody, where one hears nobody |
|---|---|---|---|---|---|---|---|
${lines.join("\n")}
| at most | | | | ${most} |
`;
}
