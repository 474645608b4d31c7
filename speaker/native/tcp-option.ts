/** Options of TCP sockets that Node cannot set: hop limits both ways, MD5 signatures, the device. */

import type { Family } from "#api/address.ts";
import type { Password } from "../known/password.ts";
import { int, short, sockaddr } from "./sockaddr.ts";
import { SocketError } from "./socket.ts";

/** Options that a connection has from its first packet on, outgoing or accepted. */
export interface TcpOptions {
  /** Of outgoing packets: 1 for a direct peer, 255 for GTSM; the kernel's own when not given. */
  readonly ttl?: number;
  /** Packets that arrive with less are dropped by the kernel, the handshake's too (RFC 5082). */
  readonly minTtl?: number;
  /** Of outgoing packets: the octet that DSCP is the upper part of (RFC 2474); 0 when not given. */
  readonly trafficClass?: number;
}

/** Whose segments a key is for. */
export interface Md5Peer {
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  /** Scope of a link-local address. */
  readonly link?: string;
  /** The key is for all addresses that have so many bits in common with this one (Linux 4.13 and later). */
  readonly prefixLength?: number;
}

export const IPPROTO = { ip: 0, tcp: 6, ipv6: 41 } as const;
export const SOL_SOCKET = 1;
/** socket(7), ip(7), ipv6(7), linux/tcp.h. */
export const OPTION = {
  reuseAddress: 2,
  bindToDevice: 25,
  ipTos: 1,
  ipTtl: 2,
  ipMinTtl: 21,
  ipv6TrafficClass: 67,
  ipv6UnicastHops: 16,
  ipv6MinHopCount: 73,
  ipv6Only: 26,
  noDelay: 1,
  md5Signature: 14,
  md5SignatureOfPrefix: 32,
  tcpInfo: 11,
} as const;
/** struct tcp_info up to tcpi_bytes_acked (u64; Linux 4.1 and later), in the machine's byte order. */
const INFO = { bytes: 128, acknowledged: 120 } as const;
/** struct tcp_md5sig: sockaddr_storage, u8 flags, u8 prefix length, u16 key length, int interface, key. */
const MD5 = {
  ...{ bytes: 216, flags: 128, prefixLength: 129, keyLength: 130, key: 136 },
  longest: 80,
  flagPrefix: 1,
} as const;

/** DSCP CS6, network control (RFC 4594 section 3.1): what keeps routes alive goes before what they carry. */
export const CLASS_CS6 = 0xc0;

export type SetOption = (level: number, name: number, value: Buffer) => void;

/** Hop limits of what goes out and of what may come in, and how routers on the way are to treat it. */
export function limitHops(set: SetOption, family: Family, { ttl, minTtl, trafficClass }: TcpOptions): void {
  const isIpv4 = family === "IPv4";
  const level = isIpv4 ? IPPROTO.ip : IPPROTO.ipv6;
  if (ttl !== undefined) set(level, isIpv4 ? OPTION.ipTtl : OPTION.ipv6UnicastHops, int(ttl));
  if (minTtl !== undefined) set(level, isIpv4 ? OPTION.ipMinTtl : OPTION.ipv6MinHopCount, int(minTtl));
  if (trafficClass !== undefined) {
    set(level, isIpv4 ? OPTION.ipTos : OPTION.ipv6TrafficClass, int(trafficClass));
  }
}

/** Signs what goes to the peer and refuses what it does not sign so; undefined: takes the key away. */
export function signWith(set: SetOption, peer: Md5Peer, password: Password | undefined): void {
  const key = Buffer.from(password?.reveal() ?? "");
  if (key.length > MD5.longest) {
    const message = `the password is longer than ${MD5.longest} bytes`;
    throw new SocketError({ syscall: "setsockopt", code: "EINVAL", errno: 22, message });
  }
  const value = Buffer.alloc(MD5.bytes);
  sockaddr(peer).copy(value);
  short(key.length).copy(value, MD5.keyLength);
  key.copy(value, MD5.key);
  const { prefixLength } = peer;
  if (prefixLength !== undefined) {
    value.writeUInt8(MD5.flagPrefix, MD5.flags);
    value.writeUInt8(prefixLength, MD5.prefixLength);
  }
  const option = prefixLength === undefined ? OPTION.md5Signature : OPTION.md5SignatureOfPrefix;
  try {
    set(IPPROTO.tcp, option, value);
  } catch (error) {
    // No key is what was asked for.
    if (password === undefined && error instanceof SocketError && error.code === "ENOENT") return;
    throw error;
  }
}

/** Bytes that the peer has confirmed, out of what TCP_INFO gave. */
export function acknowledgedOf(read: (level: number, name: number, into: Buffer) => number): number {
  const info = Buffer.alloc(INFO.bytes);
  const length = read(IPPROTO.tcp, OPTION.tcpInfo, info);
  if (length < INFO.bytes) {
    const message = `TCP_INFO has ${length} bytes`;
    throw new SocketError({ syscall: "getsockopt", code: "ENOPROTOOPT", errno: 92, message });
  }
  return Number(new BigUint64Array(info.buffer, info.byteOffset + INFO.acknowledged, 1)[0] ?? 0n);
}

/** Only this link: what comes in elsewhere is not seen. */
export function bindToLink(set: SetOption, link: string | undefined): void {
  if (link !== undefined) set(SOL_SOCKET, OPTION.bindToDevice, Buffer.from(`${link}\0`));
}
