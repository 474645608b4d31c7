/**
 * Path attributes (RFC 4271 section 5, RFC 1997, 4360, 4456, 4760, 6793, 8092, 9234): one table of what each one is, how it is
 * read and written, and what becomes of a route whose attribute is broken (RFC 7606 section 7).
 */
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import type { LargeCommunity } from "#api/community.ts";
import { BgpError, ErrorCode, UpdateError } from "./error.ts";
import { AFI, familyOfAfi, SAFI_UNICAST } from "./family.ts";
import { type Reader, u16be, u32be } from "./reader.ts";

export const Origin = { igp: 0, egp: 1, incomplete: 2 } as const;
export const SegmentType = { set: 1, sequence: 2, confederationSequence: 3, confederationSet: 4 } as const;

export interface Segment {
  readonly type: number;
  readonly asns: readonly number[];
}

export interface MpReach {
  readonly family: Family;
  /** One, or a global and a link-local one (RFC 2545). */
  readonly nextHops: readonly string[];
  /** Prefixes as they are on the wire. */
  readonly nlri: Buffer;
}

export interface MpUnreach {
  readonly family: Family;
  readonly nlri: Buffer;
}

/** draft-ietf-idr-link-bandwidth: how much of the same route's load a router is to send here, beside others' numbers. */
export interface LinkBandwidth {
  readonly asn: number;
  readonly bytesPerSecond: number;
}

/** Those that we read or write. */
export interface PathAttributes {
  origin?: number;
  asPath?: readonly Segment[];
  /** IPv4. */
  nextHop?: string;
  multiExitDisc?: number;
  localPref?: number;
  communities?: readonly number[];
  /** What AS_PATH has no room for between speakers with 2-octet numbers (RFC 6793). */
  as4Path?: readonly Segment[];
  /** Of EXTENDED COMMUNITIES the one that we write: Link Bandwidth. */
  linkBandwidth?: LinkBandwidth;
  largeCommunities?: readonly LargeCommunity[];
  /** OTC (RFC 9234 section 5): the AS number of who told it downwards or sideways first. */
  onlyToCustomer?: number;
  /** undefined inside: a family that we do not speak. */
  mpReach?: MpReach;
  mpUnreach?: MpUnreach;
}

export interface AttributeContext {
  /** AS numbers have four octets: both sides can (RFC 6793). */
  readonly as4: boolean;
  /** The peer is of our own AS: iBGP. Absent, it is not. */
  readonly isInternal?: boolean;
}

/** What RFC 7606 does with a route whose attribute is broken. */
export type OnError = "withdraw" | "discard" | "reset";

export const OPTIONAL = 0x80;
export const TRANSITIVE = 0x40;
const WELL_KNOWN = TRANSITIVE;

/** An attribute as it is read. */
export interface Known<T> {
  readonly code: number;
  /** As RFCs and routers call it. */
  readonly title: string;
  readonly flags: number;
  readonly onError: OnError;
  /** Only between speakers of one AS: from others it is passed over, whatever it holds. */
  readonly isInternalOnly?: boolean;
  /** undefined: of no use to us. */
  readonly decode: (value: Reader, context: AttributeContext) => T | undefined;
}

interface Descriptor<T> extends Known<T> {
  readonly encode: (value: T, context: AttributeContext) => Buffer;
}

type Descriptors = {
  readonly [K in keyof Required<PathAttributes>]: Descriptor<NonNullable<PathAttributes[K]>>;
};

/** In place of a number that needs four octets (RFC 6793). */
const AS_TRANS = 23_456;

const asnBytes = (context: AttributeContext): number => (context.as4 ? 4 : 2);

const u32 = (code: number, title: string, flags: number): Descriptor<number> => ({
  code,
  title,
  flags,
  onError: "withdraw",
  decode: (value) => value.u32("number"),
  encode: u32be,
});

