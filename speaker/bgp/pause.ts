/**
 * How long a session waits in Idle before it tries again (RFC 4271 section 8.1.1, DampPeerOscillations and IdleHoldTime).
 * Pure. An attempt that fails waits for a router that may come back at any moment: such pauses stay short. A session
 * that dies soon after it was established costs the router and the network routes each time: those pauses grow far.
 */
import type { Machine } from "./machine.ts";

/** Milliseconds: the first pause, and the longest; each one is twice the one before. */
export interface Pauses {
  readonly base: number;
  readonly cap: number;
}

export interface PauseSettings {
  /** After attempts that fail. */
  readonly idleHoldTimeMs: Pauses;
  /** After sessions that were established and did not last for `stableTimeMs`. */
  readonly dampedHoldTimeMs: Pauses;
  /** After sessions that a limit of the configuration has ended: only a change at the router helps. */
  readonly limitHoldTimeMs: Pauses;
  /** A session that lasts so long makes up for all that died before. */
  readonly stableTimeMs: number;
}

export const IDLE_HOLD_BASE_MS = 1_000;

/** Those of a session whose attempts to connect are so long apart at most. */
export function pauseSettings(connectTimeMs: number): PauseSettings {
  return {
    idleHoldTimeMs: { base: IDLE_HOLD_BASE_MS, cap: Math.max(IDLE_HOLD_BASE_MS, connectTimeMs) },
    dampedHoldTimeMs: { base: IDLE_HOLD_BASE_MS, cap: Math.max(60_000, connectTimeMs) },
    limitHoldTimeMs: { base: 30_000, cap: 3_600_000 },
    stableTimeMs: 60_000,
  };
}

/** From this pause on a router that connects during it is refused: it would bring back what is being damped. */
const REFUSING_MS = 8_000;

export interface Pause {
  readonly ms: number;
  /** Whoever connects before it is over is refused. */
  readonly isDamping: boolean;
}

/** Of the pause number `count`, from 1. */
export function pauseNumber(count: number, { base, cap }: Pauses): number {
  return count <= 0 ? 0 : Math.min(cap, base * 2 ** Math.min(count - 1, 30));
}

/** After the end of a connection; `counts` includes that end. `isLimit`: a limit of the configuration has ended it. */
export function pauseAfter(
  counts: Pick<Machine, "connectRetryCounter" | "oscillations">,
  settings: PauseSettings,
  isLimit: boolean,
): Pause {
  const damped = isLimit ? settings.limitHoldTimeMs : settings.dampedHoldTimeMs;
  const damping = pauseNumber(counts.oscillations, damped);
  return {
    ms: Math.max(pauseNumber(counts.connectRetryCounter, settings.idleHoldTimeMs), damping),
    isDamping: damping >= REFUSING_MS,
  };
}
