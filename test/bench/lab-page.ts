/** The page that `make bench-lab` keeps: medians, with the least and the most. Pure. */

/** A figure by the row that it belongs to; NaN where it failed. */
export type Figures = Readonly<Partial<Record<keyof typeof ROWS, number>>>;

/** Name of a figure -> what it says, and its unit. */
export const ROWS = {
  boot: ["boot, one command, stop", "s"],
  forwarding: ["test/dataplane/forwarding.test.ts", "s"],
  lab: ["lab of 3 nodes Ready", "s"],
  demo: ["`make demo`, everything built", "s"],
  idle: ["the guest after it, with Genkan, nothing asked of it", "% of a processor"],
  compute: ["a turn of a loop in C", "ns"],
  node: ["a turn of a loop in Node", "ns"],
  syscall: ["a system call", "ns"],
  exec: ["fork and exec", "ms"],
} as const satisfies Record<string, readonly [what: string, unit: string]>;

export interface Circumstances {
  readonly began: Date;
  readonly kernel: string;
  readonly model: string;
  readonly processors: number;
  readonly rounds: number;
  readonly loads: readonly string[];
}

export function page(columns: ReadonlyMap<string, readonly Figures[]>, about: Circumstances): string {
  const names = [...columns.keys()];
  const lines = Object.entries(ROWS).map(([key, [what, unit]]) => {
    const cells = names.map((name) => cell(valuesOf(columns.get(name) ?? [], key as keyof typeof ROWS)));
    return `| ${what} | ${unit} | ${cells.join(" | ")} |`;
  });
  return `# What the lab's kernels cost

\`make bench-lab\`, ${about.began.toISOString().slice(0, 10)}: ${about.processors} processors (${about.model}), Linux ${about.kernel},
${about.rounds} rounds, medians with the least and the most. While it ran:
${about.loads.map((load, index) => `- round ${index + 1}: ${load}`).join("\n")}

| | unit | ${names.join(" | ")} |
|---|---|${names.map(() => "---|").join("")}
${lines.join("\n")}
`;
}

function valuesOf(rows: readonly Figures[], key: keyof typeof ROWS): number[] {
  return rows.flatMap((row) => row[key] ?? []);
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const good = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const failed = values.length - good.length;
  const said = failed === 0 ? "" : `failed ${failed} of ${values.length}`;
  const middle = good[Math.floor(good.length / 2)];
  if (middle === undefined) return said;
  const range = good.length < 2 ? "" : ` (${rounded(good[0] ?? middle)}-${rounded(good.at(-1) ?? middle)})`;
  return `${rounded(middle)}${range}${said === "" ? "" : `, ${said}`}`;
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