export const ATTRIBUTES: Descriptors = {
  origin: {
    code: 1,
    title: "ORIGIN",
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value) => {
      const origin = value.u8("origin");
      if (origin > Origin.incomplete) throw broken(UpdateError.origin, `${origin} is none`);
      return origin;
    },
    encode: (origin) => Buffer.from([origin]),
  },
  asPath: {
    code: 2,
    title: "AS_PATH",
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value, context) => decodeAsPath(value, context),
    encode: (segments, context) => encodeAsPath(segments, context),
  },
  nextHop: {
    code: 3,
    title: "NEXT_HOP",
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value) => formatAddress({ family: "IPv4", value: BigInt(value.u32("next hop")) }),
    encode: addressBytes,
  },
  multiExitDisc: u32(4, "MULTI_EXIT_DISC", OPTIONAL),
  // RFC 7606 section 7.5.
  localPref: { ...u32(5, "LOCAL_PREF", WELL_KNOWN), isInternalOnly: true },
  communities: {
    code: 8,
    title: "COMMUNITIES",
    flags: OPTIONAL | TRANSITIVE,
    onError: "withdraw",
    decode: (value) => decodeMany(value, (reader) => reader.u32("community")),
    encode: (communities) => Buffer.concat(communities.map(u32be)),
  },
  as4Path: {
    code: 17,
    title: "AS4_PATH",
    flags: OPTIONAL | TRANSITIVE,
    // RFC 6793 section 6: the path without it is good enough.
    onError: "discard",
    decode: (value, context) => (context.as4 ? undefined : decodeAsPath(value, { as4: true })),
    encode: (segments) => encodeAsPath(segments, { as4: true }),
  },
  largeCommunities: {
    code: 32,
    title: "LARGE_COMMUNITY",
    flags: OPTIONAL | TRANSITIVE,
    onError: "withdraw",
    decode: (value) =>
      decodeMany(
        value,
        (reader): LargeCommunity => [
          reader.u32("large community"),
          reader.u32("large community"),
          reader.u32("large community"),
        ],
      ),
    encode: (communities) => Buffer.concat(communities.flatMap((community) => community.map(u32be))),
  },
  linkBandwidth: {
    code: 16,
    title: "EXTENDED COMMUNITIES",
    flags: OPTIONAL | TRANSITIVE,
    onError: "withdraw",
    decode: items(8),
    encode: encodeLinkBandwidth,
  },
  onlyToCustomer: u32(35, "OTC", OPTIONAL | TRANSITIVE),
  mpReach: {
    code: 14,
    title: "MP_REACH_NLRI",
    flags: OPTIONAL,
    onError: "reset",
    decode: (value) => decodeMpReach(value),
    encode: encodeMpReach,
  },
  mpUnreach: {
    code: 15,
    title: "MP_UNREACH_NLRI",
    flags: OPTIONAL,
    onError: "reset",
    decode: (value) => {
      const family = familyOfAfi(value.u16("family"), value.u8("family"));
      const nlri = value.rest();
      return family === undefined ? undefined : { family, nlri };
    },
    encode: ({ family, nlri }) => Buffer.concat([u16be(AFI[family]), Buffer.from([SAFI_UNICAST]), nlri]),
  },
};

/** An AS number and an address: AGGREGATOR. RFC 7607 section 2: AS 0 is none. */
const aggregator = (value: Reader, context: AttributeContext): undefined => {
  const asn = context.as4 ? value.u32("AS number") : value.u16("AS number");
  value.u32("address");
  if (asn === 0) throw broken(UpdateError.optionalAttribute, "AS 0");
};

/** Those that say nothing to somebody who installs nothing, and are looked at as the RFCs ask for. */
export const CHECKED: readonly Known<undefined>[] = [
  { code: 6, title: "ATOMIC_AGGREGATE", flags: WELL_KNOWN, onError: "discard", decode: () => undefined },
  { code: 7, title: "AGGREGATOR", flags: OPTIONAL | TRANSITIVE, onError: "discard", decode: aggregator },
  {
    code: 9,
    title: "ORIGINATOR_ID",
    flags: OPTIONAL,
    onError: "withdraw",
    isInternalOnly: true,
    decode: (value) => void value.u32("identifier"),
  },
  {
    code: 10,
    title: "CLUSTER_LIST",
    flags: OPTIONAL,
    onError: "withdraw",
    isInternalOnly: true,
    decode: items(4),
  },
  {
    code: 18,
    title: "AS4_AGGREGATOR",
    flags: OPTIONAL | TRANSITIVE,
    onError: "discard",
    // RFC 6793 section 4.1: who speaks four octets passes it over.
    decode: (value, { as4 }) => (as4 ? void value.rest() : aggregator(value, { as4: true })),
  },
  {
    code: 25,
    title: "IPv6 EXTENDED COMMUNITIES",
    flags: OPTIONAL | TRANSITIVE,
    onError: "withdraw",
    decode: items(20),
  },
];

