/** Routes (rtnetlink(7), struct rtmsg): the local ones of our own table, and the way that the kernel would go. */
import type { Family } from "#api/address.ts";
import { attributes } from "./attribute.ts";
import {
  address,
  align,
  type Codec,
  DecodeError,
  formatAddress,
  parseAddress,
  raw,
  readU16,
  readU32,
  u32,
  writeU32,
} from "./bytes.ts";
import { AF_INET, AF_INET6, domainOf, domainOfAddress } from "./domain.ts";
import { isErrno } from "./error.ts";
import { FLAG } from "./header.ts";
import type { NetlinkSocket, Request, Unanswered } from "./socket.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const HEADER = 12;
const TABLE_COMPAT = 252;
export const TYPE_LOCAL = 2;
const SCOPE_HOST = 254;
const SCOPE_NOWHERE = 255;
const RTM_F_LOOKUP_TABLE = 0x1000;
/** Answer with the entry of the table, and not with what becomes of it for one address. */
const RTM_F_FIB_MATCH = 0x2000;

/** Marks our routes and rules (rt_protos: 192 and above are free for administrators). */
export const ROUTE_PROTOCOL = 207;

const metrics = attributes({ mtu: [2, u32] });
const fields = attributes({
  destination: [1, address],
  link: [4, u32],
  gateway: [5, address],
  priority: [6, u32],
  metrics: [8, metrics],
  table: [15, u32],
  mark: [16, u32],
});

/** Only for reading. */
const ways = attributes({ link: [4, u32], gateway: [5, address], hops: [9, raw] });
const NEXT_HOP = 8;

export interface Route {
  /** Text; undefined for a default route. */
  destination?: string;
  prefixLength: number;
  table: number;
  protocol: number;
  type: number;
  link?: number;
  /** Of a way that was asked for. */
  gateway?: string;
  mtu?: number;
}

const bitsOf = (family: number): number => (family === AF_INET6 ? 128 : 32);

/** struct rtmsg: family, destination length, source length, tos, table, protocol, scope, type, flags. */
function header(
  family: number,
  values: { length: number; protocol: number; scope: number; type: number },
): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt8(values.length, 1);
  bytes.writeUInt8(values.protocol === 0 ? 0 : TABLE_COMPAT, 4);
  bytes.writeUInt8(values.protocol, 5);
  bytes.writeUInt8(values.scope, 6);
  bytes.writeUInt8(values.type, 7);
  return bytes;
}

export const routeCodec: Codec<Route> = {
  encode(route) {
    const family = route.destination === undefined ? AF_INET : domainOfAddress(route.destination);
    const scope = route.type === TYPE_LOCAL ? SCOPE_HOST : 0;
    return Buffer.concat([
      header(family, { length: route.prefixLength, protocol: route.protocol, scope, type: route.type }),
      fields.encode({
        ...(route.destination === undefined ? {} : { destination: route.destination }),
        ...(route.link === undefined ? {} : { link: route.link }),
        table: route.table,
      }),
    ]);
  },
  decode(payload) {
    if (payload.length < HEADER) throw new DecodeError(`a route of ${payload.length} bytes`);
    const decoded = fields.decode(payload.subarray(align(HEADER)));
    return {
      ...(decoded.destination === undefined ? {} : { destination: decoded.destination }),
      prefixLength: payload.readUInt8(1),
      table: decoded.table ?? payload.readUInt8(4),
      protocol: payload.readUInt8(5),
      type: payload.readUInt8(7),
      ...(decoded.link === undefined ? {} : { link: decoded.link }),
      ...(decoded.gateway === undefined ? {} : { gateway: decoded.gateway }),
      ...(decoded.metrics?.mtu === undefined ? {} : { mtu: decoded.metrics.mtu }),
    };
  },
};

/** `local VIP dev lo table N`: the address is this machine's for packets that are led to the table. */
export function localRoute(vip: string, table: number, loopback: number): Route {
  return {
    destination: vip,
    prefixLength: bitsOf(domainOfAddress(vip)),
    table,
    protocol: ROUTE_PROTOCOL,
    type: TYPE_LOCAL,
    link: loopback,
  };
}

export function addRoute(route: Route): Request {
  return {
    type: RTM_NEWROUTE,
    flags: FLAG.create | FLAG.replace,
    payload: routeCodec.encode(route),
    attempt: `add route ${route.destination} to table ${route.table}`,
  };
}

export function removeRoute(route: Route): Request {
  const payload = routeCodec.encode(route);
  payload.writeUInt8(SCOPE_NOWHERE, 6);
  return {
    type: RTM_DELROUTE,
    payload,
    attempt: `remove route ${route.destination} from table ${route.table}`,
  };
}

