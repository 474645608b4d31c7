/**
 * What checks of one endpoint have come to: it counts as well until `fall` checks in a row have failed, and then as
 * failing until `rise` in a row have passed. Pure: time is an argument.
 */

export interface CheckSettings {
  /**
   * From the beginning of one check to that of the next, milliseconds. Half of it after one that failed, until it is clear
   * that the endpoint fails.
   */
  readonly intervalMs: number;
  readonly rise: number;
  readonly fall: number;
}

export interface CheckState {
  readonly isFailing: boolean;
  /** Checks in a row that say otherwise than `isFailing`. */
  readonly against: number;
  /** What the last check found, if it failed. */
  readonly why: string | undefined;
  readonly isRunning: boolean;
  /** When the next one begins, at the earliest. */
  readonly dueAt: number;
}

export type CheckEvent =
  | { readonly type: "begun" }
  | { readonly type: "passed" }
  | { readonly type: "failed"; readonly why: string };

/** Who is ready is believed until a check says otherwise. */
export const startCheck = (dueAt: number): CheckState => ({
  isFailing: false,
  against: 0,
  why: undefined,
  isRunning: false,
  dueAt,
});

export function step(
  state: CheckState,
  { intervalMs, rise, fall }: CheckSettings,
  event: CheckEvent,
  now: number,
): CheckState {
  if (event.type === "begun") return { ...state, isRunning: true, dueAt: now + intervalMs };
  const failed = event.type === "failed";
  const why = failed ? event.why : undefined;
  const ended = { ...state, why, isRunning: false };
  if (failed === state.isFailing) return { ...ended, against: 0 };
  const against = state.against + 1;
  // Who is suspected is asked sooner: it gets connections meanwhile.
  if (failed && against < fall) return { ...ended, against, dueAt: state.dueAt - intervalMs / 2 };
  if (against < rise && !failed) return { ...ended, against };
  return { ...ended, isFailing: failed, against: 0 };
}

export const isDue = ({ isRunning, dueAt }: CheckState, now: number): boolean => !isRunning && dueAt <= now;
