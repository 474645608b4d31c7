/**
 * Path attributes (RFC 4271 section 5, RFC 1997, 4760, 6793, 8092): one table of what each one is, how it is read and
 * written, and what becomes of a route whose attribute is broken (RFC 7606).
 */
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import type { LargeCommunity } from "#api/community.ts";
import { BgpError, ErrorCode, UpdateError } from "./error.ts";
import { AFI, familyOfAfi, SAFI_UNICAST } from "./family.ts";
import { Reader, u16be, u32be } from "./reader.ts";

const AttributeCode = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  multiExitDisc: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  mpReach: 14,
  mpUnreach: 15,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
} as const;

export const Origin = { igp: 0, egp: 1, incomplete: 2 } as const;
export const SegmentType = { set: 1, sequence: 2 } as const;

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
  largeCommunities?: readonly LargeCommunity[];
  /** undefined inside: a family that we do not speak. */
  mpReach?: MpReach;
  mpUnreach?: MpUnreach;
}

export interface AttributeContext {
  /** AS numbers have four octets: both sides can (RFC 6793). */
  readonly as4: boolean;
}

/** What RFC 7606 does with a route whose attribute is broken. */
export type OnError = "withdraw" | "discard" | "reset";

const OPTIONAL = 0x80;
const TRANSITIVE = 0x40;
const PARTIAL = 0x20;
const EXTENDED_LENGTH = 0x10;
const WELL_KNOWN = TRANSITIVE;

interface Descriptor<T> {
  readonly code: number;
  readonly flags: number;
  readonly onError: OnError;
  /** undefined: of no use to us. */
  readonly decode: (value: Reader, context: AttributeContext) => T | undefined;
  readonly encode: (value: T, context: AttributeContext) => Buffer;
}

type Known = { readonly [K in keyof Required<PathAttributes>]: Descriptor<NonNullable<PathAttributes[K]>> };

const asnBytes = (context: AttributeContext): number => (context.as4 ? 4 : 2);

const u32 = (code: number, flags: number, onError: OnError): Descriptor<number> => ({
  code,
  flags,
  onError,
  decode: (value) => value.u32("number"),
  encode: u32be,
});

