/**
 * When announcements are sent on one link. They are spread, so that a takeover of a thousand addresses neither fills a
 * slow link's queue nor waits for its own repeats. Pure: time and chance are given.
 *
 *   first    the first announcement of an address, one frame: goes before all else
 *   second   its other form (IPv4: some hosts learn from replies only)
 *   repeat   all forms again, GAPS_MS after one another, since a frame may be lost
 *   late     the last of these repeats, slow enough for a link that loses half of the others without a word
 *   urged    once more for an address that another station claims (contest.ts)
 *   probe    the question whether somebody else has an address that was yielded
 *
 * They are sent in this order, so that what strangers can cause comes last. Repeats, urged announcements and probes
 * share a part of the whole rate; late ones have a smaller part.
 * Within a kind, addresses are drawn by lot: where a link or a switch loses the end of every burst, it is not the same
 * addresses that lose each time. An address waits in each kind once at most.
 */
import { Bucket } from "./bucket.ts";
import { Lot } from "./lot.ts";

/** When the repeats of a new address are sent, in milliseconds after the first announcement, if the rates allow. */
export const UNASKED_MS: readonly number[] = [0, 100, 500, 1_100, 2_200, 4_400];

/** Frames a second, of all kinds. A thousand addresses are announced in half a second, with 1.3 Mbit/s. */
export const FRAMES_PER_SECOND = 2_000;
/** Frames a second of repeats, urged words and probes. */
export const MORE_PER_SECOND = 1_000;
/** Frames a second of late repeats. */
export const LATE_PER_SECOND = 250;
/** From this repeat on, repeats are late ones. */
const LATE_ROUND = 3;
/** So many frames are sent at once after a silence. */
export const BURST = 128;
/** Frames of so many milliseconds are sent together, because a timer for each would cost more than the frame. */
const TICK_MS = 5;
/**
 * Pauses after the link had no room: for the first time, for the second time in a row, and so on. The last one repeats.
 */
const PAUSES_MS: readonly number[] = [10, 20, 50, 100];

const GAPS_MS = UNASKED_MS.slice(1).map((ms, at) => ms - (UNASKED_MS[at] ?? 0));

export type Kind = "first" | "second" | "repeat" | "late" | "urged" | "probe";
const KINDS: readonly Kind[] = ["first", "second", "repeat", "late", "urged", "probe"];
/** Kinds that send all forms of an announcement. */
const WHOLE: ReadonlySet<Kind> = new Set<Kind>(["repeat", "late", "urged"]);

/** What is sent about an address, and how many frames it takes. */
export interface Word {
  readonly key: string;
  readonly kind: Kind;
  readonly frames: number;
}

interface Entry {
  readonly key: string;
  /** How many frames all forms take. */
  readonly forms: number;
  /** How many repeats were sent. */
  round: number;
  /** When the next repeat is due, while the address is in `#later`. */
  dueAt: number;
}

