/** Peers that are their node's default gateway: where that is, and a call when it is somewhere else. */
import type { Family } from "#api/address.ts";
import type { Cancel, Clock } from "#common/clock.ts";
import { LINK_GROUP, listLinks } from "#speaker/netlink/link.ts";
import { defaultGateway } from "#speaker/netlink/route.ts";
import { NetlinkSocket, PROTOCOL } from "#speaker/netlink/socket.ts";

/** A router on a link of this node. */
export interface GatewayOnLink {
  readonly address: string;
  /** Of a link-local address. */
  readonly link?: string;
}

export interface Gateways {
  /**
   * The node's default gateway, once there has been one: while there is no default route it stays the last one, for a
   * route that is written anew is no reason to end a session. What is asked for is followed from then on.
   */
  gatewayOf(family: Family): GatewayOnLink | undefined;
  close(): void;
}

/** RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE (linux/rtnetlink.h). */
const ROUTE_GROUPS = [7, 11];
/** A change of routes gives several messages in a row, and a table with many routes many: they are read together. */
const GATHER_MS = 50;
const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);

export function openGateways(options: {
  readonly clock: Pick<Clock, "after">;
  readonly onChange: () => void;
  /** The kernel does not say it. */
  readonly onError: (error: unknown) => void;
}): Gateways {
  const known = new Map<Family, GatewayOnLink | undefined>();
  let sockets: { readonly reader: NetlinkSocket; readonly listener: NetlinkSocket } | undefined;
  let pending: Cancel | undefined;
  /** Whether it is another one than before. */
  const look = (family: Family): boolean => {
    const before = known.get(family);
    const found = sockets && read(sockets.reader, family);
    known.set(family, found ?? before);
    return found !== undefined && (found.address !== before?.address || found.link !== before.link);
  };
  const lookAll = (): void => {
    pending = undefined;
    try {
      const changes = [...known.keys()].map(look);
      if (changes.includes(true)) options.onChange();
    } catch (error) {
      options.onError(error);
    }
  };
  const soon = (): void => {
    pending ??= options.clock.after(GATHER_MS, lookAll);
  };
  const start = (): void => {
    if (sockets !== undefined) return;
    const reader = new NetlinkSocket(PROTOCOL.route);
    const listener = new NetlinkSocket(PROTOCOL.route);
    // Where a link goes down, IPv4 routes go with it without a message of their own.
    listener.monitor([LINK_GROUP, ...ROUTE_GROUPS], soon, soon);
    listener.unref();
    sockets = { reader, listener };
  };
  return {
    gatewayOf(family) {
      if (!known.has(family)) {
        try {
          start();
          look(family);
        } catch (error) {
          options.onError(error);
        }
      }
      return known.get(family);
    },
    close() {
      pending?.();
      sockets?.listener.close();
      sockets?.reader.close();
    },
  };
}

function read(reader: NetlinkSocket, family: Family): GatewayOnLink | undefined {
  const gateway = defaultGateway(reader, family);
  if (gateway === undefined) return undefined;
  const { address } = gateway;
  if (!isLinkLocal(address)) return { address };
  const link = listLinks(reader).find(({ index }) => index === gateway.link)?.name;
  return link === undefined ? undefined : { address, link };
}
