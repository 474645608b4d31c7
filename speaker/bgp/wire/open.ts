/** OPEN (RFC 4271 section 4.2, RFC 6793, RFC 9072). */
import { formatAddress, parseAddress } from "#api/address.ts";
import { type Capabilities, decodeCapabilities, encodeCapabilities } from "./capability.ts";
import { BgpError, ErrorCode, OpenError } from "./error.ts";
import { Reader, u16be } from "./reader.ts";

export const VERSION = 4;
/** Stands in the 2-octet field for a number that needs four (RFC 6793). */
export const AS_TRANS = 23_456;
const CAPABILITIES = 2;
/** RFC 9072 section 2: a first type of 255 says that lengths have two octets; the length before it says nothing then. */
const EXTENDED = 255;

export interface Open {
  readonly version: number;
  /** Of the capability where there is one, else of the 2-octet field. */
  readonly asn: number;
  readonly holdTimeSeconds: number;
  /** Dotted quad. */
  readonly routerId: string;
  readonly capabilities: Capabilities;
}

export function encodeOpen(open: Open): Buffer {
  const capabilities = encodeCapabilities({ ...open.capabilities, asn: open.asn });
  const parameter = Buffer.concat([Buffer.from([CAPABILITIES, capabilities.length]), capabilities]);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt8(open.version, 0);
  fixed.writeUInt16BE(open.asn > 0xffff ? AS_TRANS : open.asn, 1);
  fixed.writeUInt16BE(open.holdTimeSeconds, 3);
  fixed.writeUInt32BE(Number(parseAddress(open.routerId)?.value ?? 0n), 5);
  fixed.writeUInt8(parameter.length, 9);
  return Buffer.concat([fixed, parameter]);
}

/** BgpError (code 2) for what cannot be read or has another version; what it asks for is judged elsewhere. */
export function decodeOpen(body: Buffer): Open {
  const reader = new Reader(body, malformed);
  const version = reader.u8("version");
  if (version !== VERSION) {
    throw new BgpError(ErrorCode.open, OpenError.version, `version ${version}`, u16be(VERSION));
  }
  const shortAsn = reader.u16("AS number");
  const holdTimeSeconds = reader.u16("hold time");
  const value = BigInt(reader.u32("identifier"));
  const capabilities = decodeCapabilities(Buffer.concat(parameters(reader)));
  const asn = capabilities.asn ?? shortAsn;
  return { version, asn, holdTimeSeconds, routerId: formatAddress({ family: "IPv4", value }), capabilities };
}

/** The values of all parameters that hold capabilities. */
function parameters(reader: Reader): Buffer[] {
  const length = reader.u8("length of the optional parameters");
  const first = reader.left > 0 ? reader.u8("optional parameter type") : 0;
  const isExtended = length !== 0 && first === EXTENDED;
  const size = isExtended ? reader.u16("length of the optional parameters") : length;
  const have = reader.left + (isExtended || length === 0 ? 0 : 1);
  if (size !== have || (length === 0 && first !== 0)) throw malformed("the list of optional parameters");
  const found: Buffer[] = [];
  let type = isExtended || length === 0 ? undefined : first;
  while (reader.left > 0 || type !== undefined) {
    type ??= reader.u8("optional parameter type");
    const value = reader.bytes(
      isExtended ? reader.u16("parameter length") : reader.u8("parameter length"),
      `optional parameter ${type}`,
    );
    if (type !== CAPABILITIES) {
      throw new BgpError(ErrorCode.open, OpenError.optionalParameter, `optional parameter ${type}`);
    }
    found.push(value);
    type = undefined;
  }
  return found;
}

function malformed(what: string): BgpError {
  return new BgpError(ErrorCode.open, 0, `${what} is cut short or too long`);
}
