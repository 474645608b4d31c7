/** Which links are back: they were down at one look, and are up at the next one. Pure. */
import type { NodeLink } from "./node-links.ts";

export class ReturnedLinks {
  /** Indices. */
  #down: ReadonlySet<number> = new Set();

  /** The node's links now, after one of them changed. Returns those that are back. */
  see(links: readonly NodeLink[]): NodeLink[] {
    const back = links.filter(({ index, isUp }) => isUp && this.#down.has(index));
    this.#down = new Set(links.filter(({ isUp }) => !isUp).map(({ index }) => index));
    return back;
  }
}
