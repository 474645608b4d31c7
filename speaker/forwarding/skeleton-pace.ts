/**
 * When the skeleton is looked at. To look takes some forty system calls, and where many Services change, a pass comes
 * for each change: such a pass leaves it to one that is not long ago, if nothing is asked of the skeleton that was not then.
 */
import { isDeepStrictEqual } from "node:util";
import type { SkeletonInput } from "#speaker/forwarding/kernel.ts";

/** Passes without a change come every 3 s, and look at it. */
const LOOKED_AT_EVERY_MS = 2_000;

/** What it depends on. */
export type SkeletonNeeds = Omit<SkeletonInput, "now" | "admitting" | "fill">;

interface Look {
  readonly at: number;
  /** Of nftables: another one means that somebody else has changed it. */
  readonly epoch: number;
  readonly needs: SkeletonNeeds;
}

export class SkeletonPace {
  #last: Look | undefined;

  /** `isForChange`: a Service changed, which is why the pass came. `epoch` is asked for only where it matters. */
  isDue({ at, needs }: Omit<Look, "epoch">, isForChange: boolean, epoch: () => number): boolean {
    const last = this.#last;
    if (last === undefined || !isForChange || at >= last.at + LOOKED_AT_EVERY_MS) return true;
    return epoch() !== last.epoch || !isDeepStrictEqual(needs, last.needs);
  }

  /** It was looked at, and nothing of it failed. */
  looked(look: Look): void {
    this.#last = look;
  }

  /** Something failed: the next pass looks at it, whatever it came for. */
  forget(): void {
    this.#last = undefined;
  }
}
