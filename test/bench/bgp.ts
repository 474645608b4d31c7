/**
 * How long FRR waits for 1,000, 3,000 and 10,000 prefixes, and for their withdrawal, from this speaker, GoBGP and
 * ExaBGP: settled sessions, one speaker after the other in turns, the UPDATEs counted by FRR. Then 10,000 prefixes
 * to 4 peers, and one more. Prints a JSON line for each figure, then a table, which docs/results/bgp.md keeps.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { Capture } from "#test/interop/bgp-capture.ts";
import { Frr } from "#test/interop/frr.ts";
import { workDirectory } from "#test/interop/router.ts";
import { asnOf, type Session } from "#test/interop/session.ts";
import { Vty } from "#test/interop/vty.ts";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { type BenchSpeaker, exabgp, genkan, gobgp } from "./bgp-speakers.ts";

const COUNTS = [1_000, 3_000, 10_000];
const ROUNDS = Number(process.argv[2] ?? 3);
const NAMES = (process.argv[3] ?? "genkan,gobgp,exabgp").split(",") as Name[];
const UPDATE = 2;
/** Within which FRR must have them; ExaBGP needs longest. */
const DEADLINE_MS = 60_000;
const ADD_ONE_ROUNDS = 20;

interface Step {
  readonly order: () => Promise<void>;
  /** Prefixes of each session afterwards. */
  readonly count: number;
}

interface Figure {
  readonly name: string;
  readonly milliseconds: number;
  readonly updates?: number;
  /** Of the milliseconds: the program that gives the order, measured by an order that does nothing. */
  readonly orderMs?: number;
  readonly rssMiB?: number;
  readonly cpuMs?: number;
  readonly ratio?: number;
  readonly against?: string;
  readonly bar?: string;
}

function session(number: number, asn: number): Session {
  return {
    name: `session-${number}`,
    router: "frr",
    relation: "eBGP",
    family: "IPv4",
    transport: "plain",
    number,
    device: { address: `10.0.1.${100 + number}`, asn },
    peer: { address: `10.0.1.${number}`, asn: asnOf("frr") },
  };
}

/** Numbers of each speaker's sessions at FRR. */
const FIRST = { genkan: 1, gobgp: 5, exabgp: 9 } as const;
type Name = keyof typeof FIRST;
const START = { genkan, gobgp, exabgp } as const;
const ASN = { genkan: 64_801, gobgp: 64_802, exabgp: 64_803 } as const;

const sessionsOf = (name: Name, peers: number): Session[] =>
  Array.from({ length: peers }, (_, at) => session(FIRST[name] + at, ASN[name]));

const directory = workDirectory("bench-bgp");
const own = (name: string): string => {
  mkdirSync(join(directory, name), { recursive: true });
  return join(directory, name);
};

function processOf(pid: number): { rssMiB: number; cpuMs: number } {
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { rssMiB: Number(rss) / 1_024, cpuMs: ticks * 10 };
}

class Bench implements AsyncDisposable {
  readonly topology = new Topology("gkb");
  readonly speakers: BenchSpeaker[] = [];
  #frr: Frr | undefined;
  #vty: Vty | undefined;

