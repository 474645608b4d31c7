/** Chance as an argument: the only file of the tree that asks for randomness. */
import { randomBytes, randomUUID } from "node:crypto";

export interface Random {
  /** Evenly spread in [0, 1). For jitter, not for secrets. */
  number(): number;
  /** `length` bytes fit for secrets. */
  bytes(length: number): Uint8Array;
  /** A version 4 UUID. */
  uuid(): string;
}

export const systemRandom: Random = {
  number: () => Math.random(),
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};

/** A value evenly spread in [ms * (1 - share), ms * (1 + share)), so that many processes don't act in step. */
export function jittered(ms: number, share: number, random: Pick<Random, "number">): number {
  return ms * (1 - share + 2 * share * random.number());
}

/**
 * Wait before attempt `failures + 1` (`failures` >= 1): doubles from `baseMs` up to `capMs`, then spread over
 * [half, whole] of it.
 */
export function backoff(
  failures: number,
  limits: { readonly baseMs: number; readonly capMs: number },
  random: Pick<Random, "number">,
): number {
  const whole = Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return whole * (0.5 + random.number() / 2);
}
