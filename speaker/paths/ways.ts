/** Whom a node asks, and the kernel's way there (path-probe.ts). */
import { NetlinkError } from "#speaker/netlink/error.ts";
import { routeTo } from "#speaker/netlink/route.ts";
import { NetlinkSocket, PROTOCOL } from "#speaker/netlink/socket.ts";
import { prefixContains } from "../known/links.ts";
import type { NodeLink } from "../known/node-links.ts";
import type { NodeView } from "../known/view.ts";
import { ringAfter } from "../selfprobe/selfprobe.ts";
import type { PathPeer, Way } from "./path-probe.ts";

/** Each node asks so many, and so many ask it: no more packets for each where there are more nodes. */
const PEERS = 3;

/** Pure: the next ones of those whose speakers live, round the ring. */
export function pathPeers(
  node: string,
  nodes: { get(name: string): Pick<NodeView, "addresses"> | undefined },
  live: readonly string[],
): PathPeer[] {
  return ringAfter(node, live)
    .slice(0, PEERS)
    .map((name) => ({ name, addresses: nodes.get(name)?.addresses ?? {} }));
}

export interface Ways {
  /** undefined: the kernel knows no way, or it leaves by a link that is no Ethernet. */
  wayTo(address: string): Way | undefined;
  close(): void;
}

/** Throws SocketError. */
export function openWays(links: () => readonly NodeLink[]): Ways {
  const socket = new NetlinkSocket(PROTOCOL.route);
  return {
    wayTo(address) {
      try {
        const route = routeTo(socket, address);
        const link = links().find(({ index }) => index === route.link);
        return link === undefined ? undefined : wayBy(link, address, route.mtu);
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error;
        return undefined;
      }
    },
    close: () => socket.close(),
  };
}

function wayBy(link: NodeLink, address: string, mtu: number | undefined): Way {
  const { index, hardware } = link;
  const isOnLink = link.prefixes.some((prefix) => prefixContains(prefix, address));
  return {
    mtu: mtu ?? link.mtu,
    ...(isOnLink && { link: { index, hardware: Buffer.from(hardware, "hex") } }),
  };
}