  /** @param peers sessions of each speaker */
  async start(names: readonly Name[], peers: number): Promise<void> {
    const all = names.map((name) => ({ name, sessions: sessionsOf(name, peers) }));
    const sessions = all.flatMap((one) => one.sessions);
    const namespace = this.topology.addRouter("frr", sessions);
    this.#frr = await Frr.start({
      namespace,
      sessions,
      directory: own("frr"),
      // Nothing goes on to zebra and the kernel: BGP alone is measured.
      bgpdArguments: ["-n"],
      // It listens only: what one speaker tells it does not come back by the others.
      topLines: ["route-map NOTHING deny 10"],
      familyLines: ({ device }) => [
        `no neighbor ${device.address} soft-reconfiguration inbound`,
        `neighbor ${device.address} route-map NOTHING out`,
      ],
    });
    this.#vty = await Vty.open(join(directory, "frr", "bgpd.vty"));
    for (const { name, sessions: given } of all) {
      const speaker = await START[name]({
        namespace: this.topology.device,
        directory: own(name),
        sessions: given,
      });
      this.speakers.push(speaker);
      const isUp = async (): Promise<boolean> => (await this.#received(given, "up")) === peers;
      await until(`${name}'s sessions`, isUp, { deadlineMs: DEADLINE_MS });
    }
  }

  /** Prefixes that FRR has of these sessions, or how many sessions are up. */
  async #received(sessions: readonly Session[], what: "prefixes" | "up"): Promise<number> {
    type Summary = { peers?: Record<string, { pfxRcd: number; state: string }> };
    const { peers = {} } = (await this.#vty?.json<Summary>("show bgp ipv4 unicast summary json")) ?? {};
    const states = sessions.map(({ device }) => peers[device.address]);
    return states.reduce(
      (sum, state) => sum + (what === "up" ? Number(state?.state === "Established") : (state?.pfxRcd ?? 0)),
      0,
    );
  }

  /** Milliseconds from the order until FRR's count is reached. */
  async #timed(
    speaker: BenchSpeaker,
    sessions: readonly Session[],
    step: { order: () => Promise<void>; count: number },
  ): Promise<number> {
    const start = performance.now();
    await step.order();
    const isReached = async (): Promise<boolean> =>
      (await this.#received(sessions, "prefixes")) === step.count * sessions.length;
    await until(`${speaker.name}: ${step.count} prefixes at FRR`, isReached, {
      deadlineMs: DEADLINE_MS,
      everyMs: 2,
    });
    return performance.now() - start;
  }

  /** One round: announce, then withdraw. */
  async round(speaker: BenchSpeaker, count: number): Promise<[Figure, Figure]> {
    const { sessions } = speaker;
    await speaker.prepare(count);
    const name = `${count}-prefixes${sessions.length > 1 ? `-${sessions.length}-peers` : ""}-${speaker.name}`;
    const start = performance.now();
    await speaker.idle?.();
    const orderMs = performance.now() - start;
    const announced = await this.#step(speaker, `advertise-${name}`, {
      order: () => speaker.announce(count),
      count,
    });
    const withdrawn = await this.#step(speaker, `withdraw-${name}`, {
      order: () => speaker.withdraw(count),
      count: 0,
    });
    return [speaker.idle === undefined ? announced : { ...announced, orderMs }, withdrawn];
  }

  async #step(speaker: BenchSpeaker, name: string, step: Step): Promise<Figure> {
    const updates = await this.#updates(speaker.sessions);
    const before = processOf(speaker.pid);
    const milliseconds = await this.#timed(speaker, speaker.sessions, step);
    const { rssMiB, cpuMs } = processOf(speaker.pid);
    return {
      name,
      milliseconds,
      updates: (await this.#updates(speaker.sessions)) - updates,
      rssMiB,
      cpuMs: cpuMs - before.cpuMs,
    };
  }

  /** UPDATEs that FRR has read. */
  async #updates(sessions: readonly Session[]): Promise<number> {
    type Neighbors = Record<string, { messageStats?: { updatesRecv: number } }>;
    const all = (await this.#vty?.json<Neighbors>("show bgp neighbors json")) ?? {};
    return sessions.reduce(
      (sum, { device }) => sum + (all[device.address]?.messageStats?.updatesRecv ?? 0),
      0,
    );
  }

  /** One prefix more beside 10,000 at 4 peers: from the order until the last peer's UPDATE is on the wire. */
  async addOne(speaker: BenchSpeaker): Promise<Figure> {
    const base = 10_000;
    await this.#timed(speaker, speaker.sessions, { order: () => speaker.announce(base), count: base });
    const capture = await Capture.start(this.topology.device, "eth0", join(directory, "capture.pcap"));
    const orders: number[] = [];
    for (let more = 1; more <= ADD_ONE_ROUNDS; more += 1) {
      orders.push((performance.timeOrigin + performance.now()) / 1_000);
      await this.#timed(speaker, speaker.sessions, {
        order: () => speaker.announce(base + more),
        count: base + more,
      });
    }
    const messages = (await capture.stop()).filter(
      ({ type, from }) => type === UPDATE && speaker.sessions.some(({ device }) => device.address === from),
    );
    await this.#timed(speaker, speaker.sessions, { order: () => speaker.withdraw(base), count: 0 });
    const latest = orders.map((order, at) => {
      const mine = messages.filter(
        (message) => message.at >= order && message.at < (orders[at + 1] ?? Number.POSITIVE_INFINITY),
      );
      return {
        milliseconds: Math.max(...mine.map((message) => (message.at - order) * 1_000)),
        updates: mine.length,
      };
    });
    const name = `add-one-to-${base}-prefixes-${speaker.sessions.length}-peers-${speaker.name}`;
    const milliseconds = Math.max(...latest.map((one) => one.milliseconds));
    return {
      name,
      milliseconds,
      updates: Math.max(...latest.map(({ updates }) => updates)),
      bar: "<= 50 ms, one UPDATE for each peer",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const speaker of this.speakers) await speaker.stop();
    this.#vty?.[Symbol.dispose]();
    await this.#frr?.stop();
    this.topology[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  }
}

