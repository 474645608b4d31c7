/** News that waits to be sent along: the latest about each member, each a limited number of times. */

interface Broadcast {
  /** Whom it is about. */
  readonly name: string;
  readonly encode: () => Uint8Array;
  /** Encoded when it is first sent: many are replaced before that, as when a member joins a thousand others. */
  message: Uint8Array | undefined;
  sent: number;
}

export interface Taking {
  /** Octets, by `costOf`. */
  readonly room: number;
  readonly most: number;
  /** Times after which a message is gone. */
  readonly limit: number;
  costOf(message: Uint8Array): number;
}

export class Broadcasts {
  readonly #waiting = new Map<string, Broadcast>();
  /** By how often they were sent, the latest last. What was replaced stays here until it is come across. */
  #tiers: Broadcast[][] = [];

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes the place of what waits about the same member. */
  add(name: string, encode: () => Uint8Array): void {
    const one = { name, encode, message: undefined, sent: 0 };
    this.#waiting.set(name, one);
    this.#put(one);
  }

  forget(name: string): void {
    this.#waiting.delete(name);
  }

  /** Messages that fit: those sent least often first, and of these the latest. */
  take({ room, most, limit, costOf }: Taking): Uint8Array[] {
    const messages: Uint8Array[] = [];
    const taken: Broadcast[] = [];
    const passed: Broadcast[] = [];
    let left = room;
    for (const tier of this.#tiers) {
      while (tier.length > 0 && taken.length < most && passed.length < MOST_PASSED) {
        const one = tier.pop();
        if (one === undefined || this.#waiting.get(one.name) !== one) continue;
        one.message ??= one.encode();
        const cost = costOf(one.message);
        if (cost > left) {
          passed.push(one);
          continue;
        }
        left -= cost;
        taken.push(one);
        messages.push(one.message);
      }
    }
    for (const one of passed.reverse()) this.#put(one);
    for (const one of taken) {
      one.sent += 1;
      if (one.sent >= limit) this.#waiting.delete(one.name);
      else this.#put(one);
    }
    if (this.#waiting.size === 0) this.#tiers = [];
    return messages;
  }

  #put(one: Broadcast): void {
    const tier = this.#tiers[one.sent];
    if (tier !== undefined) tier.push(one);
    else {
      while (this.#tiers.length < one.sent) this.#tiers.push([]);
      this.#tiers[one.sent] = [one];
    }
  }
}

/** A packet is full when so many did not fit. */
const MOST_PASSED = 4;
