/** What the benchmarks print: one JSON object a line among other words. */

export type Value = string | number | boolean | null;

export interface Figure {
  /** Unique in its benchmark. */
  readonly name: string;
  /** Everything else that was printed, its unit in the key: `p99_ms`, `mib`, `lost`. */
  readonly values: Readonly<Record<string, Value>>;
}

interface Measured {
  readonly key: string;
  readonly value: number;
}

/** A figure and the bar that it is held to, in the figure's own unit. */
export interface Judged extends Measured {
  readonly bar: number;
  /** What has to be the smaller one, as a part of the larger one: 1 is just met. */
  readonly part: number;
}

/**
 * The figures in what a benchmark printed. Lines that are no JSON objects, or that have no name, are for people; of two
 * figures with one name the last counts. Values that are lists or objects are left out.
 */
export function readFigures(output: string): Figure[] {
  const figures = new Map<string, Figure>();
  for (const line of output.split("\n")) {
    const object = objectOf(line);
    const figure = object && figureOf(object);
    if (figure !== undefined) figures.set(figure.name, figure);
  }
  return [...figures.values()];
}

function objectOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function figureOf({
  name,
  benchmark,
  program,
  ...rest
}: Readonly<Record<string, unknown>>): Figure | undefined {
  const words = [program, name ?? benchmark].filter((word) => typeof word === "string");
  if (typeof (name ?? benchmark) !== "string") return undefined;
  const values = Object.entries(rest).filter((entry): entry is [string, Value] => isValue(entry[1]));
  // Kernels stand beside each other under one name.
  const kernel = typeof rest.kernel === "string" ? ` (${rest.kernel})` : "";
  return { name: `${words.join(" ")}${kernel}`, values: Object.fromEntries(values) };
}

function isValue(value: unknown): value is Value {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** What a bar may be about, the first that a figure has. */
const JUDGED = [
  "ratio",
  "p99_ms",
  "most_ms",
  "max_ms",
  "mib",
  "milliseconds",
  "ms",
  "lost",
  "moves",
] as const;

function measured(values: Figure["values"], keys: readonly string[]): Measured | undefined {
  for (const key of keys) {
    const value = values[key];
    if (typeof value === "number") return { key, value };
  }
  return undefined;
}

/** Undefined where there is no bar, or where it is a sentence. */
export function judgedOf({ values }: Figure): Judged | undefined {
  const { bar } = values;
  const found = measured(values, JUDGED);
  if (typeof bar !== "number" || found === undefined) return undefined;
  return { ...found, bar, part: partOf(found.value, bar, values.bar_is_least === true) };
}

function partOf(value: number, bar: number, isLeast: boolean): number {
  const [smaller, larger] = isLeast ? [bar, value] : [value, bar];
  return smaller === larger ? 1 : smaller / larger;
}

/** What two runs are compared by: what a bar would be about, or the first number. */
export function mainOf({ values }: Figure): Measured | undefined {
  return measured(values, [...JUDGED, ...Object.keys(values)]);
}
