/**
 * Kubernetes' own tests of load balancers against the lab with Genkan. `make test-upstream` runs it:
 *   main.ts [layer2] [kubeproxy] [dualstack] [bgp] [bgp-addresses]  which modes, in this order; all when none is named
 *   --only REGEXP                        specs whose text matches; what is kept of the others stays
 *   --at-once N                          so many specs at the same time; default 3
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { CommandError, run, tail } from "#hack/common/command.ts";
import { say } from "#hack/common/progress.ts";
import { ROOT } from "#hack/demo/shell.ts";
import { BIN_DIRECTORY, type Layout, layoutOf, netnsOf } from "#hack/lab/layout.ts";
import { kubeconfigOf, loadArchives } from "#hack/lab/members.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { readState } from "#hack/lab/state.ts";
import { Cluster } from "#test/e2e/installation.ts";
import { until } from "#test/until.ts";
import { ensureAgnhostImage } from "#test/upstream/image.ts";
import { enter, MODES, type Mode, runs } from "#test/upstream/modes.ts";
import { merged, readRuns, unexplained, writeRuns } from "#test/upstream/outcomes-page.ts";
import {
  exactly,
  isWanted,
  type Outcome,
  outcomeOf,
  readReport,
  shortName,
  textOf,
} from "#test/upstream/specs.ts";

const INSTANCE = 6;
const DIRECTORY = join(LAB_DIRECTORY, "upstream");
const E2E = join(BIN_DIRECTORY, "e2e.test");
/** The longest, a rolling update of pods that take a minute each to end, needs a third of it. */
const SPEC_MS = 45 * 60_000;
/** They take longest, so they begin first. */
const LONG = /rolling update/;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, "at-once": { type: "string", default: "3" } },
});

/** Whoever ends us gets his machine back as it was: what runs is given up, and the lab goes. */
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => stop.abort());

/** All specs that are wanted, as the program itself lists them. */
async function listSpecs(): Promise<string[]> {
  const report = join(DIRECTORY, "all.json");
  await run([E2E, "--ginkgo.dry-run", `--ginkgo.json-report=${report}`, "--provider=skeleton"], {
    cwd: DIRECTORY,
  });
  const only = new RegExp(values.only ?? "");
  const specs = (await readReport(report))
    .filter(isWanted)
    .map(textOf)
    .filter((text) => only.test(text));
  return specs.sort((a, b) => Number(LONG.test(b)) - Number(LONG.test(a)));
}

/** Runs one spec on the client, as a process of its own. */
async function runSpec(layout: Layout, mode: Mode, spec: string): Promise<Outcome> {
  const name = shortName(spec)
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 120);
  const [report, log] = ["json", "log"].map((ending) => join(DIRECTORY, mode, `${name}.${ending}`));
  const argv = [
    ...["nsenter", `--net=/run/netns/${netnsOf(layout, "client")}`, E2E],
    ...[
      "--provider=skeleton",
      `--kubeconfig=${kubeconfigOf(layout)}`,
      `--kubectl-path=${BIN_DIRECTORY}/kubectl`,
    ],
    ...[
      `--ginkgo.focus=${exactly(spec)}`,
      `--ginkgo.json-report=${report}`,
      "--ginkgo.v",
      "--ginkgo.no-color",
    ],
    ...[`--ginkgo.timeout=${SPEC_MS / 60_000}m`],
  ];
  await writeFile(report ?? "", "[]");
  let said = "";
  const onOutput = (text: string): void => {
    said += text;
  };
  await run(argv, {
    cwd: DIRECTORY,
    onOutput,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(SPEC_MS + 60_000)]),
  }).catch((error) => {
    // A spec that failed is in the report; anything else is in the log.
    if (!(error instanceof CommandError)) throw error;
  });
  await writeFile(log ?? "", said);
  const outcome = outcomeOf(spec, await readReport(report ?? ""));
  if (stop.signal.aborted) return outcome;
  say(`${mode}: ${outcome.state}, ${outcome.seconds} s: ${shortName(spec)}`);
  if (outcome.state === "failed") say(`${outcome.why ?? tail(said, 5)}\n  all of it: ${log}`);
  return outcome;
}

/** `keep` is told of all outcomes after each one: an hour of work is not lost with the last spec. */
async function runAll(
  layout: Layout,
  {
    mode,
    specs,
    keep,
  }: { mode: Mode; specs: readonly string[]; keep: (all: readonly Outcome[]) => Promise<void> },
): Promise<Outcome[]> {
  await mkdir(join(DIRECTORY, mode), { recursive: true });
  const outcomes: Outcome[] = [];
  const queue = specs.values();
  const work = async (): Promise<void> => {
    for (const spec of queue) {
      const outcome = await runSpec(layout, mode, spec);
      if (stop.signal.aborted) return;
      outcomes.push(outcome);
      await keep(outcomes);
    }
  };
  await Promise.all(Array.from({ length: Number(values["at-once"]) }, work));
  return outcomes;
}

async function install(cluster: Cluster): Promise<void> {
  const text = await cluster.kubectl(["kustomize", join(ROOT, "config/default")]);
  const balancer = await readFile(join(ROOT, "config/samples/loadbalancer.yaml"), "utf8");
  const items = [text, balancer].flatMap((each) =>
    parseAllDocuments(each).map((document) => document.toJS() as object),
  );
  const apply = () => cluster.apply({ apiVersion: "v1", kind: "List", items }).then(() => true);
  await until("the API server to take everything", apply, { deadlineMs: 180_000, everyMs: 1_000 });
  await cluster.available();
}

async function main(): Promise<void> {
  const modes = positionals.length === 0 ? MODES : MODES.filter((mode) => positionals.includes(mode));
  await mkdir(DIRECTORY, { recursive: true });
  await ensurePrograms(["kube", "containers", "upstream"]);
  const agnhost = await ensureAgnhostImage();
  const specs = await listSpecs();
  say(`${specs.length} specs of Kubernetes`);
  const layout = layoutOf(INSTANCE);
  await using cluster = await Cluster.start(INSTANCE);
  await loadArchives(layout, [agnhost], say);
  await install(cluster);
  const kernel = (await readState(layout))?.kernel?.description ?? "this machine's kernel";
  const troubles: string[] = [];
  for (const mode of modes) {
    if (stop.signal.aborted) throw new Error("it was ended before all was run");
    await using _entered = await enter(mode, cluster, layout);
    const chosen = specs.filter((spec) => runs(mode, shortName(spec)));
    const day = new Date().toISOString().slice(0, 10);
    const kubernetes = await versionOf(cluster);
    let writing = Promise.resolve();
    const keep = (all: readonly Outcome[]): Promise<void> => {
      const write = async (): Promise<void> => {
        const before = await readRuns();
        const kept = values.only === undefined ? [] : (before[mode]?.outcomes ?? []);
        await writeRuns({ ...before, [mode]: { day, kubernetes, kernel, outcomes: merged(kept, all) } });
      };
      writing = writing.then(write);
      return writing;
    };
    const outcomes = await runAll(layout, { mode, specs: chosen, keep });
    troubles.push(...unexplained(mode, outcomes));
  }
  if (troubles.length === 0) return;
  process.stderr.write(`not explained:\n${troubles.join("\n")}\n`);
  process.exitCode = 1;
}

async function versionOf(cluster: Cluster): Promise<string> {
  const { serverVersion } = JSON.parse(await cluster.kubectl(["version", "-o", "json"])) as {
    serverVersion: { gitVersion: string };
  };
  return serverVersion.gitVersion;
}

await main();
