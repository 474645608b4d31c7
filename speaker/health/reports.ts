/**
 * Who says of which endpoints that they fail. Each node speaks for its own endpoints. What another one says holds for a
 * while and is said again meanwhile, so that a node that hears nothing keeps all endpoints. Pure: time is an argument.
 */
import type { HealthView, Place } from "../known/view.ts";

export interface Word extends Place {
  readonly isFailing: boolean;
}

export interface Report {
  /** Whose word it is. */
  readonly node: string;
  /** Which life of its speaker: the later one counts. */
  readonly run: number;
  /** Counts up with each report of one life. */
  readonly number: number;
  readonly words: readonly Word[];
}

interface Said {
  readonly number: number;
  readonly id: number;
  readonly isFailing: boolean;
  readonly until: number;
}

interface Speaker {
  run: number;
  /** Of the latest report. */
  number: number;
  /** Of the reports of late: each comes by several ways. */
  heard: Set<number>;
  until: number;
  readonly said: Map<string, Said>;
}

/** What was said holds for so long, milliseconds. */
export const HOLDS_MS = 30_000;
/** Places that one node may speak of. */
export const MOST_WORDS = 4_096;
const MOST_SPEAKERS = 2_048;
/** Reports of one node that are remembered as heard: older ones count as heard. */
const MOST_HEARD = 128;

export class Reports {
  readonly #speakers = new Map<string, Speaker>();
  #changed = new Set<number>();

  /** False: it was heard before, or is older than what counts. */
  hear({ node, run, number, words }: Report, now: number): boolean {
    let speaker = this.#speakers.get(node);
    if (speaker === undefined) {
      if (this.#speakers.size >= MOST_SPEAKERS) return false;
      speaker = { run, number: 0, heard: new Set(), until: 0, said: new Map() };
      this.#speakers.set(node, speaker);
    }
    if (run < speaker.run) return false;
    if (run > speaker.run) {
      // Another life knows nothing of what the one before said.
      forget(speaker, this.#changed, () => true);
      speaker.run = run;
      speaker.number = 0;
      speaker.heard = new Set();
    }
    if (speaker.heard.has(number) || number <= speaker.number - MOST_HEARD) return false;
    speaker.number = Math.max(speaker.number, number);
    speaker.heard.add(number);
    for (const one of speaker.heard) if (one <= speaker.number - MOST_HEARD) speaker.heard.delete(one);
    speaker.until = now + HOLDS_MS;
    for (const word of words) this.#take(speaker, word, { number, until: speaker.until });
    return true;
  }

  /** Forgets what has not been said again. */
  expire(now: number): void {
    for (const [node, speaker] of this.#speakers) {
      forget(speaker, this.#changed, ({ until }) => until <= now);
      if (speaker.until <= now) this.#speakers.delete(node);
    }
  }

  /** Nothing is known of anybody, so nothing can be forgotten. */
  get isEmpty(): boolean {
    return this.#speakers.size === 0;
  }

  isFailing(place: Place, node: string): boolean {
    return this.#speakers.get(node)?.said.get(keyOf(place))?.isFailing === true;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** For one pass: what has changed is told once. */
  takeView(): HealthView {
    const changed = this.#changed;
    this.#changed = new Set();
    return { changed, isFailing: (place, node) => this.isFailing(place, node) };
  }

  #take({ said }: Speaker, word: Word, { number, until }: Pick<Said, "number" | "until">): void {
    const key = keyOf(word);
    const before = said.get(key);
    if (before !== undefined && before.number > number) return;
    if (before === undefined && said.size >= MOST_WORDS) return;
    const { id, isFailing } = word;
    said.set(key, { number, id, isFailing, until });
    if (isFailing !== (before?.isFailing ?? false)) this.#changed.add(id);
  }
}

function forget({ said }: Speaker, changed: Set<number>, isOver: (said: Said) => boolean): void {
  for (const [key, one] of said) {
    if (!isOver(one)) continue;
    said.delete(key);
    if (one.isFailing) changed.add(one.id);
  }
}

const keyOf = ({ id, address, port }: Place): string => `${id} ${address} ${port}`;
