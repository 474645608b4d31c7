/** A reporter for Node's runner: which files took longest, one line at the end. */

interface TestEvent {
  readonly type: string;
  readonly data?: { readonly file?: string; readonly duration_ms?: number };
}

const NAMED = 8;

/** The runner looks for a default export. */
// biome-ignore lint/style/noDefaultExport: see above
export default async function* slowest(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const took = new Map<string, number>();
  for await (const { type, data } of events) {
    // There is one summary for each file, and one of all without a file.
    if (type !== "test:summary" || data?.file === undefined) continue;
    took.set(data.file, data.duration_ms ?? 0);
  }
  yield lineOf(took, process.cwd());
}

/** Pure. */
export function lineOf(took: ReadonlyMap<string, number>, root: string): string {
  const first = [...took].sort(([, a], [, b]) => b - a).slice(0, NAMED);
  if (first.length === 0) return "";
  const words = first.map(([file, ms]) => `${file.replace(`${root}/`, "")} ${(ms / 1000).toFixed(1)} s`);
  return `slowest of ${took.size} files: ${words.join(", ")}\n`;
}
