/** Options of TCP sockets that Node cannot set: hop limits both ways, the device. Signatures are in tcp-key.ts. */

import type { Family } from "#api/address.ts";
import { int } from "./sockaddr.ts";
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
  tcpInfo: 11,
} as const;
/** struct tcp_info up to tcpi_bytes_acked (u64; Linux 4.1 and later), in the machine's byte order. */
const INFO = { bytes: 128, acknowledged: 120 } as const;
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