const ATTRIBUTES: Known = {
  origin: {
    code: AttributeCode.origin,
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value) => {
      const origin = value.u8("origin");
      if (origin > Origin.incomplete) throw broken(UpdateError.origin, `origin ${origin}`);
      return origin;
    },
    encode: (origin) => Buffer.from([origin]),
  },
  asPath: {
    code: AttributeCode.asPath,
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value, context) => decodeAsPath(value, context),
    encode: (segments, context) => encodeAsPath(segments, context),
  },
  nextHop: {
    code: AttributeCode.nextHop,
    flags: WELL_KNOWN,
    onError: "withdraw",
    decode: (value) => formatAddress({ family: "IPv4", value: BigInt(value.u32("next hop")) }),
    encode: addressBytes,
  },
  multiExitDisc: u32(AttributeCode.multiExitDisc, OPTIONAL, "withdraw"),
  localPref: u32(AttributeCode.localPref, WELL_KNOWN, "withdraw"),
  communities: {
    code: AttributeCode.communities,
    flags: OPTIONAL | TRANSITIVE,
    onError: "withdraw",
    decode: (value) => decodeMany(value, (reader) => reader.u32("community")),
    encode: (communities) => Buffer.concat(communities.map(u32be)),
  },
  as4Path: {
    code: AttributeCode.as4Path,
    flags: OPTIONAL | TRANSITIVE,
    // RFC 6793 section 6: the path without it is good enough.
    onError: "discard",
    decode: (value, context) => (context.as4 ? undefined : decodeAsPath(value, { as4: true })),
    encode: (segments) => encodeAsPath(segments, { as4: true }),
  },
  largeCommunities: {
    code: AttributeCode.largeCommunities,
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
  mpReach: {
    code: AttributeCode.mpReach,
    flags: OPTIONAL,
    onError: "reset",
    decode: (value) => decodeMpReach(value),
    encode: encodeMpReach,
  },
  mpUnreach: {
    code: AttributeCode.mpUnreach,
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

const BY_CODE = new Map(
  Object.entries(ATTRIBUTES).map(([name, descriptor]) => [
    descriptor.code,
    { name: name as keyof PathAttributes, descriptor: descriptor as Descriptor<unknown> },
  ]),
);

/** In the order of their codes, as RFC 4271 section 5 asks for. */
export function encodeAttributes(attributes: PathAttributes, context: AttributeContext): Buffer {
  const parts: Buffer[] = [];
  for (const { name, descriptor } of [...BY_CODE.values()].sort(
    (a, b) => a.descriptor.code - b.descriptor.code,
  )) {
    const value = attributes[name];
    if (value === undefined) continue;
    const body = descriptor.encode(value, context);
    const isLong = body.length > 255;
    const flags = descriptor.flags | (isLong ? EXTENDED_LENGTH : 0);
    const length = isLong ? u16be(body.length) : Buffer.from([body.length]);
    parts.push(Buffer.from([flags, descriptor.code]), length, body);
  }
  return Buffer.concat(parts);
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  /** Why the routes of this UPDATE are to be treated as withdrawn (RFC 7606 section 2). */
  readonly withdraw: string | undefined;
}

/** BgpError (code 3) only where the session has to end: the routes of the UPDATE cannot be told any more. */
export function decodeAttributes(bytes: Buffer, context: AttributeContext): DecodedAttributes {
  const attributes: PathAttributes = {};
  const seen = new Set<number>();
  let withdraw: string | undefined;
  const reader = new Reader(bytes, (what) => broken(UpdateError.attributeLength, what));
  while (reader.left > 0) {
    let raw: RawAttribute;
    try {
      raw = readAttribute(reader);
    } catch (error) {
      // RFC 7606 section 4: what follows cannot be found, so the routes go.
      if (!(error instanceof BgpError)) throw error;
      return { attributes, withdraw: withdraw ?? error.message };
    }
    const { flags, code, value } = raw;
    const isFirst = !seen.has(code);
    seen.add(code);
    const known = BY_CODE.get(code);
    if (!isFirst) {
      // RFC 7606 section 3 (g): a second one is discarded, but for those that carry routes.
      if (known?.descriptor.onError === "reset")
        throw broken(UpdateError.attributeList, `attribute ${code} twice`);
      continue;
    }
    if (known === undefined) {
      const isIgnored = (flags & OPTIONAL) !== 0 || OTHERS.has(code);
      if (!isIgnored) throw broken(UpdateError.unrecognizedWellKnown, `attribute ${code}`);
      continue;
    }
    withdraw = readKnown({ known, raw: { flags, code, value }, attributes, context }) ?? withdraw;
  }
  return { attributes, withdraw };
}

/** Well-known ones that say nothing to somebody who installs nothing. */
const OTHERS: ReadonlySet<number> = new Set([AttributeCode.atomicAggregate]);

interface RawAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Buffer;
}

function readAttribute(reader: Reader): RawAttribute {
  const flags = reader.u8("attribute flags");
  const code = reader.u8("attribute type");
  const isLong = (flags & EXTENDED_LENGTH) !== 0;
  const length = isLong ? reader.u16("attribute length") : reader.u8("attribute length");
  return { flags, code, value: reader.bytes(length, `attribute ${code}`) };
}

/** The reason to withdraw, if there is one. */
function readKnown(reading: {
  readonly known: { readonly name: keyof PathAttributes; readonly descriptor: Descriptor<unknown> };
  readonly raw: RawAttribute;
  readonly attributes: PathAttributes;
  readonly context: AttributeContext;
}): string | undefined {
  const { known, raw, attributes, context } = reading;
  const { descriptor, name } = known;
  try {
    const kind = OPTIONAL | TRANSITIVE;
    if (((raw.flags ^ descriptor.flags) & kind & ~PARTIAL) !== 0) {
      throw broken(UpdateError.attributeFlags, `flags ${raw.flags.toString(16)} of attribute ${raw.code}`);
    }
    const value = new Reader(raw.value, (what) =>
      broken(UpdateError.attributeLength, `${what} of attribute ${raw.code}`),
    );
    const decoded = descriptor.decode(value, context);
    if (value.left > 0) throw broken(UpdateError.attributeLength, `attribute ${raw.code} is too long`);
    if (decoded !== undefined) Object.assign(attributes, { [name]: decoded });
    return undefined;
  } catch (error) {
    if (!(error instanceof BgpError) || descriptor.onError === "reset") throw error;
    return descriptor.onError === "withdraw" ? error.message : undefined;
  }
}

function broken(subcode: number, detail: string): BgpError {
  return new BgpError(ErrorCode.update, subcode, detail);
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
    // 3 and 4 are segments of a confederation (RFC 5065).
    if (type < SegmentType.set || type > 4) throw broken(UpdateError.asPath, `segment type ${type}`);
    const count = value.u8("AS_PATH segment");
    if (count === 0) throw broken(UpdateError.asPath, "a segment of nothing");
    const asns = Array.from({ length: count }, () =>
      asnBytes(context) === 4 ? value.u32("AS_PATH") : value.u16("AS_PATH"),
    );
    segments.push({ type, asns });
  }
  return segments;
}

function encodeAsPath(segments: readonly Segment[], context: AttributeContext): Buffer {
  const number = context.as4 ? u32be : (asn: number) => u16be(asn > 0xffff ? 23_456 : asn);
  return Buffer.concat(
    segments.flatMap(({ type, asns }) => [Buffer.from([type, asns.length]), ...asns.map(number)]),
  );
}

function decodeMpReach(value: Reader): MpReach | undefined {
  const family = familyOfAfi(value.u16("family"), value.u8("family"));
  const hops = value.bytes(value.u8("next hop length"), "next hop");
  value.u8("reserved");
  const nlri = value.rest();
  if (family === undefined) return undefined;
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
