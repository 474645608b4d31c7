/** This node's links as the kernel has them now, and a call when one of them changes. */
import type { Cancel, Clock } from "#common/clock.ts";
import type { LinkIdentity } from "../layer2/messages.ts";
import { ADDRESS_GROUPS, type LinkAddress, listAddresses } from "../netlink/addr.ts";
import { LINK_GROUP, type Link, listLinks } from "../netlink/link.ts";
import { waysWithMark } from "../netlink/route.ts";
import { NetlinkSocket, PROTOCOL } from "../netlink/socket.ts";
import { MAX_STATE } from "./project.ts";
import type { SpeakerLink } from "./view.ts";
import type { Way } from "./ways.ts";

/** An Ethernet link with the addresses that others can reach it by. */
export interface NodeLink extends LinkIdentity {
  readonly isUp: boolean;
  readonly mtu: number;
  /** `address/length`, global scope, sorted. */
  readonly prefixes: readonly string[];
}

/** Pure: what the kernel lists -> links that could carry announcements, sorted by name. */
export function nodeLinks(links: readonly Link[], addresses: readonly LinkAddress[]): NodeLink[] {
  return links
    .filter(({ hasNeighbors, isLoopback }) => hasNeighbors && !isLoopback)
    .map(({ name, index, hardwareAddress, isUp, hasCarrier, mtu }) => ({
      name,
      index,
      hardware: hardwareAddress,
      isUp: isUp && hasCarrier,
      mtu,
      prefixes: addresses
        .filter((own) => own.link === index && own.scope === 0)
        .map((own) => `${own.address}/${own.prefixLength}`)
        .sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Pure: what the other speakers are told: links that are up and have an address, or that a pool names. There are no
 * more of them, and of their prefixes, than the other speakers read.
 */
export function publishedLinks(links: readonly NodeLink[], named: ReadonlySet<string>): SpeakerLink[] {
  let left: number = MAX_STATE.prefixes;
  return links
    .filter(({ isUp, name, prefixes }) => isUp && (prefixes.length > 0 || named.has(name)))
    .slice(0, MAX_STATE.links)
    .map(({ name, prefixes, hardware }) => {
      const told = prefixes.slice(0, left);
      left -= told.length;
      return { name, prefixes: told, hardware };
    });
}

export interface LinkMonitor {
  /** As of the last change. */
  links(): readonly NodeLink[];
  /** The kernel's ways to addresses now, in their order; undefined: there is none. Throws NetlinkError. */
  waysTo(addresses: readonly string[]): (Way | undefined)[];
  close(): void;
}

/** One event in the kernel gives several messages in a row. They are read together. */
const GATHER_MS = 5;

/** Throws SocketError or NetlinkError if the links cannot be read. Needs no privilege. */
export function monitorLinks(options: {
  readonly clock: Pick<Clock, "after">;
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}): LinkMonitor {
  const reader = new NetlinkSocket(PROTOCOL.route);
  const read = (): NodeLink[] => nodeLinks(listLinks(reader), listAddresses(reader));
  const listener = new NetlinkSocket(PROTOCOL.route);
  let pending: Cancel | undefined;
  let links: NodeLink[] = [];
  let text = "";
  const look = (): void => {
    pending = undefined;
    try {
      links = read();
    } catch (error) {
      options.onError(error);
      return;
    }
    const now = JSON.stringify(links);
    if (now === text) return;
    text = now;
    options.onChange();
  };
  const soon = (): void => {
    pending ??= options.clock.after(GATHER_MS, look);
  };
  listener.monitor([LINK_GROUP, ...ADDRESS_GROUPS], soon, soon);
  listener.unref();
  links = read();
  text = JSON.stringify(links);
  return {
    links: () => links,
    waysTo: (addresses) =>
      waysWithMark(reader, addresses, 0).map((way) => {
        if ("errno" in way || way.link === undefined) return undefined;
        return { link: way.link, ...(way.gateway === undefined ? {} : { gateway: way.gateway }) };
      }),
    close() {
      pending?.();
      listener.close();
      reader.close();
    },
  };
}
