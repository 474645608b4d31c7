/**
 * How long an address of layer 2 has no answer, seen by a client that asks every 10 ms, and how often it moves though
 * everybody lives. Three speaker processes, and beside them three hosts each with keepalived, MetalLB's speaker and kube-vip, on the same segment. Each figure
 * is a line of JSON; docs/results/failover.md and its picture are made of them.
 * Usage: failover.ts [RUNS] [MINUTES] [PEER_RUNS] (20 runs of each kind, 2 minutes of each false alarm, as many runs of the
 * others; 0: none of them).
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { errorText } from "#common/error.ts";
import { until } from "#test/until.ts";
import { Asker, nowMs } from "../layer2/asker.ts";
import { expected, LONG, NAMES, SpeakerNodes, VIP, VIP6 } from "../layer2/speaker-nodes.ts";
import { type Host, vip4, vip6 } from "../network/bridge.ts";
import { lostIn, spread } from "./failover-figures.ts";
import { keepResults, type Row } from "./failover-page.ts";
import { KeepalivedHosts, keepalivedVersion, type VrrpOptions } from "./keepalived.ts";
import { KubeVipHosts } from "./kube-vip-hosts.ts";
import { MetalLbHosts } from "./metallb-hosts.ts";
import { DEADLINE_MS, type Takeovers, takeovers } from "./power-cuts.ts";
import { requestFailures } from "./request-failures.ts";
import { SECOND_VIP, SecondLink } from "./second-link.ts";

const [runs = 20, minutes = 2, peerRuns = runs] = process.argv.slice(2).map(Number);
/** Until all is as before with another program. */
const PEER_RETURN_MS = 120_000;
/** What is promised of a death, and of a link whose carrier is lost; milliseconds. */
const BAR_MS = 1_000;
const CARRIER_BAR_MS = 500;
const rows: Row[] = [];

for (const figures of await requestFailures(runs)) print("genkan", "power-cut-last-failure", figures);
if (minutes > 0) falseMoves();
await using nodes = await SpeakerNodes.start();
await using asker = await Asker.start(nodes.client, [VIP, VIP6]);
await rest();

