/**
 * `make model`: everything that can happen to ownership among a few nodes, as far as sizes.ts goes. A line of JSON for each
 * walk; the page is docs/results/model.md. Ends with 1 at the first promise that is not kept, and prints how it came to it.
 *
 *     node test/model/main.ts [--only N]
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { BOUNDS } from "./promises.ts";
import { DEEP } from "./sizes.ts";
import { type Walked, walk } from "./walk.ts";

const RESULTS = `${CHECKOUT}/docs/results/model.md`;
/** What each walk came to when it was last done, by its name. */
const KEPT = `${CHECKOUT}/build/model.json`;

type Figures = Omit<Walked, "breach"> & { readonly seconds: number };

const { values } = parseArgs({ options: { only: { type: "string" } } });
const chosen = DEEP.filter((_, at) => values.only === undefined || Number(values.only) === at + 1);
const kept = new Map<string, Figures>(
  Object.entries(JSON.parse(await readFile(KEPT, "utf8").catch(() => "{}")) as Record<string, Figures>),
);
for (const { what, walk: size } of chosen) {
  const began = performance.now();
  const { breach, ...walked } = walk(size);
  const figures = { ...walked, seconds: Math.round((performance.now() - began) / 1_000) };
  process.stdout.write(`${JSON.stringify({ what, ...size, ...figures, breach: breach?.what })}\n`);
  if (breach !== undefined) {
    process.stderr.write(`${[breach.what, ...breach.trace].join("\n")}\n`);
    process.exit(1);
  }
  kept.set(what, figures);
  await mkdir(`${CHECKOUT}/build`, { recursive: true });
  await writeFile(KEPT, JSON.stringify(Object.fromEntries(kept)));
}
const rows = DEEP.flatMap(({ what }) => {
  const figures = kept.get(what);
  return figures === undefined ? [] : [rowOf(what, figures)];
});
if (rows.length === DEEP.length) await writeFile(RESULTS, page(rows));

function rowOf(what: string, { states, steps, depth, isWhole, ...longest }: Figures): string {
  const { twoMs, apartMs, noneMs, aloneMs } = longest;
  const times = [twoMs, apartMs, noneMs, aloneMs].map((ms) => ms / 1_000).join(" | ");
  const counts = [states, steps].map((count) => count.toLocaleString("en")).join(" | ");
  return `| ${what}${isWhole ? "" : " (cut off)"} | ${counts} | ${depth / 2} | ${times} |`;
}

function page(lines: readonly string[]): string {
  const { twoMs, apartMs, noneMs, aloneMs } = BOUNDS;
  const most = [twoMs, apartMs, noneMs, aloneMs].map((ms) => ms / 1_000).join(" | ");
  return `# The last \`make model\`

All that can happen to the ownership of addresses in layer 2, as far as each row says; [what the model is, and what it
leaves out](../layer2.md#what-was-explored). Times are seconds, in steps of half a second. No promise was broken.

| what | states | steps | deepest, s | two answer that hear each other | two answer that do not | nobody answers | nobody, where one waits for Leases |
|---|---|---|---|---|---|---|---|
${lines.join("\n")}
| at most | | | | ${most} |
`;
}