/** The routes of one table that have our protocol number, part by part. */
export function* walkOwnRoutes(
  socket: Pick<NetlinkSocket, "walk">,
  family: number,
  table: number,
): Generator<readonly Route[], void> {
  const payload = Buffer.concat([
    header(family, { length: 0, protocol: 0, scope: 0, type: 0 }),
    fields.encode({ table }),
  ]);
  const request = { type: RTM_GETROUTE, payload, attempt: `list routes of table ${table}` };
  try {
    for (const part of socket.walk(request)) {
      yield part
        .map((message) => routeCodec.decode(message.payload))
        .filter((route) => route.table === table && route.protocol === ROUTE_PROTOCOL);
    }
  } catch (error) {
    // Strict checking answers ENOENT while the table has never had a route.
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** The way of packets with a mark, as the rules for it lead them, or why there is none; in the order of the addresses. */
export function waysWithMark(
  socket: Pick<NetlinkSocket, "gets">,
  addresses: readonly string[],
  mark: number,
): (Route | Unanswered)[] {
  const requests = addresses.map((destination) => {
    const family = domainOfAddress(destination);
    const head = header(family, { length: bitsOf(family), protocol: 0, scope: 0, type: 0 });
    // IPv6 tells its table unasked, and refuses to be asked.
    if (family === AF_INET) writeU32(head, RTM_F_LOOKUP_TABLE, 8);
    const payload = Buffer.concat([head, fields.encode({ destination, mark })]);
    return { type: RTM_GETROUTE, payload, attempt: `find the route to ${destination}` };
  });
  return socket
    .gets(requests)
    .map((answer) => ("payload" in answer ? routeCodec.decode(answer.payload) : answer));
}

/** Which link, and which path MTU if the route has one, the kernel takes to an address. Throws ENETUNREACH. */
export function routeTo(socket: NetlinkSocket, destination: string): Route {
  const family = domainOfAddress(destination);
  const payload = Buffer.concat([
    header(family, { length: bitsOf(family), protocol: 0, scope: 0, type: 0 }),
    fields.encode({ destination }),
  ]);
  const answer = socket.get({ type: RTM_GETROUTE, payload, attempt: `find the route to ${destination}` });
  return routeCodec.decode(answer.payload);
}

/** Two addresses that nobody has, so that only a default route leads there: of class E, and outside of 2000::/3. */
const AFAR: Readonly<Record<Family, string>> = { IPv4: "240.0.0.1", IPv6: "4000::1" };

export interface Gateway {
  readonly address: string;
  /** Number of the link. */
  readonly link: number;
}

/**
 * Where the kernel sends what it knows no other way for: of several default routes that of the lowest metric, of several
 * next hops the first by address. undefined: there is none, or it has no address of the family.
 */
export function defaultGateway(socket: Pick<NetlinkSocket, "gets">, family: Family): Gateway | undefined {
  const domain = domainOf(family);
  const head = header(domain, { length: bitsOf(domain), protocol: 0, scope: 0, type: 0 });
  writeU32(head, RTM_F_FIB_MATCH, 8);
  const payload = Buffer.concat([head, fields.encode({ destination: AFAR[family] })]);
  const [answer] = socket.gets([
    { type: RTM_GETROUTE, payload, attempt: `find the default route of ${family}` },
  ]);
  return answer !== undefined && "payload" in answer ? decodeGateway(answer.payload) : undefined;
}

/** Of a default route; undefined for every other. Throws DecodeError. */
export function decodeGateway(payload: Buffer): Gateway | undefined {
  if (payload.length < HEADER) throw new DecodeError(`a route of ${payload.length} bytes`);
  if (payload.readUInt8(1) !== 0) return undefined;
  const { gateway, link, hops } = ways.decode(payload.subarray(align(HEADER)));
  if (gateway !== undefined && link !== undefined) return { address: gateway, link };
  const [first] = nextHops(hops ?? Buffer.alloc(0)).sort((a, b) => (a.address < b.address ? -1 : 1));
  return first;
}

/** struct rtnexthop: u16 length, u8 flags, u8 weight, int link, attributes. */
function nextHops(bytes: Buffer): Gateway[] {
  const found: Gateway[] = [];
  for (let at = 0; at + NEXT_HOP <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < NEXT_HOP || at + length > bytes.length)
      throw new DecodeError(`a next hop of ${length} bytes`);
    const { gateway } = ways.decode(bytes.subarray(at + NEXT_HOP, at + length));
    if (gateway !== undefined) found.push({ address: gateway, link: readU32(bytes, at + 4) });
    at += align(length);
  }
  return found;
}

/** One spelling for an address. */
export const canonical = (text: string): string => formatAddress(parseAddress(text));
