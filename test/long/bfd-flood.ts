/**
 * What forged BFD packets cost: the speaker's process, and the machine beside one where nobody has the port. Sessions
 * of 50 ms x 3 with BIRD stand meanwhile. Writes docs/results/bfd-flood.json; ends with 1 when a session falls or the
 * process takes more than its bar.
 *
 *     node test/long/bfd-flood.ts [packets a second, 100000] [seconds each, 10]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { ensureProgram } from "#hack/guest/cache.ts";
import { output } from "#test/interop/process.ts";
import { Topology } from "#test/network/routers.ts";
import { Device } from "../bfd/bfd-device.ts";
import { dropped } from "../bfd/kernel-drops.ts";
import { addPaths, bfdPeer } from "../bfd/paths.ts";
import { BirdBfd } from "../bfd/peers.ts";

const [rate = "100000", seconds = "10"] = process.argv.slice(2);
/** Of one core, by the speaker's process. */
const BAR = 0.1;
const TICKS_PER_SECOND = 100;
/** Where a packet cannot be judged by its own address: one that no session has. */
const KINDS = [
  { what: "from farther away (TTL 64)", ttl: 64, discriminator: 0 },
  { what: "from one hop away, of no session (TTL 255)", ttl: 255, discriminator: 305_419_896 },
] as const;

interface Cost {
  readonly packetsPerSecond: number;
  /** Of one core. */
  readonly speaker: number;
  /** Of one core: all that is done on the machine, the sender's work, too. */
  readonly machine: number;
}

/** Seconds of processor time that a process has taken (proc(5): utime and stime). */
function taken(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Of all processors, but idle and waiting for disks. */
function busy(): number {
  const [, ...numbers] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").trim().split(/\s+/);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = numbers.map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

async function measured(pid: number | undefined, work: () => Promise<number>): Promise<Cost> {
  const [startedAt, speaker, machine] = [performance.now(), taken(pid), busy()];
  const packets = await work();
  const passed = (performance.now() - startedAt) / 1_000;
  const round = (value: number): number => Math.round(value * 1_000) / 1_000;
  return {
    packetsPerSecond: Math.round(packets / passed),
    speaker: round((taken(pid) - speaker) / passed),
    machine: round((busy() - machine) / passed),
  };
}

const program = await ensureProgram(fileURLToPath(new URL("./bfd-flood.c", import.meta.url)), "bfd-flood");
const topology = new Topology("gkbfl");
await using stopping = new AsyncDisposableStack();
stopping.defer(() => topology[Symbol.dispose]());
const paths = Object.values(await addPaths(topology, "bird"));
const sender = topology.namespaceOf("bird");
const target = paths.find(({ key }) => key === "singleIPv4")?.device ?? "";

const flood = ({ ttl, discriminator }: (typeof KINDS)[number]): Promise<number> =>
  output(
    sender,
    ...(["nice", "-n", "-10", program, target, "3784", `${ttl}`, seconds, rate, `${discriminator}`] as const),
  ).then(Number);
const rest = async (): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
  return 0;
};

const without: Record<string, Cost> = { nothing: await measured(undefined, rest) };
for (const kind of KINDS) without[kind.what] = await measured(undefined, () => flood(kind));

const bird = new BirdBfd(
  sender,
  paths.map(({ device, peer, isMultihop }) => ({ address: device, localAddress: peer, isMultihop })),
  50,
);
stopping.defer(() => bird.stop());
const device = new Device({ namespace: topology.device });
stopping.defer(() => device.stop());
device.reconcile(paths.map((path) => bfdPeer(path)));
await device.reach(
  paths.map(({ key }) => key),
  "Up",
);
// What a process computes once, when it begins, is not measured.
await rest();
const before = device.changes.length;
const withSpeaker: Record<string, Cost> = { nothing: await measured(device.pid, rest) };
for (const kind of KINDS) withSpeaker[kind.what] = await measured(device.pid, () => flood(kind));

const changes = device.changes.slice(before);
const worst = Math.max(...KINDS.map(({ what }) => withSpeaker[what]?.speaker ?? Number.POSITIVE_INFINITY));
const document = {
  what: `forged packets to UDP 3784 beside ${paths.length} sessions of 50 ms x 3 with BIRD; processor time in cores. machine: of everything on it, the sender and other programs too`,
  withoutSpeaker: without,
  withSpeaker,
  droppedByTheKernel: await dropped(topology.device),
  changesOfSessions: changes.length,
  bar: { speaker: BAR },
  date: new Date().toISOString().slice(0, 10),
  machine: { node: process.version, kernel: release(), cores: cpus().length },
};
const text = `${JSON.stringify(document, null, 2)}\n`;
process.stdout.write(text);
const directory = new URL("../../docs/results/", import.meta.url).pathname;
mkdirSync(directory, { recursive: true });
writeFileSync(`${directory}bfd-flood.json`, text);
process.exitCode = changes.length === 0 && worst <= BAR ? 0 : 1;
