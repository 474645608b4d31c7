/**
 * Whether somebody set the clock: how much the wall clock has moved against the one that only goes on. Leases, timers
 * and sessions here go by the latter. Certificates, tokens and the times that people read go by the former. Pure.
 */
import type { Trouble } from "#speaker/apply.ts";

/** What NTP puts right by and by moves less than this between two looks. */
const JUMP_MS = 1_500;
/** It is named for so long: what it broke shows later. */
const NAMED_MS = 300_000;

export class WallClock {
  #ahead: number | undefined;
  #jump: { readonly byMs: number; readonly at: number } | undefined;

  /** `wall` and `now`: milliseconds of the one clock and of the other, read together. */
  see(wall: number, now: number): Trouble<"ClockJumped"> | undefined {
    const ahead = wall - now;
    const byMs = ahead - (this.#ahead ?? ahead);
    this.#ahead = ahead;
    if (Math.abs(byMs) >= JUMP_MS) this.#jump = { byMs, at: now };
    if (this.#jump !== undefined && now - this.#jump.at >= NAMED_MS) this.#jump = undefined;
    return this.#jump && jumpTrouble(this.#jump.byMs);
  }
}

function jumpTrouble(byMs: number): Trouble<"ClockJumped"> {
  const direction = byMs > 0 ? "forward" : "back";
  const seconds = Math.round(Math.abs(byMs) / 1_000);
  return {
    reason: "ClockJumped",
    message: `the node's clock was set ${direction} by ${seconds} s, or the machine stood still: certificates, tokens and times in status may be judged wrongly`,
  };
}
