/**
 * Which pool an address belongs to. The address itself decides, because anybody who may edit a Service may write any
 * annotation. Pure.
 */
import { type Family, parseAddress, parseRange, type Range } from "#api/address.ts";
import type { PoolView } from "./view.ts";

interface Part {
  readonly range: Range;
  readonly pool: PoolView;
}

const MAX_ANSWERS = 100_000;

export class Pools {
  /** Equal pools have equal texts. */
  readonly text: string;
  /** What is advertised depends on labels of Services. */
  readonly selectServices: boolean;
  readonly #byName: ReadonlyMap<string, PoolView>;
  /**
   * The ranges of the pools that are there, sorted. They are disjoint, because the rules of admission hold for these
   * pools.
   */
  readonly #present: Readonly<Record<Family, readonly Part[]>>;
  readonly #gone: readonly Part[];
  /** Answers that were given before, because each pass asks for every address. */
  readonly #answers = new Map<string, PoolView | undefined>();

  /** `gone`: pools that were there a moment ago. They count for addresses that no other pool has. */
  constructor(present: readonly PoolView[], gone: readonly PoolView[] = []) {
    this.#byName = new Map([...gone, ...present].map((pool) => [pool.name, pool]));
    const parts = present.flatMap(partsOf).sort((a, b) => (a.range.first < b.range.first ? -1 : 1));
    const of = (family: Family): Part[] => parts.filter(({ range }) => range.family === family);
    this.#present = { IPv4: of("IPv4"), IPv6: of("IPv6") };
    this.#gone = gone.flatMap(partsOf);
    this.text = JSON.stringify([present, gone]);
    const advertisements = [...present, ...gone].flatMap((pool) => pool.advertisements);
    this.selectServices = advertisements.some(({ serviceSelectors }) => serviceSelectors.length > 0);
  }

  get(name: string): PoolView | undefined {
    return this.#byName.get(name);
  }

  list(): PoolView[] {
    return [...this.#byName.values()];
  }

  /** The pool that has the address; undefined if none has. */
  of(vip: string): PoolView | undefined {
    if (this.#answers.has(vip)) return this.#answers.get(vip);
    if (this.#answers.size >= MAX_ANSWERS) this.#answers.clear();
    const pool = this.#find(vip);
    this.#answers.set(vip, pool);
    return pool;
  }

  #find(vip: string): PoolView | undefined {
    const address = parseAddress(vip);
    if (address === undefined) return undefined;
    const parts = this.#present[address.family];
    let [low, high] = [0, parts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((parts[middle]?.range.first ?? 0n) <= address.value) low = middle + 1;
      else high = middle;
    }
    const found = parts[low - 1];
    if (found !== undefined && address.value <= found.range.last) return found.pool;
    const has = ({ range }: Part): boolean =>
      range.family === address.family && range.first <= address.value && address.value <= range.last;
    return this.#gone.find(has)?.pool;
  }
}

/** The pool's addresses were judged before. A text that cannot be read gives no range. */
function partsOf(pool: PoolView): Part[] {
  return pool.addresses.flatMap((text) => {
    try {
      return [{ range: parseRange(text), pool }];
    } catch {
      // An AddressError: the text is no range, so no address is in it.
      return [];
    }
  });
}
