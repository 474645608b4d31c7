/**
 * What a thread of the ordinary scheduling class can keep. Measured on two loaded cores: packets leave up to a quarter of
 * a second late, with a tail that makes a false alarm rarer than one in a million hours from 700 ms of allowed lateness
 * on (350 ms x 3). What a node's own thread needs of that is measured (punctuality.ts). Pure.
 */
import { MOST_LATENESS_MS } from "./punctuality.ts";
import type { BfdScheduling, BfdTimers } from "./types.ts";

/** What to do with timers that the thread cannot keep. */
export type FloorPolicy = "raise" | "refuse";

export interface Limited {
  /** Undefined: refused. */
  readonly timers: BfdTimers | undefined;
  readonly problem?: string;
}

/** The least safe interval with a multiplier of at least 2; a multiplier of 1 allows no lateness, and counts as 2. */
const leastInterval = (latenessMs: number, multiplier: number): number =>
  Math.ceil(latenessMs / (Math.max(multiplier, 2) - 1));

/** `latenessMs`: how much later than its interval a packet may come before the session falls. */
export function limitTimers(
  wanted: BfdTimers,
  scheduling: BfdScheduling,
  policy: FloorPolicy,
  latenessMs: number = MOST_LATENESS_MS,
): Limited {
  if (scheduling.class !== "normal") return { timers: wanted };
  const least = leastInterval(latenessMs, wanted.detectMultiplier);
  const intervals = [wanted.receiveIntervalMs, wanted.transmitIntervalMs];
  if (wanted.echoMode) intervals.push(wanted.echoIntervalMs);
  const shortest = Math.min(...intervals);
  if (shortest >= least && wanted.detectMultiplier >= 2) return { timers: wanted };
  const what = `${shortest} ms x ${wanted.detectMultiplier}`;
  const why = `without real-time scheduling (${scheduling.reason})`;
  if (policy === "refuse") {
    return {
      timers: undefined,
      problem: `refused: ${what} cannot be kept ${why}; from ${least} ms on it can`,
    };
  }
  const timers: BfdTimers = {
    ...wanted,
    receiveIntervalMs: Math.max(wanted.receiveIntervalMs, least),
    transmitIntervalMs: Math.max(wanted.transmitIntervalMs, least),
    echoIntervalMs: Math.max(wanted.echoIntervalMs, least),
    detectMultiplier: Math.max(wanted.detectMultiplier, 2),
  };
  return {
    timers,
    problem: `raised: ${what} cannot be kept ${why}; ${least} ms x ${timers.detectMultiplier} is used`,
  };
}
