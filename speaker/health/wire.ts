/**
 * A report as octets, for memberlist's messages of an application:
 *
 * ```text
 * "GH" 1 | length, name | life, 6 octets | number, 4 octets | count, count of IPv4, 2 octets each |
 *   id and state, 4 octets | port, 2 octets | address, 4 octets | ... | the same with 16 octets of address | ...
 * ```
 *
 * The highest bit of an id says that the endpoint fails: an id has fewer bits.
 */
import { familyOf } from "#api/address.ts";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { GossipError } from "../gossip/wire/error.ts";
import { LONGEST_NAME } from "../gossip/wire/message.ts";
import type { Report, Word } from "./reports.ts";

const HEAD = Buffer.of(0x47, 0x48, 1);
const OCTETS = { IPv4: 4, IPv6: 16 } as const;
const FAILS = 0x8000_0000;
/** Octets of a message: with a ping beside it, it fits into a packet. */
const ROOM = 1_200;
/** Octets of one word, and of what stands before all words beside the name. */
const WORD = { IPv4: 10, IPv6: 22 } as const;
const FIXED = HEAD.length + 1 + 6 + 4 + 4;

export const isReport = (bytes: Uint8Array): boolean => HEAD.equals(bytes.subarray(0, HEAD.length));

/** Words in portions that fit into one message each; one of none if there are none. */
export function portionsOf(words: readonly Word[], node: string): Word[][] {
  const portions: Word[][] = [[]];
  const empty = ROOM - FIXED - Buffer.byteLength(node);
  let room = empty;
  for (const word of words) {
    const octets = WORD[familyOf(word.address)];
    if (octets > room) {
      portions.push([]);
      room = empty;
    }
    portions.at(-1)?.push(word);
    room -= octets;
  }
  return portions;
}

export function encodeReport({ node, run, number, words }: Report): Buffer {
  const name = Buffer.from(node);
  const first = words.filter(({ address }) => familyOf(address) === "IPv4");
  const second = words.filter(({ address }) => familyOf(address) === "IPv6");
  const rest = Buffer.alloc(14);
  rest.writeUIntBE(run, 0, 6);
  rest.writeUInt32BE(number, 6);
  rest.writeUInt16BE(words.length, 10);
  rest.writeUInt16BE(first.length, 12);
  const encoded = [...first, ...second].map(({ id, address, port, isFailing }) => {
    const fixed = Buffer.alloc(6);
    fixed.writeUInt32BE((isFailing ? id | FAILS : id) >>> 0, 0);
    fixed.writeUInt16BE(port, 4);
    return Buffer.concat([fixed, parseAddress(address)]);
  });
  return Buffer.concat([HEAD, Uint8Array.of(name.length), name, rest, ...encoded]);
}

const malformed = (what: string): GossipError => new GossipError("malformed", what);
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** GossipError for what is no report. */
export function decodeReport(bytes: Uint8Array): Report {
  const all = Buffer.from(bytes);
  let at = HEAD.length;
  const take = (length: number): Buffer => {
    if (at + length > all.length) throw malformed("a report that ends too early");
    at += length;
    return all.subarray(at - length, at);
  };
  if (!isReport(all)) throw malformed("no report");
  const length = take(1).readUInt8();
  if (length === 0 || length > LONGEST_NAME) throw malformed("a name of no or too many octets");
  const node = nameOf(take(length));
  const [run, number] = [take(6).readUIntBE(0, 6), take(4).readUInt32BE()];
  const [count, countFirst] = [take(2).readUInt16BE(), take(2).readUInt16BE()];
  if (countFirst > count) throw malformed("more words than there are");
  const words: Word[] = [];
  for (let index = 0; index < count; index += 1) {
    const stated = take(4).readUInt32BE();
    const port = take(2).readUInt16BE();
    const address = formatAddress(take(OCTETS[index < countFirst ? "IPv4" : "IPv6"]));
    words.push({ id: stated % FAILS, address, port, isFailing: stated >= FAILS });
  }
  if (at !== all.length) throw malformed("octets behind a report");
  return { node, run, number, words };
}

function nameOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed("a name that is no UTF-8");
  }
}
