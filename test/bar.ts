/**
 * Times that tests hold a measurement to. A starved machine's times say nothing: there the bar is told to be missed, and
 * what is still asked for is that it happens within a few times of it.
 */
import assert from "node:assert/strict";
import { describeLoad, isStarved, type Load, loadSince, readLoad } from "#hack/common/load.ts";

export interface BarOptions {
  /** Told of a bar that a starved machine missed; standard error if not given. */
  readonly tell?: (line: string) => void;
  /** Begins to watch the load; what it resolves to says in words how starved the machine was since, or undefined. */
  readonly watch?: () => Promise<() => Promise<string | undefined>>;
}

/** So many times the bar on a starved machine. */
export const STARVED_TIMES = 10;

/** Begins to watch the machine: call it before what is measured. */
export async function watchBars({
  tell = console.error,
  watch = () => watchLoad(),
}: BarOptions = {}): Promise<Bars> {
  return new Bars(await watch(), tell);
}

export class Bars {
  readonly #starvation: () => Promise<string | undefined>;
  readonly #tell: (line: string) => void;

  constructor(starvation: () => Promise<string | undefined>, tell: (line: string) => void) {
    this.#starvation = starvation;
    this.#tell = tell;
  }

  /** Throws unless `tookMs` is at most `barMs`. `what` reads before "took": `await bars.hold("the fall", 180, 200)`. */
  async hold(what: string, tookMs: number, barMs: number): Promise<void> {
    if (tookMs <= barMs) return;
    const words = `${what} took ${tookMs.toFixed(1)} ms, ${barMs} ms at most`;
    const starvation = await this.#starvation();
    assert.ok(starvation !== undefined && tookMs <= barMs * STARVED_TIMES, words);
    this.#tell(`${words}: not judged, ${starvation}`);
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
