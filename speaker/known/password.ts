/**
 * A password that cannot be printed by accident: code that logs, describes, compares or reports an object with a
 * password in it gets three stars. Only the code that gives it to the kernel asks for its text (native/tcp-option.ts).
 */
import { createHmac } from "node:crypto";
import { inspect } from "node:util";
import { systemRandom } from "#common/random.ts";

const HIDDEN = "***";
/** A key that only this process has, so that a digest helps nobody to try passwords. */
const KEY = systemRandom.bytes(32);

export class Password {
  readonly #text: string;
  /** The same for the same text, and of no use outside of this process: what isDeepStrictEqual compares. */
  readonly digest: string;

  constructor(text: string) {
    this.#text = text;
    this.digest = createHmac("sha256", KEY).update(text).digest("base64");
  }

  /** The text: for the kernel, and for nothing else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

export function isSamePassword(one: Password | undefined, other: Password | undefined): boolean {
  return one?.digest === other?.digest;
}
