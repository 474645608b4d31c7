/**
 * How the cost of a speaker's pass grows with Services, endpoints and nodes: one of them at a time, the others as they
 * are. Fakes of kernel, layer 2 and BGP; processor time, so that a busy machine changes little. Prints one JSON object a
 * line, then the table of docs/scale.md.
 */
import { cpuNow, measure, world } from "./plan-world.ts";

interface Size {
  readonly services: number;
  readonly endpoints: number;
  readonly nodes: number;
}

const USUAL: Size = { services: 10_000, endpoints: 10, nodes: 10 };
const SIZES: readonly Size[] = [
  { ...USUAL, services: 1_000 },
  USUAL,
  { ...USUAL, services: 50_000 },
  { ...USUAL, services: 1_000, endpoints: 1 },
  { ...USUAL, services: 1_000, endpoints: 100 },
  { ...USUAL, nodes: 3 },
  { ...USUAL, nodes: 100 },
  { ...USUAL, nodes: 1_000 },
];
const ROUNDS = 15;

interface Growth extends Size {
  /** The first passes, all planned from nothing. */
  readonly start_cpu_ms: number;
  readonly idle_cpu_ms: number;
  readonly slice_cpu_ms: number;
  /** A node dies and comes back: two passes. */
  readonly death_cpu_ms: number;
  /** What the speaker and the record of the API's objects hold. */
  readonly heap_mib: number;
}

const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
const round = (value: number): number => Number(value.toPrecision(3));

function heapMiB(): number {
  global.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function grow(size: Size): Promise<Growth> {
  const heap = heapMiB();
  const cpu = cpuNow();
  const { speaker, change, judge, victim } = await world(size.nodes, {}, size);
  const started = cpuNow() - cpu;
  const idle = await measure(() => () => speaker.pass(), ROUNDS);
  const slice = await measure((at) => {
    change(at);
    return () => speaker.pass();
  }, ROUNDS);
  const death = await measure(
    (at) => async () => {
      judge(victim(at));
      await speaker.pass();
      judge();
      await speaker.pass();
    },
    ROUNDS,
  );
  return {
    ...size,
    start_cpu_ms: round(started),
    idle_cpu_ms: round(median(idle.cpuMs)),
    slice_cpu_ms: round(median(slice.cpuMs)),
    death_cpu_ms: round(median(death.cpuMs)),
    heap_mib: round(heapMiB() - heap),
  };
}

// Once unmeasured: the first passes measure the compiler.
await grow({ ...USUAL, services: 2_000 });
const rows: Growth[] = [];
for (const size of SIZES) {
  const row = await grow(size);
  rows.push(row);
  const name = `growth-${size.services}x${size.endpoints}-${size.nodes}-nodes`;
  process.stdout.write(`${JSON.stringify({ name, ...row })}\n`);
}
process.stdout.write(
  [
    "",
    "| Services | endpoints of each | nodes | start | idle pass | one slice | a death and a return | heap, MiB |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map(
      (row) =>
        `| ${row.services} | ${row.endpoints} | ${row.nodes} | ${row.start_cpu_ms} | ${row.idle_cpu_ms} | ${row.slice_cpu_ms} | ${row.death_cpu_ms} | ${row.heap_mib} |`,
    ),
    "",
  ].join("\n"),
);
