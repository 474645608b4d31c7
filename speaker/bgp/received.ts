/** What a peer has told: counted, so that it can be bounded and shown, and used for nothing. */
import type { Update } from "./wire/update.ts";

export class Received {
  readonly #prefixes = new Set<string>();

  get size(): number {
    return this.#prefixes.size;
  }

  /** The number of prefixes after it. */
  apply({ withdrawn, announced }: Pick<Update, "withdrawn" | "announced">): number {
    for (const { prefixes } of withdrawn) for (const prefix of prefixes) this.#prefixes.delete(prefix);
    for (const { prefixes } of announced) for (const prefix of prefixes) this.#prefixes.add(prefix);
    return this.#prefixes.size;
  }
}
