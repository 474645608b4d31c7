/** docs/results/failover.md and its picture: what `make bench-failover` measured. */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, release } from "node:os";
import { FONTS, type Line, type Scene, type Shape, type Words } from "#hack/pictures/scene.ts";
import { svgOf } from "#hack/pictures/svg.ts";

export interface Row {
  readonly program: string;
  readonly benchmark: string;
  readonly figures: Readonly<Record<string, unknown>>;
  /** The machine's load average then. */
  readonly load: number;
}

interface About {
  readonly runs: number;
  /** Of each of the others. */
  readonly peerRuns: number;
  readonly keepalived: string | undefined;
  readonly date: Date;
  readonly machine: string;
}

const RESULTS = new URL("../../docs/results/", import.meta.url);

export async function keepResults(
  rows: readonly Row[],
  about: Pick<About, "runs" | "peerRuns" | "keepalived">,
): Promise<void> {
  const machine = `${availableParallelism()} processors (${cpus()[0]?.model ?? "unknown"}), Linux ${release()}, Node ${process.versions.node}`;
  await writeFile(new URL("failover.svg", RESULTS), svgOf(sceneOf(rows), "test/bench/failover-page.ts"));
  await writeFile(new URL("failover.md", RESULTS), page(rows, { ...about, date: new Date(), machine }));
}

const labelOf = ({ program, figures }: Row): string =>
  figures.setting === undefined ? program : `${program}, ${figures.setting}`;

/** Pure. */
export function page(rows: readonly Row[], { runs, peerRuns, keepalived, date, machine }: About): string {
  const lines = rows.map((row) => {
    const { times_ms: _, setting: __, ...figures } = row.figures;
    const said = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
    return `| ${row.benchmark} | ${labelOf(row)} | ${said.join(", ")} | ${row.load} |`;
  });
  return `# Takeovers in layer 2

\`make bench-failover\`, ${date.toISOString().slice(0, 10)}: ${machine}. ${runs} runs of each kind, ${peerRuns} of each other program.
keepalived: ${keepalived ?? "not installed"}, on three hosts of the same segment, asked by the same client in the same run.
MetalLB: its own speaker, built from its Go module, on three more hosts, with memberlist and the same API server.
kube-vip: built from its Go module, on three more hosts, one leader for all Services by a Lease of the same API server.

A client asks every 10 ms who has the address (ARP or NDP). *first-answer* is the time from the cut until another station
than the former owner answers. The cable of the owner is pulled at the bridge; a process is ended by SIGKILL. *two-answer* is
the longest time in which two stations answered after the former owner's cable was back. *planned-move*: questions without an
answer while a speaker was ended by SIGTERM. The load is the machine's load average of the last minute; whoever else worked
on it is in it. *last-failure* is the time from the cut until the last request was sent that failed, of one each 20 ms on a connection
of its own, by the whole way of a packet.

![Time from the cut to the first answer of another station, one dot a run](failover.svg)

| benchmark | program | figures | load |
|---|---|---|---|
${lines.join("\n")}
`;
}

const LEFT = 290;
const WIDTH = 920;
const ROW = 36;
const TOP = 44;
const RIGHT = 24;
const DOT = 6;

/** A row for each program and kind, a dot for each run. Pure. */
export function sceneOf(rows: readonly Row[]): Scene {
  const shown = rows.flatMap((row) =>
    Array.isArray(row.figures.times_ms) ? [{ row, times: row.figures.times_ms as readonly number[] }] : [],
  );
  const most = Math.max(1_000, ...shown.flatMap(({ times }) => times));
  const end = Math.ceil(most / 1_000) * 1_000;
  const xOf = (ms: number): number => LEFT + (ms / end) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + shown.length * ROW;
  const shapes: Shape[] = [];
  const words: Words[] = [];
  const lines: Line[] = [];
  for (let ms = 0; ms <= end; ms += 1_000) {
    const points = [
      { x: xOf(ms), y: TOP - 6 },
      { x: xOf(ms), y: bottom },
    ];
    lines.push({ points, tone: "plain", isDashed: true, isArrow: false });
    words.push({
      x: xOf(ms),
      y: TOP - 26,
      lines: [`${ms / 1_000} s`],
      font: FONTS.text,
      anchor: "middle",
      tone: "muted",
    });
  }
  for (const [at, { row, times }] of shown.entries()) {
    const y = TOP + at * ROW;
    const kind = row.benchmark.replace("-first-answer", "");
    const text = [labelOf(row), kind];
    words.push({ x: 12, y, lines: text, font: FONTS.step, anchor: "start" });
    const tone = row.program === "genkan" ? "ours" : "packet";
    for (const ms of times)
      shapes.push({ x: xOf(ms) - DOT / 2, y: y + ROW / 2 - DOT, width: DOT, height: DOT, tone, kind: "dot" });
  }
  return {
    title: "Takeovers",
    description: "Time from the cut of the owner to the first answer of another station; one dot is one run.",
    width: WIDTH,
    height: bottom + 16,
    ...{ shapes, lines, words },
  };
}