/** A list of items with so many octets each, of which there is one at least (RFC 7606 sections 7.8, 7.10, 7.14, 7.15). */
function items(octets: number): (value: Reader) => undefined {
  return (value) => {
    do value.bytes(octets, "item");
    while (value.left > 0);
  };
}

export function broken(subcode: number, detail: string, data?: Buffer): BgpError {
  return new BgpError(ErrorCode.update, subcode, detail, data);
}

function decodeMany<T>(value: Reader, one: (reader: Reader) => T): T[] {
  // RFC 7606 section 7.8: a list of none is malformed.
  const found = [one(value)];
  while (value.left > 0) found.push(one(value));
  return found;
}

function decodeAsPath(value: Reader, context: AttributeContext): Segment[] {
  const segments: Segment[] = [];
  while (value.left > 0) {
    const type = value.u8("AS_PATH segment");
    if (type < SegmentType.set || type > SegmentType.confederationSet)
      throw broken(UpdateError.asPath, `segment type ${type}`);
    // RFC 5065 section 5: speakers are in no confederation, and nobody outside of one may say such a segment.
    if (type > SegmentType.sequence) throw broken(UpdateError.asPath, "a segment of a confederation");
    const count = value.u8("AS_PATH segment");
    if (count === 0) throw broken(UpdateError.asPath, "a segment of nothing");
    const asns = Array.from({ length: count }, () =>
      asnBytes(context) === 4 ? value.u32("AS_PATH") : value.u16("AS_PATH"),
    );
    // RFC 7607 section 2.
    if (asns.includes(0)) throw broken(UpdateError.asPath, "AS 0");
    segments.push({ type, asns });
  }
  return segments;
}

/** Of two octets for the AS number, and not transitive (RFC 4360 section 3): a 32-bit float of octets a second. */
function encodeLinkBandwidth({ asn, bytesPerSecond }: LinkBandwidth): Buffer {
  const bytes = Buffer.from([0x40, 0x04, 0, 0, 0, 0, 0, 0]);
  bytes.writeUInt16BE(asn > 0xffff ? AS_TRANS : asn, 2);
  bytes.writeFloatBE(bytesPerSecond, 4);
  return bytes;
}

function encodeAsPath(segments: readonly Segment[], context: AttributeContext): Buffer {
  const number = context.as4 ? u32be : (asn: number) => u16be(asn > 0xffff ? AS_TRANS : asn);
  return Buffer.concat(
    segments.flatMap(({ type, asns }) => [Buffer.from([type, asns.length]), ...asns.map(number)]),
  );
}

function decodeMpReach(value: Reader): MpReach | undefined {
  const family = familyOfAfi(value.u16("family"), value.u8("family"));
  if (family === undefined) {
    // Whatever the rest is, it tells no route that we speak of.
    value.rest();
    return undefined;
  }
  const hops = value.bytes(value.u8("next hop length"), "next hop");
  value.u8("reserved");
  const nlri = value.rest();
  return { family, nextHops: decodeNextHops(hops), nlri };
}

/** 4, 16 or 32 octets (RFC 2545 section 3, RFC 8950 section 3). */
function decodeNextHops(bytes: Buffer): string[] {
  if (bytes.length === 4) {
    return [formatAddress({ family: "IPv4", value: BigInt(bytes.readUInt32BE(0)) })];
  }
  if (bytes.length !== 16 && bytes.length !== 32) {
    throw broken(UpdateError.optionalAttribute, `a next hop of ${bytes.length} octets`);
  }
  return Array.from({ length: bytes.length / 16 }, (_, at) =>
    formatAddress({ family: "IPv6", value: BigInt(`0x${bytes.toString("hex", at * 16, at * 16 + 16)}`) }),
  );
}

function encodeMpReach({ family, nextHops, nlri }: MpReach): Buffer {
  const hops = Buffer.concat(nextHops.map(addressBytes));
  return Buffer.concat([
    u16be(AFI[family]),
    Buffer.from([SAFI_UNICAST, hops.length]),
    hops,
    Buffer.from([0]),
    nlri,
  ]);
}

/** 4 or 16 octets. */
function addressBytes(text: string): Buffer {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  const digits = address.family === "IPv4" ? 8 : 32;
  return Buffer.from(address.value.toString(16).padStart(digits, "0"), "hex");
}
