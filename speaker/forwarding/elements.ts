/** Keys and values of our nftables sets and maps: each part padded to 4 bytes, as hex. Pure. */

import { FAMILIES, type Family } from "#api/address.ts";
import { type Element, PROTOCOLS, type Protocol } from "#speaker/forwarding/types.ts";
import { parseAddress as parse } from "#speaker/netlink/bytes.ts";

const NUMBER: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

export const addressKey = (address: string): string => parse(address).toString("hex");

export function portKey(vip: string, protocol: Protocol, port: number): string {
  const rest = Buffer.alloc(8);
  rest.writeUInt8(NUMBER[protocol], 0);
  rest.writeUInt16BE(port, 4);
  return addressKey(vip) + rest.toString("hex");
}

/** A key of a set that is for one protocol alone: one end of a range of sources, and the port that admits it. */
export function sourceKey(vip: string, port: number, source: bigint): string {
  const middle = Buffer.alloc(4);
  middle.writeUInt16BE(port, 0);
  const address = addressKey(vip);
  return address + middle.toString("hex") + source.toString(16).padStart(address.length, "0");
}

/** An address as a number. */
export const valueKey = (family: Family, value: bigint): string =>
  value.toString(16).padStart(family === "IPv4" ? 8 : 32, "0");

/** Marks are in host byte order, which is little-endian on every machine that we build for. */
export function markValue(mark: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(mark >>> 0);
  return bytes.toString("hex");
}

/** A tag (tags.ts) as packets carry it, in their priority: a number in host byte order like a mark. */
export const tagValue = (tag: number): string => markValue(tag);

/** The mark of which `markValue` made it. */
export const markOfValue = (value: string): number => Buffer.from(value, "hex").readUInt32LE();

/** The name of the set with the sources that restricted ports of the protocol admit. */
export const admittedSet = (protocol: Protocol) =>
  `admitted_${protocol.toLowerCase() as Lowercase<Protocol>}` as const;

/** Sets and maps of the table, without the family's digit; sets.ts declares them. */
export const SETS = [
  "ports",
  "vips",
  "tier1v",
  "error1v",
  "handed",
  "handed_error",
  "tags",
  "hairpin",
  "translated",
  "restricted",
  ...PROTOCOLS.map(admittedSet),
  "guarded",
  "admitted_ping",
  "members",
  "stations",
  "carried",
  "routed",
] as const;
export type SetName = (typeof SETS)[number];

/** Maps whose values are marks: packets for what is in them are marked. */
export const MARKING = [
  "tier1v4",
  "error1v4",
  "handed4",
  "handed_error4",
  "tier1v6",
  "error1v6",
  "handed6",
  "handed_error6",
];

/** Equal for the same element of a set, whatever its value is. */
export const elementKey = ({ key, keyEnd }: Element): string => (keyEnd === undefined ? key : key + keyEnd);

/** Equal for elements that say the same. */
export const elementText = ({ key, keyEnd, value }: Element): string =>
  `${key}|${keyEnd ?? ""}|${value ?? ""}`;

/** Sets whose elements have two ends (sets.ts). */
export const isOfIntervals = (set: string): boolean =>
  set.startsWith("admitted_") || set.startsWith("routed");

/** The ends that are in a key of `elementKey`: those of an interval are equally long. */
export const endsOf = (key: string, isInterval: boolean): Pick<Element, "key" | "keyEnd"> =>
  isInterval ? { key: key.slice(0, key.length / 2), keyEnd: key.slice(key.length / 2) } : { key };

/** `set4` or `set6`. */
export const named = (set: string, family: Family): string => `${set}${family === "IPv4" ? "4" : "6"}`;

/** Sets whose elements are about an address, and no port. */
const OF_ADDRESSES = ["vips", "tags", "hairpin", "guarded", "admitted_ping", "members", "carried", "routed"];

/**
 * Sets by which packets come into our chains. A packet that finds its address and not its port is answered with a reset,
 * and one to a pool without its address with an error, though kube-proxy would take both. So they are filled last, and
 * emptied first, in this order.
 */
export const DOORS: readonly string[] = ["routed4", "routed6", "vips4", "vips6"];

/** How the owner is read out of a set's keys: how many digits are the address, and which protocol the set is for. */
interface Ownership {
  readonly isOfAddress: boolean;
  readonly digits: 8 | 32;
  /** Two digits. The set is for one protocol alone, so its keys have none. */
  readonly protocol?: string;
}

const OWNERSHIP: ReadonlyMap<string, Ownership> = new Map(
  SETS.flatMap((set) =>
    FAMILIES.map((family): [string, Ownership] => {
      const protocol = PROTOCOLS.find((one) => set === admittedSet(one));
      const isOfAddress = OF_ADDRESSES.includes(set);
      const digits = family === "IPv4" ? 8 : 32;
      const number = protocol && NUMBER[protocol].toString(16).padStart(2, "0");
      return [named(set, family), { isOfAddress, digits, ...(number !== undefined && { protocol: number }) }];
    }),
  ),
);

/**
 * Which port of a Service, or which address, an element of a set is about. Elements of one owner come and go together.
 * Keys begin with the address. Keys of sources have no protocol, because their set is for one protocol.
 */
export function ownerOf(set: string, key: string): string {
  const { isOfAddress, digits, protocol } = OWNERSHIP.get(set) ?? { isOfAddress: false, digits: 0 };
  if (digits === 0) return `mark ${key}`;
  if (isOfAddress) return `address ${key.slice(0, digits)}`;
  if (protocol === undefined) return `port ${key.slice(0, digits + 16)}`;
  return `port ${key.slice(0, digits)}${protocol}000000${key.slice(digits, digits + 8)}`;
}