/** The round in the middle. */
function median(figures: readonly Figure[]): Figure {
  const ordered = [...figures].sort((a, b) => a.milliseconds - b.milliseconds);
  const middle = ordered[Math.floor(ordered.length / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** Each speaker's figure against GoBGP's of the same work, without the program that gives GoBGP its order. */
function compared(figures: readonly Figure[]): Figure[] {
  return figures.map((figure) => {
    const against = figure.name.replace(/(genkan|exabgp)$/, "gobgp");
    const other = figures.find(({ name }) => name === against);
    if (other === undefined || other === figure) return figure;
    const net = other.milliseconds - (other.orderMs ?? 0);
    return { ...figure, ratio: Math.round((figure.milliseconds / net) * 100) / 100, against };
  });
}

function table(figures: readonly Figure[]): string {
  const head =
    "| work | ms | of it the order | UPDATEs | RSS MiB | CPU ms | ratio to GoBGP | bar |\n|---|---|---|---|---|---|---|---|\n";
  const rows = figures.map(
    ({ name, milliseconds, orderMs, updates = "", rssMiB, cpuMs, ratio = "", bar = "" }) => {
      const memory = rssMiB === undefined ? "" : rounded(rssMiB);
      return `| ${name} | ${rounded(milliseconds)} | ${orderMs === undefined ? "" : rounded(orderMs)} | ${updates} | ${memory} | ${cpuMs ?? ""} | ${ratio} | ${bar} |`;
    },
  );
  return `${head}${rows.join("\n")}\n`;
}

type Note = (figure: Figure) => void;

const progress = (text: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
};

/** Rounds in turns. */
async function measure(
  names: readonly Name[],
  { peers, counts }: { peers: number; counts: readonly number[] },
  note: Note,
): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  await using bench = new Bench();
  await bench.start(names, peers);
  progress(`${names.join(", ")}: sessions are established, ${peers} each`);
  // Once unmeasured.
  for (const speaker of bench.speakers) await bench.round(speaker, 100);
  for (const count of counts) {
    for (let round = 0; round < ROUNDS; round += 1) {
      progress(`${count} prefixes, round ${round + 1}`);
      for (const speaker of bench.speakers)
        for (const figure of await bench.round(speaker, count)) note(figure);
    }
  }
  const ours = bench.speakers.find(({ name }) => name === "genkan");
  if (peers > 1 && ours !== undefined) note(await bench.addOne(ours));
}

async function measureAll(names: readonly Name[]): Promise<Figure[]> {
  const rounds = new Map<string, Figure[]>();
  const note: Note = (figure) => {
    rounds.set(figure.name, [...(rounds.get(figure.name) ?? []), figure]);
  };
  await measure(names, { peers: 1, counts: COUNTS }, note);
  await measure(
    names.filter((name) => name !== "exabgp"),
    { peers: 4, counts: [10_000] },
    note,
  );
  return [...rounds.values()].map(median);
}

const BARS: Readonly<Record<string, string>> = {
  "advertise-3000-prefixes-genkan": "ratio <= 2",
  "advertise-10000-prefixes-4-peers-genkan": "<= 2,000 ms",
};
const figures = compared(await measureAll(NAMES)).map((figure) => ({
  ...figure,
  ...(BARS[figure.name] !== undefined && { bar: BARS[figure.name] ?? "" }),
}));
for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
process.stdout.write(`\n${table(figures)}`);
const text = `# BGP: time until FRR has the prefixes

\`make bench-bgp\`, ${new Date().toISOString().slice(0, 10)}; median of ${ROUNDS} rounds, speakers in turns; ${cpus().length} cores (${cpus()[0]?.model ?? "?"}), kernel ${readFileSync("/proc/sys/kernel/osrelease", "utf8").trim()}, Node ${process.versions.node}, FRR 8.4.4, GoBGP 3.10.0, ExaBGP 4.2.21.
From the order to the speaker until FRR's own count has them all; sessions were established before. UPDATEs are those that FRR counted, of one peer or of all four. GoBGP gets its order to advertise by a program of its own, whose time is in its figure; the ratios leave it out. It withdraws when the session ends that the prefixes came by.

${table(figures)}`;
const results = new URL("../../docs/results/", import.meta.url);
mkdirSync(results, { recursive: true });
writeFileSync(new URL("bgp.md", results), text);
