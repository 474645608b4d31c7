/** Errors of the protocol: what a NOTIFICATION carries (RFC 4271 section 4.5 and 6). */

export const ErrorCode = {
  header: 1,
  open: 2,
  update: 3,
  holdTimer: 4,
  fsm: 5,
  cease: 6,
  routeRefresh: 7,
  /** RFC 9687. */
  sendHoldTimer: 8,
} as const;

export const HeaderError = { notSynchronized: 1, badLength: 2, badType: 3 } as const;
/** RFC 4271 section 6.2, RFC 5492 (7), RFC 9234 (11). */
export const OpenError = {
  version: 1,
  peerAsn: 2,
  identifier: 3,
  optionalParameter: 4,
  /** Of RFC 1771; old routers still say it. */
  authentication: 5,
  holdTime: 6,
  capability: 7,
  roleMismatch: 11,
} as const;
export const UpdateError = {
  attributeList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  attributeFlags: 4,
  attributeLength: 5,
  origin: 6,
  /** Of RFC 1771. */
  routingLoop: 7,
  nextHop: 8,
  optionalAttribute: 9,
  networkField: 10,
  asPath: 11,
} as const;
/** RFC 4486, RFC 8538 (9), RFC 9384 (10). */
export const Cease = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  collision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** RFC 6608. */
const FsmError = { unexpectedInOpenSent: 1, unexpectedInOpenConfirm: 2, unexpectedInEstablished: 3 } as const;
/** RFC 7313 section 5. */
const RefreshError = { invalidLength: 1 } as const;

const NAMES: Readonly<Record<number, readonly [name: string, subcodes: Readonly<Record<string, number>>]>> = {
  [ErrorCode.header]: ["message header error", HeaderError],
  [ErrorCode.open]: ["OPEN error", OpenError],
  [ErrorCode.update]: ["UPDATE error", UpdateError],
  [ErrorCode.holdTimer]: ["hold timer expired", {}],
  [ErrorCode.fsm]: ["finite state machine error", FsmError],
  [ErrorCode.cease]: ["cease", Cease],
  [ErrorCode.routeRefresh]: ["ROUTE-REFRESH error", RefreshError],
  [ErrorCode.sendHoldTimer]: ["send hold timer expired", {}],
};

const NO_DATA = Buffer.alloc(0);

/** Ends the session: code and subcode go to the peer. The only error that a decoder of BGP throws. */
export class BgpError extends Error {
  override readonly name = "BgpError";
  readonly code: number;
  readonly subcode: number;
  readonly data: Buffer;
  /** Its words without the name. */
  readonly detail: string;

  constructor(code: number, subcode: number, detail: string, data: Buffer = NO_DATA) {
    super(`${nameOf(code, subcode)}${detail === "" ? "" : `: ${detail}`}`);
    this.code = code;
    this.subcode = subcode;
    this.data = data;
    this.detail = detail;
  }
}

/** `cease (administrativeShutdown)`. */
export function nameOf(code: number, subcode: number): string {
  const [name, subcodes] = NAMES[code] ?? [`error ${code}`, {}];
  const sub = Object.entries(subcodes).find(([, value]) => value === subcode)?.[0];
  if (sub !== undefined) return `${name} (${sub})`;
  return subcode === 0 ? name : `${name} (${subcode})`;
}
