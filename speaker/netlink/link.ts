/** Links (struct ifinfomsg): list, up and down, new ones, and the group that hears when one changes. */
import { attributes } from "./attribute.ts";
import { address, DecodeError, raw, readI32, readU16, readU32, text, u8, u32, writeU32 } from "./bytes.ts";
import { FLAG } from "./header.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const HEADER = 16;
export const LINK_GROUP = 1;

const IFF = { up: 0x1, loopback: 0x8, pointToPoint: 0x10, noArp: 0x80, lowerUp: 0x10000 } as const;

const info = attributes({ kind: [1, text] });
const fields = attributes({
  address: [1, raw],
  name: [3, text],
  mtu: [4, u32],
  parent: [5, u32],
  master: [10, u32],
  info: [18, info],
  carrier: [33, u8],
});

export interface Link {
  index: number;
  name: string;
  /** Hardware address as hex without separators; empty if there is none. */
  hardwareAddress: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  type: number;
  mtu: number;
  isUp: boolean;
  hasCarrier: boolean;
  isLoopback: boolean;
  /** Answers ARP: an Ethernet without NOARP, not point to point. */
  hasNeighbors: boolean;
  master?: number;
  /** "veth", "bridge", "ipip" ...; absent for real cards. */
  kind?: string;
}

export function decodeLink(payload: Buffer): Link {
  if (payload.length < HEADER) throw new DecodeError(`a link of ${payload.length} bytes`);
  const decoded = fields.decode(payload.subarray(HEADER));
  const flags = readU32(payload, 8);
  const type = readU16(payload, 2);
  return {
    index: readI32(payload, 4),
    name: decoded.name ?? "",
    hardwareAddress: decoded.address?.toString("hex") ?? "",
    type,
    mtu: decoded.mtu ?? 0,
    isUp: (flags & IFF.up) !== 0,
    hasCarrier: (flags & IFF.lowerUp) !== 0,
    isLoopback: (flags & IFF.loopback) !== 0,
    hasNeighbors: type === 1 && (flags & (IFF.noArp | IFF.pointToPoint)) === 0,
    ...(decoded.master === undefined ? {} : { master: decoded.master }),
    ...(decoded.info?.kind === undefined ? {} : { kind: decoded.info.kind }),
  };
}

export function listLinks(socket: NetlinkSocket): Link[] {
  return socket
    .dump({ type: RTM_GETLINK, payload: Buffer.alloc(HEADER), attempt: "list links" })
    .map((message) => decodeLink(message.payload));
}

function setFlags(index: number, flags: number): Buffer {
  const header = Buffer.alloc(HEADER);
  writeU32(header, index, 4);
  writeU32(header, flags, 8);
  writeU32(header, IFF.up, 12);
  return header;
}

export const setLinkUp = (link: Pick<Link, "index" | "name">, isUp: boolean): Request => ({
  type: RTM_NEWLINK,
  payload: setFlags(link.index, isUp ? IFF.up : 0),
  attempt: `set link ${link.name} ${isUp ? "up" : "down"}`,
});

/** What a tunnel takes packets by (linux/if_tunnel.h, IFLA_IPTUN_*, IFLA_GRE_*): its own outer address, and what is inside. */
export interface TunnelEnd {
  readonly local: string;
  /** 41: IPv6 and nothing else. For the kind ip6tnl alone. */
  readonly protocol?: number;
}

// Only for writing: what a link of another kind has at these numbers is something else.
const newLink = attributes({
  name: [3, text],
  info: [
    18,
    attributes({
      kind: [1, text],
      data: [2, attributes({ local: [2, address], protocol: [9, u8] })],
      gre: [2, attributes({ local: [6, address] })],
    }),
  ],
});
/** Kinds whose attributes are IFLA_GRE_*. */
const GRE_KINDS: readonly string[] = ["gre", "ip6gre"];

/** A new link of a kind; the request makes the kernel load the module for it. */
export const addLink = (name: string, kind: string, data?: TunnelEnd): Request => ({
  type: RTM_NEWLINK,
  flags: FLAG.create | FLAG.exclusive,
  payload: Buffer.concat([
    Buffer.alloc(HEADER),
    newLink.encode({
      name,
      info: { kind, ...(data && (GRE_KINDS.includes(kind) ? { gre: data } : { data })) },
    }),
  ]),
  attempt: `add ${kind} link ${name}`,
});

export const removeLink = (link: Pick<Link, "index" | "name">): Request => ({
  type: RTM_DELLINK,
  payload: setFlags(link.index, 0),
  attempt: `remove link ${link.name}`,
});
