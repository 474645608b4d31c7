/**
 * Probes that were seen on a link and did not come through -> what the firewall does. Pure: time is an argument.
 *
 * What was not sent, or was lost on its way here, is never seen on a link and says nothing: the same probe has to be
 * seen before the firewall and then be missed behind it, twice in a row, before anything is said.
 */
import type { Family } from "#api/address.ts";
import type { Trouble } from "#speaker/apply.ts";
import { DEFAULT_TUNNEL, type Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { carrierName, firewallWords } from "./carrier.ts";
import type { Probe, ProbeKind } from "./packet.ts";

/** Where a probe was seen: on a link, out of its tunnel's outer header's hook, and behind the whole firewall. */
export type Place = "link" | "outer" | "inner";

/** A probe that is on a link comes through within this time, or not at all. */
export const THROUGH_MS = 2_000;
const MISSED_IN_ROW = 2;
/** Probes that are waited for at most: members' addresses can be forged. */
const MAX_SEEN = 256;

interface Seen {
  readonly probe: Probe;
  readonly until: number;
  /** undefined: on none. Sockets are read in any order: this may come last. */
  link: string | undefined;
  hasOuter: boolean;
  hasInner: boolean;
}

interface Missed {
  count: number;
  /** The last one's. */
  link: string;
  hasOuter: boolean;
}

const keyOf = ({ family, from, kind, sequence }: Probe): string => `${family} ${from} ${kind} ${sequence}`;
const wayOf = ({ family, kind }: Probe): string => `${family} ${kind}`;

export class Tally {
  readonly #seen = new Map<string, Seen>();
  /** By family and kind. */
  readonly #missed = new Map<string, Missed>();
  readonly #through = new Map<string, number>();
  readonly #carrier: Encapsulation;

  /** `carrier`: the tunnel that probes go by. */
  constructor(carrier: Encapsulation = DEFAULT_TUNNEL) {
    this.#carrier = carrier;
  }

  /** `link` only for Place link. */
  see(probe: Probe, place: Place, now: number, link = ""): void {
    const seen = this.#seenOf(probe, now);
    if (place === "inner") {
      if (seen !== undefined) seen.hasInner = true;
      this.#missed.delete(wayOf(probe));
      // Older ones were dropped before this one came through: no news any more.
      for (const [key, other] of this.#seen)
        if (other !== seen && wayOf(other.probe) === wayOf(probe)) this.#seen.delete(key);
      this.#through.set(wayOf(probe), now);
    } else if (seen === undefined) return;
    else if (place === "outer") seen.hasOuter = true;
    else seen.link ??= link;
  }

  /** undefined: too many are waited for. */
  #seenOf(probe: Probe, now: number): Seen | undefined {
    const key = keyOf(probe);
    const known = this.#seen.get(key);
    if (known !== undefined || this.#seen.size >= MAX_SEEN) return known;
    const seen: Seen = { probe, until: now + THROUGH_MS, link: undefined, hasOuter: false, hasInner: false };
    this.#seen.set(key, seen);
    return seen;
  }

  /** When a probe of the kind last came through; undefined: never. */
  through(family: Family, kind: ProbeKind): number | undefined {
    return this.#through.get(`${family} ${kind}`);
  }

  judge(now: number): Trouble<"FirewallDrops"> | undefined {
    for (const [key, { probe, link, until, hasOuter, hasInner }] of this.#seen) {
      if (until > now) continue;
      this.#seen.delete(key);
      if (link === undefined || hasInner) continue;
      const count = (this.#missed.get(wayOf(probe))?.count ?? 0) + 1;
      this.#missed.set(wayOf(probe), { count, link, hasOuter });
    }
    for (const [way, missed] of [...this.#missed].sort(([a], [b]) => (a < b ? 1 : -1))) {
      if (missed.count >= MISSED_IN_ROW) return troubleOf(way, missed, this.#carrier);
    }
    return undefined;
  }
}

const BIT = `0x${DEFAULT_SETTINGS.routingBit.toString(16)}`;

function troubleOf(
  way: string,
  { link, hasOuter }: Missed,
  carrier: Encapsulation,
): Trouble<"FirewallDrops"> {
  const [version, kind] = way.split(" ");
  const isSix = version === "IPv6";
  const family: Family = isSix ? "IPv6" : "IPv4";
  const name = carrierName(family, carrier);
  const words = firewallWords(family, carrier);
  const tool = isSix ? "ip6tables" : "iptables";
  const what = !hasOuter
    ? `what other nodes tunnel here (${name}, link ${link})`
    : kind === "invalid"
      ? `packets out of the tunnel of ${name} (link ${link}) that connection tracking calls invalid`
      : `what comes out of the tunnel of ${name} (link ${link})`;
  return {
    reason: "FirewallDrops",
    message:
      `a firewall of this node drops ${what}: connections through other nodes to pods of this one fail. Add both rules before ` +
      `those that drop: "nft insert rule inet filter input ${words.nft} accept" and "nft insert rule inet filter ` +
      `input meta mark and ${BIT} == ${BIT} accept" with your table's and chain's names, or "${tool} -I INPUT ${words.iptables} -j ACCEPT" ` +
      `and "${tool} -I INPUT -m mark --mark ${BIT}/${BIT} -j ACCEPT"`,
  };
}
