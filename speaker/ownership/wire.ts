/**
 * Claims as octets, for memberlist's messages of an application (news) and its octets of an application in push/pull
 * (the whole). Each claimant is named once:
 *
 * ```text
 * "GC" 1 | length, name of a claimant | count, count of IPv4 | 4 octets, epoch | ... | 16 octets, epoch | ... | the next
 * ```
 *
 * Counts and epochs are numbers of 7 bits an octet, the lowest first: an address of IPv4 mostly costs five octets, one
 * of IPv6 seventeen.
 *
 * Two more texts of the same form go from one speaker to one other: "GQ" asks what that one knows of these addresses, and
 * "GA" is its answer. There an epoch of 0 stands for no claim. Older releases drop both.
 */
import { familyOf } from "#api/address.ts";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { GossipError } from "../gossip/wire/error.ts";
import { LONGEST_NAME } from "../gossip/wire/message.ts";
import { type Claim, MOST_EPOCH } from "./claims.ts";

export type ClaimsKind = "claims" | "question" | "answer";

const headOf = (letters: string): Buffer => Buffer.of(...Buffer.from(letters), 1);
const HEADS: Readonly<Record<ClaimsKind, Buffer>> = {
  claims: headOf("GC"),
  question: headOf("GQ"),
  answer: headOf("GA"),
};
const OCTETS = { IPv4: 4, IPv6: 16 } as const;
/** Octets of the longest number: 32 bits. */
const LONGEST_NUMBER = 5;

export interface Encoding {
  /** Octets that a text may have. */
  readonly room?: number;
  readonly kind?: ClaimsKind;
}

/** One text of octets for all of them, or several where one may not be longer than `room`. */
export function encodeClaims(
  claims: Iterable<Claim>,
  { room = Number.POSITIVE_INFINITY, kind = "claims" }: Encoding = {},
): Buffer[] {
  const head = HEADS[kind];
  const byNode = new Map<string, Claim[]>();
  for (const claim of claims) {
    const own = byNode.get(claim.node);
    if (own === undefined) byNode.set(claim.node, [claim]);
    else own.push(claim);
  }
  const texts: Buffer[] = [];
  let parts: Uint8Array[] = [head];
  let used = head.length;
  const finish = (): void => {
    if (parts.length > 1) texts.push(Buffer.concat(parts));
    parts = [head];
    used = head.length;
  };
  for (const [node, own] of byNode) {
    const name = Buffer.from(node);
    const overhead = 1 + name.length + 2 * LONGEST_NUMBER;
    for (let at = 0; at < own.length; ) {
      const [group, octets] = fitting(own, at, room - used - overhead);
      if (group.length === 0 && used > head.length) {
        finish();
        continue;
      }
      // What does not fit into an empty text does not fit at all.
      if (group.length === 0) throw new RangeError(`no room for a claim in ${room} octets`);
      parts.push(Uint8Array.of(name.length), name, ...encodeGroup(group));
      used += overhead + octets;
      at += group.length;
    }
  }
  finish();
  return texts;
}

/** The claims from `at` on that have room, and how many octets they may take. */
function fitting(claims: readonly Claim[], at: number, room: number): [Claim[], number] {
  const group: Claim[] = [];
  let octets = 0;
  for (let next = at; next < claims.length; next += 1) {
    const claim = claims[next];
    if (claim === undefined) break;
    const cost = OCTETS[familyOf(claim.vip)] + LONGEST_NUMBER;
    if (octets + cost > room) break;
    octets += cost;
    group.push(claim);
  }
  return [group, octets];
}

function encodeGroup(claims: readonly Claim[]): Uint8Array[] {
  const first = claims.filter(({ vip }) => familyOf(vip) === "IPv4");
  const second = claims.filter(({ vip }) => familyOf(vip) === "IPv6");
  const parts: Uint8Array[] = [encodeNumber(claims.length), encodeNumber(first.length)];
  for (const { vip, epoch } of [...first, ...second]) parts.push(parseAddress(vip), encodeNumber(epoch));
  return parts;
}

function encodeNumber(value: number): Uint8Array {
  const octets: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...octets, rest);
    octets.push((rest % 128) | 128);
  }
}

/** What kind of text it is; undefined: none of ours. */
export function kindOfClaims(bytes: Uint8Array): ClaimsKind | undefined {
  const kinds = Object.keys(HEADS) as ClaimsKind[];
  return kinds.find((kind) => HEADS[kind].equals(bytes.subarray(0, HEADS[kind].length)));
}

/** GossipError for what is no such text, or more than `most` of them. Octets of a later version are no claims to us. */
export function decodeClaims(bytes: Uint8Array, most: number, kind: ClaimsKind = "claims"): Claim[] {
  const reader = new Reader(bytes);
  if (!HEADS[kind].equals(reader.take(HEADS[kind].length))) throw malformed("no claims");
  const claims: Claim[] = [];
  while (!reader.isAtEnd) {
    const node = reader.name();
    const count = reader.number(MOST_EPOCH);
    const firstCount = reader.number(count);
    if (claims.length + count > most) throw new GossipError("size", `more than ${most} claims`);
    for (let at = 0; at < count; at += 1) {
      const vip = formatAddress(Buffer.from(reader.take(OCTETS[at < firstCount ? "IPv4" : "IPv6"])));
      const epoch = reader.number(MOST_EPOCH);
      if (epoch === 0 && kind === "claims") throw malformed("a claim of epoch 0");
      claims.push({ vip, node, epoch });
    }
  }
  return claims;
}

const malformed = (what: string): GossipError => new GossipError("malformed", what);
const utf8 = new TextDecoder("utf-8", { fatal: true });

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed("claims that end too early");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  number(most: number): number {
    let value = 0;
    for (let octet = 0; octet < LONGEST_NUMBER; octet += 1) {
      const [one = 0] = this.take(1);
      value += (one & 127) * 128 ** octet;
      if (one < 128) {
        if (value > most) throw malformed(`a number above ${most}`);
        return value;
      }
    }
    throw malformed("a number of more than 32 bits");
  }

  name(): string {
    const [length = 0] = this.take(1);
    if (length === 0 || length > LONGEST_NAME) throw malformed("a name of no or too many octets");
    try {
      return utf8.decode(this.take(length));
    } catch (error) {
      if (error instanceof GossipError) throw error;
      throw malformed("a name that is no UTF-8");
    }
  }
}