export class Pacer {
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #lots: Readonly<Record<Kind, Lot<Entry>>> = {
    first: new Lot(),
    second: new Lot(),
    repeat: new Lot(),
    late: new Lot(),
    urged: new Lot(),
    probe: new Lot(),
  };
  /** By round, and in each in order of time, because all addresses of a round wait equally long. */
  readonly #later = GAPS_MS.map(() => new Set<Entry>());
  readonly #all: Bucket;
  /** Buckets of single kinds, beside the one for all kinds. */
  readonly #part: Partial<Record<Kind, Bucket>>;
  #pausedUntil = 0;
  #pauses = 0;

  /** `random`: evenly spread in [0, 1). */
  constructor(random: () => number, now: number) {
    this.#random = random;
    this.#all = new Bucket({ perSecond: FRAMES_PER_SECOND, burst: BURST }, now);
    const more = new Bucket({ perSecond: MORE_PER_SECOND, burst: BURST }, now);
    const late = new Bucket({ perSecond: LATE_PER_SECOND, burst: BURST }, now);
    this.#part = { repeat: more, urged: more, probe: more, late };
  }

  /** Addresses about which something is still to be sent. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Announces an address at once and then again, from the beginning. `forms` is how many frames all forms take, 1 or 2.
   */
  add(key: string, forms: number): void {
    this.remove(key);
    const entry = this.#entry(key, forms, 0);
    this.#lots.first.add(entry);
    if (forms > 1) this.#lots.second.add(entry);
  }

  /** Sends all forms once more. Does nothing if the first announcement is still to come. */
  urge(key: string, forms: number): void {
    const entry = this.#entry(key, forms, GAPS_MS.length);
    if (!this.#lots.first.has(entry)) this.#lots.urged.add(entry);
  }

  /** Asks who has the address. Announcements that were still to come are dropped. */
  probe(key: string, forms: number): void {
    this.remove(key);
    this.#lots.probe.add(this.#entry(key, forms, GAPS_MS.length));
  }

  /** Nothing more is sent about the address. */
  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    for (const kind of KINDS) this.#lots[kind].delete(entry);
    for (const round of this.#later) round.delete(entry);
  }

  /** What has to be sent now. Call `sent` or `refused` for each. */
  take(now: number): Word[] {
    if (now < this.#pausedUntil) return [];
    this.#mature(now);
    const words: Word[] = [];
    for (const kind of KINDS) {
      const lot = this.#lots[kind];
      const part = this.#part[kind];
      for (;;) {
        const entry = lot.pick(this.#random());
        if (entry === undefined) break;
        const frames = WHOLE.has(kind) ? entry.forms : 1;
        if (!this.#all.has(frames, now) || part?.has(frames, now) === false) break;
        this.#all.take(frames);
        part?.take(frames);
        lot.delete(entry);
        words.push({ key: entry.key, kind, frames });
      }
    }
    return words;
  }

  /** They were sent, so their repeats become due in time. */
  sent(words: readonly Word[], now: number): void {
    if (words.length > 0) this.#pauses = 0;
    for (const { key, kind } of words) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const isRepeat = kind === "repeat" || kind === "late";
      if (isRepeat) entry.round += 1;
      if (isRepeat || kind === "first") this.#schedule(entry, now);
      if (this.#isDone(entry)) this.#entries.delete(key);
    }
  }

  /** The link had no room for them. They wait again, and everything else waits with them. */
  refused(words: readonly Word[], now: number): void {
    if (words.length === 0) return;
    this.#pausedUntil = now + (PAUSES_MS[this.#pauses] ?? 0);
    this.#pauses = Math.min(this.#pauses + 1, PAUSES_MS.length - 1);
    for (const { key, kind } of words) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) this.#lots[kind].add(entry);
    }
  }

  /** When `take` has to be called next. Undefined if nothing is left to send. */
  nextAt(now: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const kind of KINDS) {
      if (this.#lots[kind].size === 0) continue;
      const ready = this.#part[kind]?.readyAt(2, now) ?? 0;
      next = Math.min(next, Math.max(ready, this.#all.readyAt(2, now), now + TICK_MS));
    }
    for (const round of this.#later) {
      const [entry] = round;
      if (entry !== undefined) next = Math.min(next, entry.dueAt);
    }
    return Number.isFinite(next) ? Math.max(next, this.#pausedUntil) : undefined;
  }

  #entry(key: string, forms: number, round: number): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { key, forms, round, dueAt: 0 };
    this.#entries.set(key, entry);
    return entry;
  }

  #schedule(entry: Entry, now: number): void {
    const round = this.#later[entry.round];
    if (round === undefined) return;
    entry.dueAt = now + (GAPS_MS[entry.round] ?? 0);
    round.add(entry);
  }

  #mature(now: number): void {
    for (const round of this.#later) {
      for (const entry of round) {
        if (entry.dueAt > now) break;
        round.delete(entry);
        this.#lots[entry.round < LATE_ROUND ? "repeat" : "late"].add(entry);
      }
    }
  }

  #isDone(entry: Entry): boolean {
    return (
      !KINDS.some((kind) => this.#lots[kind].has(entry)) && !this.#later.some((round) => round.has(entry))
    );
  }
}
