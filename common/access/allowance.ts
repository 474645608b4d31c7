/**
 * How many questions those who are not known yet may cause: so many for each network address, and so many for all of
 * them together, both with a small store for a burst. What it keeps is bounded, however many addresses ask.
 */
import { parseAddress } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface AllowanceOptions {
  readonly clock: Pick<Clock, "now">;
  readonly forOne: Rate;
  readonly together: Rate;
}

/** Of which something is known; who has been silent for longest is forgotten first, which gives it a burst again. */
const MOST_ADDRESSES = 512;
const V6_HOST_BITS = 64n;

/** A bucket: `left` at the time `at`. */
interface Store {
  left: number;
  at: number;
}

export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #ones = new Map<string, Store>();
  readonly #together: Store;

  constructor(options: AllowanceOptions) {
    this.#options = options;
    this.#together = { left: options.together.burst, at: options.clock.now() };
  }

  /** Whether the client at `address` may ask now. `isApart`: only its own questions count, not those of all others. */
  take(address: string, isApart = false): boolean {
    const { clock, forOne, together } = this.#options;
    const now = clock.now();
    const network = networkOf(address);
    const one = this.#ones.get(network) ?? { left: forOne.burst, at: now };
    this.#ones.delete(network);
    this.#ones.set(network, one);
    const [oldest] = this.#ones.keys();
    if (this.#ones.size > MOST_ADDRESSES && oldest !== undefined) this.#ones.delete(oldest);
    refill(one, forOne, now);
    refill(this.#together, together, now);
    if (one.left < 1 || (!isApart && this.#together.left < 1)) return false;
    one.left -= 1;
    if (!isApart) this.#together.left -= 1;
    return true;
  }

  /** Addresses of which something is kept. */
  get size(): number {
    return this.#ones.size;
  }
}

function refill(store: Store, { burst, perSecond }: Rate, now: number): void {
  store.left = Math.min(burst, store.left + ((now - store.at) / 1_000) * perSecond);
  store.at = now;
}

/** A client with one IPv6 address has its whole /64. Node writes IPv4 over an IPv6 socket as ::ffff:192.0.2.1. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  const parsed = parseAddress(plain);
  return parsed?.family === "IPv6" ? `${(parsed.value >> V6_HOST_BITS).toString(16)}::/64` : plain;
}
