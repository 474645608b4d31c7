/** What is made of the answers that a client of the failover benchmark got. Pure. */
import type { Answer } from "../layer2/asker.ts";

/** So often the client asks, milliseconds. */
const ASKED_EVERY_MS = 10;
/** An answer that comes so late was answered all the same: the client itself does not always run. */
const LATE_MS = 50;

export function spread(times: readonly number[]): {
  p50_ms: number;
  p99_ms: number;
  most_ms: number;
  runs: number;
  times_ms: number[];
} {
  const sorted = times.map(Math.round).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    most_ms: sorted.at(-1) ?? 0,
    runs: sorted.length,
    times_ms: sorted,
  };
}

/** For how long two stations answered, milliseconds: from the first answer of the later one to the last of the other. */
export function overlapIn(answers: readonly Pick<Answer, "hardware" | "at">[]): number {
  const byStation = Map.groupBy(answers, ({ hardware }) => hardware);
  const spans = [...byStation.values()].map((own) => {
    const times = own.map(({ at }) => at);
    return { from: Math.min(...times), to: Math.max(...times) };
  });
  let longest = 0;
  for (const [at, one] of spans.entries())
    for (const other of spans.slice(at + 1))
      longest = Math.max(longest, Math.min(one.to, other.to) - Math.max(one.from, other.from));
  return Math.round(longest);
}

/** Questions that nobody answered, of all between the first answer and the last one. */
export function lostIn(answers: readonly Pick<Answer, "at">[]): { lost: number; of: number } {
  const times = answers.map(({ at }) => at).sort((a, b) => a - b);
  const [begin = 0, end = 0] = [times[0], times.at(-1)];
  let lost = 0;
  for (const [index, at] of times.entries()) {
    const gap = at - (times[index - 1] ?? at);
    if (gap > LATE_MS) lost += Math.round(gap / ASKED_EVERY_MS) - 1;
  }
  return { lost, of: Math.round((end - begin) / ASKED_EVERY_MS) };
}
