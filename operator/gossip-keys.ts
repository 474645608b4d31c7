/**
 * The keys by which speakers gossip, and their turn: a new one is read by all for a while before it is written with, and
 * the old one is read for a while after. Each line of the Secret is a key and when it was made; the first line writes. Pure.
 */
import type { Random } from "#common/random.ts";

const HOUR_MS = 3_600_000;
/** From one key to the next. */
export const ROTATE_MS = 30 * 24 * HOUR_MS;
/** All speakers that reach the API server have heard of a change by then. */
export const SETTLE_MS = HOUR_MS;
const KEY_OCTETS = 32;
/** A turn needs two, and speakers read eight at most: whoever wrote more into the Secret is corrected. */
const MOST_KEYS = 4;

interface Key {
  readonly text: string;
  readonly madeAt: number;
}

/**
 * The keys from one pass to the next. Until a write is seen in the Secret, later passes go on with what it was to hold:
 * a new key for each of them would give speakers another one each time.
 */
export class GossipKeys {
  #seen: string | undefined;
  #keys: string | undefined;

  /** The lines to be stored, and whether they are new. `stored`: of the Secret, where there is one. */
  next(
    stored: string | undefined,
    now: Date,
    random: Pick<Random, "bytes">,
  ): { keys: string; isNew: boolean } {
    const before = stored === undefined || stored === this.#seen ? this.#keys : stored;
    const keys = nextKeys(before, now, random);
    this.#seen = stored ?? this.#seen;
    this.#keys = keys;
    return { keys, isNew: keys !== before };
  }
}

/** The lines to be stored; the same text while nothing is due. */
export function nextKeys(present: string | undefined, now: Date, random: Pick<Random, "bytes">): string {
  const keys = parse(present ?? "", now.getTime()).sort((a, b) => b.madeAt - a.madeAt);
  const [newest] = keys;
  if (newest === undefined || now.getTime() - newest.madeAt >= ROTATE_MS)
    keys.unshift({ text: Buffer.from(random.bytes(KEY_OCTETS)).toString("base64"), madeAt: now.getTime() });
  const isSettled = ({ madeAt }: Key): boolean => now.getTime() - madeAt >= SETTLE_MS;
  // The newest one that all have; where none has settled, the oldest.
  const writer = keys.find(isSettled) ?? keys.at(-1);
  const isReplaced = writer !== undefined && now.getTime() - writer.madeAt >= 2 * SETTLE_MS;
  const others = keys.filter((key) => key !== writer && !(isReplaced && key.madeAt < writer.madeAt));
  const kept = [...(writer === undefined ? [] : [writer]), ...others].slice(0, MOST_KEYS);
  return kept.map(({ text, madeAt }) => `${text} ${new Date(madeAt).toISOString()}\n`).join("");
}

/** What is no key, or of the future, is left out. */
function parse(text: string, now: number): Key[] {
  return text.split("\n").flatMap((line) => {
    const [key = "", at = ""] = line.split(" ");
    const madeAt = Date.parse(at);
    const isKey = Buffer.from(key, "base64").length === KEY_OCTETS && madeAt <= now;
    return isKey ? [{ text: key, madeAt }] : [];
  });
}
