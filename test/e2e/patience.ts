/**
 * How long to wait. Where the nodes run in an emulated kernel, everything takes several times as long, and longer still
 * beside other work on the same cores: there behaviour is tested and its times are shown, but speed is not judged.
 * test/layer2 and test/dataplane hold the times to their bars.
 */
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { type UntilOptions, until as untilDeadline } from "#test/until.ts";

const isEmulated = !hasIpvs();
const FACTOR = isEmulated ? 3 : 1;

export const patiently = (ms: number): number => ms * FACTOR;

/** An address is answered again within this time after its owner is lost: the promise, and what is waited for it. */
export const PROMISED_MS = isEmulated ? 60_000 : 10_000;

/** As test/until.ts, with that much more patience. */
export function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { deadlineMs = 10_000, ...rest }: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  return untilDeadline(what, look, { ...rest, deadlineMs: patiently(deadlineMs) });
}

/**
 * How many of so many requests may fail where none should. An emulated node is at times starved for seconds; its Lease
 * then stands still, others take it for dead, and a request that is under way while they disagree is lost. What breaks
 * more than that one in a hundred is ours.
 */
export const mayFail = (asked: number): number => (isEmulated ? Math.ceil(asked / 100) : 0);
