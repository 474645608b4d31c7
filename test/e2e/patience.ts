/**
 * How long to wait, and what to hold a measured time to. A bar is judged unless this machine was starved while it was
 * measured, or the nodes run under an emulator; then that is told, and what is still asked for is that it works at all.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeLoad, isStarved, type Load } from "#hack/common/load.ts";
import { layoutOf } from "#hack/lab/layout.ts";
import type { LabState } from "#hack/lab/state.ts";
import { type UntilOptions, until as untilDeadline } from "#test/until.ts";

export const INSTANCE = 9;
/** Deadlines are for what never comes: they may be long. */
const PATIENCE = 3;

export const patiently = (ms: number): number => ms * PATIENCE;

/** An address is answered again within this time after its owner is lost. */
const PROMISED_MS = 10_000;
/** What is waited for it before it counts as lost for good. */
export const LONGEST_OUTAGE_MS = 60_000;

/** As test/until.ts, with that much more patience. */
export function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { deadlineMs = 10_000, ...rest }: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  return untilDeadline(what, look, { ...rest, deadlineMs: patiently(deadlineMs) });
}

export interface Bars {
  /** Milliseconds from the loss of an owner until its address is answered again. */
  readonly promisedMs: number;
  /** How many of so many requests may fail where none should. */
  mayFail(asked: number): number;
  /** Why the bars are lower than promised; undefined when they are not. */
  readonly excuse: string | undefined;
}

/** What to hold a measurement to that was taken under this load. */
export function barsUnder(load: Load): Bars {
  const excuse = isEmulated()
    ? "the nodes run under an emulator"
    : isStarved(load)
      ? describeLoad(load)
      : undefined;
  return excuse === undefined
    ? { promisedMs: PROMISED_MS, mayFail: () => 0, excuse }
    : { promisedMs: LONGEST_OUTAGE_MS, mayFail: (asked) => Math.ceil(asked / 10), excuse };
}

/** True where the lab's guest is qemu's: its state says what runs. */
function isEmulated(): boolean {
  try {
    const state = readFileSync(join(layoutOf(INSTANCE).directory, "state.json"), "utf8");
    return (JSON.parse(state) as Partial<LabState>).kernel?.kind === "qemu";
  } catch {
    // No lab, no emulator.
    return false;
  }
}
