/** How sessions reach their peers: TCP as speaker/native/tcp.ts has it, and nothing of BGP. */
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type Family, familyOf } from "#api/address.ts";
import {
  type AcceptedConnection,
  acknowledgedBytes,
  connectTcp,
  listenTcp,
  setHopLimits,
  setMd5,
  type TcpListener,
} from "#speaker/native/tcp.ts";
import type { SegmentKey } from "#speaker/native/tcp-key.ts";
import { CLASS_CS6 } from "#speaker/native/tcp-option.ts";
import type { Password } from "../known/password.ts";
import { CONNECT_TIMEOUT_MS } from "./machine.ts";
import type { LinkAddress } from "./next-hop.ts";
import type { PeerSettings } from "./types.ts";

export interface Transport {
  connect(settings: PeerSettings, address: string, signal: AbortSignal): Promise<Socket>;
  /** `vrf`: only what comes in by links of this VRF device. */
  listen(family: Family, port: number, events: ListenEvents, vrf?: string): TcpListener;
  /** Changes the password of a live connection that is signed by MD5; throws where the kernel cannot. */
  changePassword(socket: Socket, address: string, link: string | undefined, password: Password): void;
  /** Gives an accepted connection the hop limits of its peer; throws where the kernel cannot. */
  limitHops(socket: Socket, ttl: PeerSettings["ttl"]): void;
  /** The addresses of this node's links. */
  linkAddresses(): readonly LinkAddress[];
  /** Bytes that the peer's side has confirmed; it grows as long as the peer takes what is sent. */
  acknowledged(socket: Socket): number;
}

export interface ListenEvents {
  onConnection(connection: AcceptedConnection): void;
  onError(error: Error): void;
}

/** Farther than any network is wide. */
const FAR = 255;

export const tcpTransport: Transport = {
  connect({ port, ttl, link, vrf, sourceAddress, ...settings }, address, signal) {
    // A link of a VRF is in it.
    const device = link ?? vrf;
    const key = keyOf(settings);
    return connectTcp({
      family: familyOf(address),
      address,
      port,
      timeoutMs: CONNECT_TIMEOUT_MS,
      trafficClass: CLASS_CS6,
      signal,
      ...hops(ttl),
      ...(device !== undefined && { link: device }),
      ...(sourceAddress !== undefined && { sourceAddress }),
      ...(key !== undefined && { key }),
    });
  },
  // The kernel answers with 255 hops to live, which direct, distant and GTSM peers all accept. Who has connected is known
  // only afterwards; then limitHops sets what is right for that peer.
  listen: (family, port, events, vrf) =>
    listenTcp({
      ...{ family, port, ttl: FAR, trafficClass: CLASS_CS6 },
      ...events,
      ...(vrf !== undefined && { link: vrf }),
    }),
  changePassword(socket, address, link, password) {
    setMd5(socket, { family: familyOf(address), address, ...(link !== undefined && { link }) }, password);
  },
  limitHops: (socket, ttl) => setHopLimits(socket, hops(ttl)),
  linkAddresses: () =>
    Object.entries(networkInterfaces()).flatMap(([link, addresses = []]) =>
      addresses.map(({ address, cidr }) => ({ link, address, prefix: cidr ?? address })),
    ),
  acknowledged: acknowledgedBytes,
};

/** What signs the peer's connections, if anything does. */
export function keyOf({ password, tcpAo }: Pick<PeerSettings, "password" | "tcpAo">): SegmentKey | undefined {
  return password && { password, ...(tcpAo !== undefined && { ao: tcpAo }) };
}

function hops(ttl: PeerSettings["ttl"]): { ttl: number; minTtl?: number } {
  switch (ttl.kind) {
    case "direct":
      return { ttl: 1 };
    case "multihop":
      return { ttl: ttl.hops ?? FAR };
    case "gtsm":
      return { ttl: FAR, minTtl: FAR + 1 - ttl.hops };
  }
}