function hostOf(name: string): Host {
  const host = nodes.bridge.hosts.get(name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

/** All hear each other, and each address is where it belongs. */
async function rest(isServerThere = true): Promise<void> {
  for (const name of NAMES) {
    await until(`${name} to gossip`, () => nodes.speaker(name).said("gossip runs"), LONG);
    if (isServerThere)
      await until(
        `${name} to hear everybody`,
        () => nodes.cluster.hasCondition(name, "MembersHeard", "True"),
        LONG,
      );
  }
  for (const vip of [VIP, VIP6]) await asker.only(vip, hostOf(expected(vip)), 60_000);
}

function print(program: string, benchmark: string, figures: Row["figures"]): void {
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  rows.push({ program, benchmark, figures, load });
  process.stdout.write(
    `${JSON.stringify({ program, benchmark, ...figures, cpus: availableParallelism(), load })}\n`,
  );
}

/** In a process of its own, as a process has one bridge. */
function falseMoves(): void {
  const program = fileURLToPath(new URL("false-moves.ts", import.meta.url));
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const output = execFileSync(process.execPath, [program, String(minutes)], { stdio: [...stdio] });
  for (const line of output.toString().trim().split("\n")) {
    rows.push(JSON.parse(line) as Row);
    process.stdout.write(`${line}\n`);
  }
}

function ofGenkan(
  vip: string,
  take: (owner: string) => unknown,
  giveBack: (owner: string) => unknown,
  isServerThere = true,
): Promise<Takeovers> {
  const owner = expected(vip);
  return takeovers({
    ...{ count: runs, vip, asker, owner: () => hostOf(owner) },
    take: () => take(owner),
    giveBack: () => giveBack(owner),
    rest: () => rest(isServerThere),
  });
}

const cut = (owner: string): void => nodes.bridge.setCable(owner, false);
const mend = (owner: string): void => nodes.bridge.setCable(owner, true);

await nodes.cluster.plane.stopProgram("kube-apiserver");
const first = await ofGenkan(VIP, cut, mend, false);
print("genkan", "power-cut-first-answer-v4", { ...spread(first.times), bar: BAR_MS, api: "stopped" });
const second = await ofGenkan(VIP6, cut, mend, false);
print("genkan", "power-cut-first-answer-v6", { ...spread(second.times), bar: BAR_MS, api: "stopped" });
print("genkan", "two-answer", {
  max_ms: Math.max(...first.overlaps, ...second.overlaps),
  runs: 2 * runs,
  when: "the owner before is back",
});
await nodes.cluster.plane.startProgram("kube-apiserver");
await rest();
const kill = (owner: string): Promise<void> => nodes.speaker(owner).end("SIGKILL");
const restart = (owner: string): unknown => nodes.start(owner);
print("genkan", "speaker-killed", {
  ...spread((await ofGenkan(VIP, kill, restart)).times),
  bar: BAR_MS,
  api: "there",
});
await plannedMoves();
await carrierLosses();
const version = keepalivedVersion();
const about = { runs, peerRuns, keepalived: version };
await keepResults(rows, about);
if (peerRuns > 0) await ofOthers();

async function ofOthers(): Promise<void> {
  if (version === undefined) console.error("keepalived is not installed (hack/setup benches): skipped");
  else
    for (const way of ["multicast", "unicast"] as const)
      for (const interval of [1, 0.2]) {
        await ofKeepalived({ way, interval, vips: [vip4(180), vip6("180")] });
        // So that one that is ended early has kept something.
        await keepResults(rows, about);
      }
  for (const ofProgram of [ofMetalLb, ofKubeVip]) {
    await ofProgram();
    await keepResults(rows, about);
  }
}

/** Questions that nobody answers while the owner's speaker is told to end, and another node takes over. */
async function plannedMoves(): Promise<void> {
  let [lost, of] = [0, 0];
  for (let turn = 0; turn < runs; turn++) {
    asker.forget();
    const owner = expected(VIP);
    const since = nowMs();
    const ended = nodes.speaker(owner).end("SIGTERM");
    await asker.firstOfAnother(VIP, hostOf(owner), { since, deadlineMs: DEADLINE_MS });
    await ended;
    const found = lostIn(asker.answers.filter(({ vip }) => vip === VIP));
    lost += found.lost;
    of += found.of;
    nodes.start(owner);
    await rest();
  }
  print("genkan", "planned-move", { lost, of, bar: 0, how: "SIGTERM" });
}

/** The owner's link to the clients goes, and not the one by which it gossips. */
async function carrierLosses(): Promise<void> {
  using second = await SecondLink.add(nodes);
  await using client = await Asker.start(second.client, [SECOND_VIP]);
  const settle = (): Promise<void> => client.only(SECOND_VIP, second.owner, 60_000);
  await settle();
  const { times } = await takeovers({
    ...{ count: runs, vip: SECOND_VIP, asker: client, owner: () => second.owner, rest: settle },
    take: () => second.setCarrier(false),
    giveBack: () => second.setCarrier(true),
  });
  print("genkan", "carrier-loss", { ...spread(times), bar: CARRIER_BAR_MS, api: "there" });
}

async function ofKeepalived(options: VrrpOptions): Promise<void> {
  // One name for each kind of figures (hack/bench/together/figures.ts).
  const program = `keepalived-${options.way}${options.interval === 1 ? "" : `-${options.interval}`}`;
  await using vrrp = new KeepalivedHosts(nodes.bridge, options);
  const [owner] = vrrp.hosts;
  if (owner === undefined) return;
  await powerCuts(program, returnsTo(owner, options.vips), {
    vips: options.vips,
    figures: { setting: `advert_int ${options.interval}` },
  });
}

/** Of another program; `settle` resolves to who has the addresses, when all live again. */
async function powerCuts(
  program: string,
  settle: (client: Asker) => Promise<Host>,
  { vips, figures }: { vips: readonly string[]; figures: Row["figures"] },
): Promise<void> {
  await using client = await Asker.start(nodes.client, vips);
  let owner = await settle(client);
  const plan = {
    owner: () => owner,
    take: ({ name }: Host) => nodes.bridge.setCable(name, false),
    giveBack: ({ name }: Host) => nodes.bridge.setCable(name, true),
    rest: async () => {
      owner = await settle(client);
    },
  };
  const overlaps: number[] = [];
  for (const vip of vips) {
    const found = await takeovers({ ...plan, count: peerRuns, asker: client, vip });
    const family = vip.includes(":") ? "v6" : "v4";
    print(program, `power-cut-first-answer-${family}`, { ...spread(found.times), ...figures });
    overlaps.push(...found.overlaps);
  }
  const when = "the owner before is back";
  print(program, "two-answer", {
    max_ms: Math.max(...overlaps),
    runs: vips.length * peerRuns,
    when,
    ...figures,
  });
}

/** undefined: it cannot be had, and the reason is printed. */
async function ifItCanBeHad<T>(program: string, start: () => Promise<T>): Promise<T | undefined> {
  try {
    return await start();
  } catch (error) {
    console.error(`${program} is left out: ${errorText(error)}`);
    return undefined;
  }
}

async function ofMetalLb(): Promise<void> {
  const vips = [vip4(182), vip6("182")];
  const metallb = await ifItCanBeHad("MetalLB", () => MetalLbHosts.start(nodes.bridge, nodes.cluster, vips));
  if (metallb === undefined) return;
  await using _ = metallb;
  // It elects by a hash of its own.
  const owner = await until(
    "one host of MetalLB to answer",
    async () => {
      const found = await nodes.bridge.owners(nodes.client, vips[0] ?? "");
      return found.length === 1 ? metallb.hosts.find(({ name }) => name === found[0]) : undefined;
    },
    { deadlineMs: 120_000 },
  );
  const figures = { setting: `${metallb.version}, memberlist` };
  await powerCuts("metallb", returnsTo(owner, vips), { vips, figures });
}

/** Of a program whose addresses go back to `owner` when it lives again. */
function returnsTo(owner: Host, vips: readonly string[]): (client: Asker) => Promise<Host> {
  return async (client) => {
    for (const vip of vips) await client.only(vip, owner, PEER_RETURN_MS);
    return owner;
  };
}

/** Its addresses stay with whoever took them over. */
async function ofKubeVip(): Promise<void> {
  const vips = [vip4(184), vip6("184")];
  const kubeVip = await ifItCanBeHad("kube-vip", () => KubeVipHosts.start(nodes.bridge, nodes.cluster, vips));
  if (kubeVip === undefined) return;
  await using all = kubeVip;
  const settle = (client: Asker): Promise<Host> =>
    until(
      "one host of kube-vip to answer for both addresses",
      async () => {
        const found = await Promise.all(vips.map((vip) => nodes.bridge.owners(nodes.client, vip)));
        const owner = all.hosts.find(({ name }) =>
          found.every(([one, ...more]) => one === name && more.length === 0),
        );
        if (owner !== undefined) for (const vip of vips) await client.only(vip, owner);
        return owner;
      },
      { deadlineMs: PEER_RETURN_MS },
    );
  await powerCuts("kube-vip", settle, { vips, figures: { setting: `${all.version}, a Lease of 5 s` } });
}
