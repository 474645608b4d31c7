/** Whether a counter of the kernel, of packets that it drops, goes on growing. Pure. */

/** So many looks in a row without any end it. */
const QUIET = 15;

export class Drops {
  readonly #grown: number;
  #count: number | undefined;
  #grownInARow = 0;
  #quiet = QUIET;
  #isDropping = false;

  /** `grown`: so many looks in a row have to see it grow. */
  constructor({ grown }: { readonly grown: number }) {
    this.#grown = grown;
  }

  /** What one look at the counter saw; undefined: there is none. Returns whether packets are being dropped. */
  see(count: number | undefined): boolean {
    const before = this.#count;
    this.#count = count;
    const grew = count !== undefined && before !== undefined && count > before;
    this.#grownInARow = grew ? this.#grownInARow + 1 : 0;
    this.#quiet = grew ? 0 : this.#quiet + 1;
    if (this.#grownInARow >= this.#grown) this.#isDropping = true;
    if (this.#quiet >= QUIET) this.#isDropping = false;
    return this.#isDropping;
  }
}
