/**
 * The list of path attributes of an UPDATE, written and read (RFC 4271 section 4.3). What of it is broken costs as little
 * as RFC 7606 allows: an attribute, the routes of the UPDATE, or the session.
 */
import {
  ATTRIBUTES,
  type AttributeContext,
  broken,
  CHECKED,
  type Known,
  OPTIONAL,
  type PathAttributes,
  TRANSITIVE,
} from "./attribute.ts";
import { BgpError, UpdateError } from "./error.ts";
import { Reader, u16be } from "./reader.ts";

const EXTENDED_LENGTH = 0x10;

interface Row {
  /** undefined: looked at, and of no use to us. */
  readonly name: keyof PathAttributes | undefined;
  readonly known: Known<unknown>;
}

/** In the order of their codes, as RFC 4271 section 5 asks for. */
const WRITTEN = (Object.keys(ATTRIBUTES) as (keyof PathAttributes)[]).sort(
  (a, b) => ATTRIBUTES[a].code - ATTRIBUTES[b].code,
);

const BY_CODE: ReadonlyMap<number, Row> = new Map([
  ...WRITTEN.map((name): [number, Row] => [ATTRIBUTES[name].code, { name, known: ATTRIBUTES[name] }]),
  ...CHECKED.map((known): [number, Row] => [known.code, { name: undefined, known }]),
]);

export function encodeAttributes(attributes: PathAttributes, context: AttributeContext): Buffer {
  const parts: Buffer[] = [];
  for (const name of WRITTEN) {
    const value = attributes[name];
    if (value === undefined) continue;
    const { code, flags, encode } = ATTRIBUTES[name];
    // The value is the one of this name.
    const body = (encode as (value: unknown, context: AttributeContext) => Buffer)(value, context);
    const isLong = body.length > 255;
    const length = isLong ? u16be(body.length) : Buffer.from([body.length]);
    parts.push(Buffer.from([flags | (isLong ? EXTENDED_LENGTH : 0), code]), length, body);
  }
  return Buffer.concat(parts);
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  /** Why the routes of this UPDATE are to be treated as withdrawn (RFC 7606 section 2). */
  readonly withdraw: BgpError | undefined;
  /** There is an MP_REACH_NLRI, of whatever family. */
  readonly hasReach: boolean;
}

/** BgpError (code 3) only where the session has to end: the routes of the UPDATE cannot be told any more. */
export function decodeAttributes(bytes: Buffer, context: AttributeContext): DecodedAttributes {
  const attributes: PathAttributes = {};
  const seen = new Set<number>();
  let withdraw: BgpError | undefined;
  const reader = new Reader(bytes, (what) => broken(UpdateError.attributeLength, what));
  while (reader.left > 0) {
    let raw: RawAttribute;
    try {
      raw = readAttribute(reader);
    } catch (error) {
      // RFC 7606 section 4: what follows cannot be found, so the routes go.
      if (!(error instanceof BgpError)) throw error;
      return { attributes, withdraw: withdraw ?? error, hasReach: attributes.mpReach !== undefined };
    }
    const isFirst = !seen.has(raw.code);
    seen.add(raw.code);
    const row = BY_CODE.get(raw.code);
    if (!isFirst) {
      // RFC 7606 section 3 (g): a second one is discarded, but for those that carry routes.
      if (row?.known.onError === "reset")
        throw broken(UpdateError.attributeList, `${titleOf(raw.code)} twice`);
      continue;
    }
    if (row === undefined) {
      if ((raw.flags & OPTIONAL) === 0)
        throw broken(UpdateError.unrecognizedWellKnown, titleOf(raw.code), raw.bytes);
      continue;
    }
    // The first fault that was found is the one that is told.
    const fault = readKnown({ row, raw, attributes, context });
    withdraw ??= fault;
  }
  return { attributes, withdraw, hasReach: seen.has(ATTRIBUTES.mpReach.code) };
}

/** `AGGREGATOR`, or `attribute 99`. */
function titleOf(code: number): string {
  return BY_CODE.get(code)?.known.title ?? `attribute ${code}`;
}

interface RawAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Buffer;
  /** All of it: what a NOTIFICATION has of an attribute (RFC 4271 section 6.3). */
  readonly bytes: Buffer;
}

function readAttribute(reader: Reader): RawAttribute {
  const whole = reader.ahead();
  const flags = reader.u8("attribute flags");
  const code = reader.u8("attribute type");
  const isLong = (flags & EXTENDED_LENGTH) !== 0;
  const length = isLong ? reader.u16("attribute length") : reader.u8("attribute length");
  const value = reader.bytes(length, titleOf(code));
  return { flags, code, value, bytes: whole.subarray(0, whole.length - reader.left) };
}

/** Why the routes are to go, if they are. */
function readKnown(reading: {
  readonly row: Row;
  readonly raw: RawAttribute;
  readonly attributes: PathAttributes;
  readonly context: AttributeContext;
}): BgpError | undefined {
  const { row, raw, context } = reading;
  const { known } = row;
  // RFC 7606 sections 7.5, 7.9, 7.10: from another AS it is discarded, broken or not.
  if (known.isInternalOnly === true && context.isInternal !== true) return undefined;
  if (((raw.flags ^ known.flags) & (OPTIONAL | TRANSITIVE)) !== 0) {
    // RFC 7606 section 3 (c): the routes can be told, whichever attribute it is.
    const why = `flags 0x${raw.flags.toString(16)} of ${known.title}`;
    readValue(reading);
    return broken(UpdateError.attributeFlags, why, raw.bytes);
  }
  return readValue(reading);
}

function readValue({ row, raw, attributes, context }: Parameters<typeof readKnown>[0]): BgpError | undefined {
  const { known, name } = row;
  try {
    const value = new Reader(raw.value, (what) => broken(UpdateError.attributeLength, what));
    const decoded = known.decode(value, context);
    if (value.left > 0) throw broken(UpdateError.attributeLength, `${value.left} octets too long`);
    if (decoded !== undefined && name !== undefined) Object.assign(attributes, { [name]: decoded });
    return undefined;
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    const told = broken(error.subcode, `${known.title}: ${error.detail}`, raw.bytes);
    if (known.onError === "reset") throw told;
    return known.onError === "withdraw" ? told : undefined;
  }
}
