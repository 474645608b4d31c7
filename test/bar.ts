/**
 * Times that tests hold a measurement to. A starved machine's times say nothing: there the bar is told to be missed, and
 * what is still asked for is that it happens within a few times of it. The same goes for what is late by no more than the
 * machine itself stood still.
 */
import assert from "node:assert/strict";
import { describeLoad, isStarved, type Load, loadSince, readLoad } from "#hack/common/load.ts";
import { watchHeld } from "#test/held.ts";

export interface BarOptions {
  /** Told of a bar that a starved machine missed; standard error if not given. */
  readonly tell?: (line: string) => void;
  /** Begins to watch the load; what it resolves to says in words how starved the machine was since, or undefined. */
  readonly watch?: () => Promise<() => Promise<string | undefined>>;
  /** Begins to watch for how long the machine stands still; what it resolves to gives milliseconds. */
  readonly watchStill?: () => Promise<() => number>;
}

/** So many times the bar on a starved machine. */
export const STARVED_TIMES = 10;

/** Begins to watch the machine: call it before what is measured. */
export async function watchBars({
  tell = console.error,
  watch = () => watchLoad(),
  watchStill = watchHeld,
}: BarOptions = {}): Promise<Bars> {
  const heldMs = await watchStill();
  return new Bars({ starvation: await watch(), heldMs, tell });
}

interface Watched {
  readonly starvation: () => Promise<string | undefined>;
  readonly heldMs: () => number;
  readonly tell: (line: string) => void;
}

export class Bars {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Throws unless `tookMs` is at most `barMs`. `what` reads before "took": `await bars.hold("the fall", 180, 200)`. */
  async hold(what: string, tookMs: number, barMs: number): Promise<void> {
    if (tookMs <= barMs) return;
    const words = `${what} took ${tookMs.toFixed(1)} ms, ${barMs} ms at most`;
    const { starvation, heldMs, tell } = this.#watched;
    const held = heldMs();
    const stood = tookMs <= barMs + held ? `the machine stood still for ${held.toFixed(1)} ms` : undefined;
    const excuse = (await starvation()) ?? stood;
    assert.ok(excuse !== undefined && tookMs <= barMs * STARVED_TIMES, words);
    tell(`${words}: not judged, ${excuse}`);
  }
}

/** Begins to watch the load; the answer is in words how it was since, where it was `tooMuch`. */
export async function watchLoad(
  tooMuch: (load: Load) => boolean = isStarved,
): Promise<() => Promise<string | undefined>> {
  const before = await readLoad();
  return async () => {
    const load = await loadSince(before);
    return tooMuch(load) ? describeLoad(load) : undefined;
  };
}
