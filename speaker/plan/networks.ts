/**
 * The networks that nodes' links are connected to. Addresses that lie in the same networks can be announced by the same
 * nodes on the same links, so what was found for one address holds for all of them. Pure.
 */
import { type Family, parseAddress, WIDTH } from "#api/address.ts";
import type { SpeakerState } from "../known/view.ts";

/** A bound on what is kept: addresses come and go, and a speaker runs for months. */
const MAX_KNOWN = 100_000;

export class Networks {
  /** By family and prefix length, the network parts of the prefixes. */
  readonly #networks: Readonly<Record<Family, Map<number, Set<bigint>>>> = {
    IPv4: new Map(),
    IPv6: new Map(),
  };
  readonly #known = new Map<string, string>();

  constructor(states: Iterable<SpeakerState>) {
    for (const { links } of states)
      for (const { prefixes } of links) for (const prefix of prefixes) this.#add(prefix);
  }

  /** The same text for addresses of one family that lie in the same networks. */
  keyOf(vip: string): string {
    const known = this.#known.get(vip);
    if (known !== undefined) return known;
    const key = this.#find(vip);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(vip, key);
    return key;
  }

  #find(vip: string): string {
    const address = parseAddress(vip);
    if (address === undefined) return "";
    const { family, value } = address;
    const found: string[] = [];
    for (const [length, networks] of this.#networks[family]) {
      const network = value >> BigInt(WIDTH[family] - length);
      if (networks.has(network)) found.push(`${length}:${network}`);
    }
    return `${family} ${found.sort().join(" ")}`;
  }

  #add(prefix: string): void {
    const slash = prefix.lastIndexOf("/");
    const own = parseAddress(prefix.slice(0, slash));
    const length = Number(prefix.slice(slash + 1));
    if (own === undefined || !Number.isInteger(length) || length < 0 || length > WIDTH[own.family]) return;
    const ofLength = this.#networks[own.family].get(length) ?? new Set();
    this.#networks[own.family].set(length, ofLength.add(own.value >> BigInt(WIDTH[own.family] - length)));
  }
}
