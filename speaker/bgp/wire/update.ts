/** UPDATE (RFC 4271 section 4.3, RFC 4760), and what RFC 7606 makes of a broken one. */
import type { Family } from "#api/address.ts";
import type { AttributeContext, PathAttributes } from "./attribute.ts";
import { decodeAttributes, encodeAttributes } from "./attributes.ts";
import { BgpError, ErrorCode, UpdateError } from "./error.ts";
import { decodePrefixes } from "./prefix.ts";
import { Reader, u16be } from "./reader.ts";

/** Prefixes of one family. */
export interface Nlri {
  readonly family: Family;
  readonly prefixes: readonly string[];
}

export interface Update {
  readonly withdrawn: readonly Nlri[];
  readonly announced: readonly Nlri[];
  readonly attributes: PathAttributes;
  /** Announced routes that were taken as withdrawn, and why. */
  readonly treatedAsWithdrawn?: string;
  /** All routes of the family were told (RFC 4724 section 2). */
  readonly endOfRib?: Family;
}

/** BgpError (code 3) where the session has to end. */
export function decodeUpdate(body: Buffer, context: AttributeContext): Update {
  const reader = new Reader(body, (what) => new BgpError(ErrorCode.update, UpdateError.attributeList, what));
  const withdrawnBytes = reader.bytes(reader.u16("withdrawn routes length"), "withdrawn routes");
  const attributeBytes = reader.bytes(reader.u16("path attributes length"), "path attributes");
  const withdrawn4 = decodePrefixes(withdrawnBytes, "IPv4", networkField);
  const announced4 = decodePrefixes(reader.rest(), "IPv4", networkField);
  const { attributes, withdraw, hasReach } = decodeAttributes(attributeBytes, context);
  const { mpReach, mpUnreach } = attributes;
  if (withdraw !== undefined && announced4.length === 0 && !hasReach) {
    // RFC 7606 section 5.2: the routes that it was to announce may be in what cannot be read.
    throw withdraw;
  }
  const announced = [
    ...nlri("IPv4", announced4),
    ...(mpReach === undefined
      ? []
      : nlri(mpReach.family, decodePrefixes(mpReach.nlri, mpReach.family, networkField))),
  ];
  const withdrawn = [
    ...nlri("IPv4", withdrawn4),
    ...(mpUnreach === undefined
      ? []
      : nlri(mpUnreach.family, decodePrefixes(mpUnreach.nlri, mpUnreach.family, networkField))),
  ];
  const why =
    announced.length === 0 ? undefined : (withdraw?.message ?? unusable(attributes, announced4.length > 0));
  if (why !== undefined) {
    return { withdrawn: [...withdrawn, ...announced], announced: [], attributes, treatedAsWithdrawn: why };
  }
  const isNothing = announced.length === 0 && withdrawn.length === 0;
  const endOfRib = endOfRibOf(attributes, attributeBytes.length);
  return { withdrawn, announced, attributes, ...(isNothing && endOfRib !== undefined && { endOfRib }) };
}

function nlri(family: Family, prefixes: readonly string[]): Nlri[] {
  return prefixes.length === 0 ? [] : [{ family, prefixes }];
}

function networkField(what: string): BgpError {
  return new BgpError(ErrorCode.update, UpdateError.networkField, what);
}

/**
 * RFC 7606 section 3 (d): routes without what every route must have are treated as withdrawn. So are those whose next hop
 * is nobody's address (RFC 4271 section 6.3 has such routes ignored).
 */
function unusable({ origin, asPath, nextHop }: PathAttributes, needsNextHop: boolean): string | undefined {
  if (origin === undefined) return "ORIGIN is missing";
  if (asPath === undefined) return "AS_PATH is missing";
  if (!needsNextHop) return undefined;
  if (nextHop === undefined) return "NEXT_HOP is missing";
  return isHost(nextHop) ? undefined : `NEXT_HOP ${nextHop} is no host`;
}

/** Not of "this" network, not loopback, neither multicast nor reserved (RFC 1122 section 3.2.1.3). */
function isHost(address: string): boolean {
  const first = Number(address.split(".", 1)[0]);
  return first > 0 && first !== 127 && first < 224;
}

function endOfRibOf({ mpUnreach }: PathAttributes, attributeBytes: number): Family | undefined {
  if (attributeBytes === 0) return "IPv4";
  return mpUnreach?.family;
}

const NONE = Buffer.alloc(0);

export function encodeUpdate(parts: {
  readonly withdrawn?: Buffer;
  readonly attributes?: Buffer;
  readonly nlri?: Buffer;
}): Buffer {
  const { withdrawn = NONE, attributes = NONE, nlri: prefixes = NONE } = parts;
  return Buffer.concat([u16be(withdrawn.length), withdrawn, u16be(attributes.length), attributes, prefixes]);
}

/** Says that all routes of the family were told. */
export function encodeEndOfRib(family: Family, context: AttributeContext): Buffer {
  if (family === "IPv4") return encodeUpdate({});
  return encodeUpdate({ attributes: encodeAttributes({ mpUnreach: { family, nlri: NONE } }, context) });
}
