/** ROUTE-REFRESH (RFC 2918) with the marks of RFC 7313. */
import type { Family } from "#api/address.ts";
import { BgpError, ErrorCode } from "./error.ts";
import { AFI, familyOfAfi, SAFI_UNICAST } from "./family.ts";
import { encodeMessage, MessageType } from "./header.ts";
import { u16be } from "./reader.ts";

export const RefreshKind = { request: 0, begin: 1, end: 2 } as const;
const INVALID_LENGTH = 1;

export interface Refresh {
  /** undefined: one that we do not speak. */
  readonly family: Family | undefined;
  readonly kind: number;
}

export function encodeRefresh(family: Family, kind: number): Buffer {
  return Buffer.concat([u16be(AFI[family]), Buffer.from([kind, SAFI_UNICAST])]);
}

export function decodeRefresh(body: Buffer): Refresh {
  if (body.length !== 4) {
    // RFC 7313 section 5: with the whole message.
    const whole = encodeMessage(MessageType.routeRefresh, body);
    throw new BgpError(ErrorCode.routeRefresh, INVALID_LENGTH, `${body.length} octets instead of 4`, whole);
  }
  return { family: familyOfAfi(body.readUInt16BE(0), body.readUInt8(3)), kind: body.readUInt8(2) };
}
