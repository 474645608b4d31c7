/**
 * Unnumbered peers: the router on a link is who sends router advertisements there, as the kernel notes; and routers
 * such as FRR learn this node in the same way, so it sends them too, with a lifetime of 0: no host takes it for its
 * default router (RFC 4861 section 4.2).
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { int, sockaddr } from "#speaker/native/sockaddr.ts";
import { SOCK, Socket, SocketError } from "#speaker/native/socket.ts";
import { AF_INET6 } from "#speaker/netlink/domain.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import { listNeighbors, type Neighbor } from "#speaker/netlink/neighbor.ts";
import { NetlinkSocket, PROTOCOL } from "#speaker/netlink/socket.ts";

export interface OnLink {
  /**
   * The link-local address of the link's router, once one has been heard; of several, the first by number. From the
   * first time that it is asked for a link, this node makes itself known there.
   */
  addressOn(link: string): string | undefined;
  close(): void;
}

const IPPROTO_ICMPV6 = 58;
const IPPROTO_IPV6 = 41;
const OPTION = { multicastIf: 17, multicastHops: 18 } as const;
const HOP_LIMIT = 255;
/** Type 134, no hop limit, no flags, lifetime 0, nothing about reachability. The kernel adds the checksum. */
const ADVERTISEMENT = Buffer.from("86000000 00000000 00000000 00000000".replaceAll(" ", ""), "hex");
/** RFC 4861 section 6.2.1 asks for at least 3 s between two; a router shall not wait long for the first. */
const INTERVALS_MS = [1_000, 3_000, 3_000];
const INTERVAL_MS = 10_000;

/** Pure. */
export function routerAmong(neighbors: readonly Neighbor[], link: number): string | undefined {
  const routers = neighbors.filter(
    (one) => one.link === link && one.isRouter && one.address.startsWith("fe80:"),
  );
  return routers.map(({ address }) => address).sort()[0];
}

/** `onError` gets what the kernel refuses, once: EPERM without CAP_NET_RAW, ENODEV. */
export function openOnLink(options: {
  readonly clock: Clock;
  readonly onError: (link: string, error: unknown) => void;
}): OnLink {
  const reader = new NetlinkSocket(PROTOCOL.route);
  const pending = new Map<string, Cancel>();
  /** Link -> what went wrong the last time, told once. */
  const troubles = new Map<string, string>();
  const advertise = (link: string, round: number): void => {
    try {
      sendAdvertisement(link, indexOf(reader, link));
      troubles.delete(link);
    } catch (error) {
      const text = errorText(error);
      if (troubles.get(link) !== text) options.onError(link, error);
      troubles.set(link, text);
    }
    const wait = INTERVALS_MS[round] ?? INTERVAL_MS;
    pending.set(
      link,
      options.clock.after(wait, () => advertise(link, round + 1)),
    );
  };
  return {
    addressOn(link) {
      if (!pending.has(link)) advertise(link, 0);
      const index = indexOf(reader, link);
      return index === undefined ? undefined : routerAmong(listNeighbors(reader, AF_INET6), index);
    },
    close() {
      for (const cancel of pending.values()) cancel();
      pending.clear();
      reader.close();
    },
  };
}

function indexOf(reader: NetlinkSocket, link: string): number | undefined {
  return listLinks(reader).find(({ name }) => name === link)?.index;
}

function sendAdvertisement(link: string, index: number | undefined): void {
  if (index === undefined) {
    throw new SocketError({ syscall: "sendmmsg", code: "ENODEV", errno: 19, message: `no link ${link}` });
  }
  const socket = new Socket(AF_INET6, SOCK.raw, IPPROTO_ICMPV6);
  try {
    socket.setOption(IPPROTO_IPV6, OPTION.multicastIf, int(index));
    socket.setOption(IPPROTO_IPV6, OPTION.multicastHops, int(HOP_LIMIT));
    const allNodes = sockaddr({ family: "IPv6", address: "ff02::1" });
    int(index).copy(allNodes, 24);
    socket.send([ADVERTISEMENT], [allNodes]);
  } finally {
    socket.close();
  }
}
