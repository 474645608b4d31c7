/** docs/results/upstream.json, which keeps the outcomes of each mode, and the page that is made of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "#hack/demo/shell.ts";
import { MODES, type Mode, TITLES } from "#test/upstream/modes.ts";
import { reasonFor } from "#test/upstream/reasons.ts";
import { type Outcome, shortName } from "#test/upstream/specs.ts";

/** One run of one mode. */
export interface ModeRun {
  /** RFC 3339, day only. */
  readonly day: string;
  readonly kubernetes: string;
  /** What the nodes ran on. */
  readonly kernel: string;
  readonly outcomes: readonly Outcome[];
}

export type Runs = Partial<Record<Mode, ModeRun>>;

const DIRECTORY = join(ROOT, "docs/results");

export async function readRuns(): Promise<Runs> {
  const text = await readFile(join(DIRECTORY, "upstream.json"), "utf8").catch(() => "{}");
  return JSON.parse(text) as Runs;
}

export async function writeRuns(runs: Runs): Promise<void> {
  await writeFile(join(DIRECTORY, "upstream.json"), `${JSON.stringify(runs, undefined, 2)}\n`);
  await writeFile(join(DIRECTORY, "upstream.md"), pageOf(runs));
}

/** What is kept of a mode after some of its specs were run again: each spec once, by its text. Pure. */
export function merged(kept: readonly Outcome[], again: readonly Outcome[]): Outcome[] {
  const others = kept.filter(({ spec }) => again.every((each) => each.spec !== spec));
  return [...others, ...again].sort((a, b) => (a.spec < b.spec ? -1 : 1));
}

/** Specs that did not pass, without a reason that reasons.ts knows: what makes the run fail. Pure. */
export function unexplained(mode: Mode, outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter((outcome) => outcome.state !== "passed" && reasonFor(mode, outcome) === undefined)
    .map(({ spec, state, why }) => `${TITLES[mode]}: ${state}: ${shortName(spec)}: ${why ?? "no words"}`);
}

/** Pure. */
export function pageOf(runs: Runs): string {
  const modes = MODES.filter((mode) => runs[mode] !== undefined);
  if (modes.length === 0) return `${HEAD}\nIt has not been run to its end yet.\n`;
  const names = [
    ...new Set(modes.flatMap((mode) => runs[mode]?.outcomes.map(({ spec }) => spec) ?? [])),
  ].sort();
  const notes: string[] = [];
  const cell = (mode: Mode, spec: string): string => {
    const outcome = runs[mode]?.outcomes.find((each) => each.spec === spec);
    if (outcome === undefined) return "not run";
    if (outcome.state === "passed") return `passed, ${outcome.seconds} s`;
    const text =
      reasonFor(mode, outcome) ?? `Not explained. The test said: ${oneLine(outcome.why ?? "nothing")}`;
    if (!notes.includes(text)) notes.push(text);
    return `${outcome.state} (${notes.indexOf(text) + 1})`;
  };
  const rows = names.map(
    (spec) => `| ${[shortName(spec), ...modes.map((mode) => cell(mode, spec))].join(" | ")} |`,
  );
  const when = modes.map((mode) => {
    const run = runs[mode];
    const passed = run?.outcomes.filter(({ state }) => state === "passed").length ?? 0;
    const of = run?.outcomes.length ?? 0;
    return `- ${TITLES[mode]}: ${passed} of ${of} passed, ${run?.day}, Kubernetes ${run?.kubernetes}, nodes on ${run?.kernel}.`;
  });
  return `${HEAD}
${when.join("\n")}

| spec | ${modes.map((mode) => TITLES[mode]).join(" | ")} |
|---|${modes.map(() => "---").join("|")}|
${rows.join("\n")}
${notes.length === 0 ? "" : `\n## Why some did not pass\n\n${notes.map((note, at) => `${at + 1}. ${note}`).join("\n")}\n`}`;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");

const HEAD = `# Kubernetes' own tests of load balancers

Kubernetes has end-to-end tests of what a Service of type LoadBalancer has to do. \`make test-upstream\` builds them from their
Go module, unchanged, and runs them against [the lab](../lab.md): three nodes with real kubelets, and the tests themselves on
the client, behind the router. In BGP mode the router is FRR, which spreads connections over the nodes. The seconds are of a machine
that does other work as well; they say how long a spec takes, and nothing about speed.

Two columns are for specs that say nothing in the others. Some leave themselves out where a load balancer forwards by itself
(\`ipMode: Proxy\`): they run with \`spec.forwarding.mode: KubeProxy\`. One asks kube-proxy at addresses of both families about a Service
of one: it runs with Services of both families, which a policy of the lab's API server makes of it.

This page is made by \`make test-upstream\`, which fails if a spec did not pass for a reason that is not below.
Specs without a row and modes without a column have not been run yet.
`;
