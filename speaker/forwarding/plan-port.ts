/**
 * What one port of a Service wants in the kernel: "one choice, two tiers" (docs/dataplane.md). Pure. The same port gives
 * the same on every node, but for what is local there.
 */

import { AddressError, type Family, mergeRanges, parsePrefix, type Range, rangeOf } from "#api/address.ts";
import {
  addressKey,
  admittedSet,
  markValue,
  named,
  portKey,
  sourceKey,
  tagValue,
  valueKey,
} from "#speaker/forwarding/elements.ts";
import { markOf, NO_TAG, tagOf, tierOf } from "#speaker/forwarding/mark.ts";
import { schedulerFlags } from "#speaker/forwarding/scheduler.ts";
import { type Keyed, RememberedTags, tagOfAddress } from "#speaker/forwarding/tags.ts";
import type {
  Element,
  ForwardedEndpoint,
  ForwardedPort,
  ForwardingSettings,
  RealServer,
  VirtualServer,
} from "#speaker/forwarding/types.ts";
import { NO_SCHEDULER } from "#speaker/netlink/ipvs.ts";

export type SetElement = readonly [set: string, element: Element];

/** What is asked of a port is asked all at once, one port after the other. */
const tags = new RememberedTags();

/** Its own node takes its connections over from this one. */
export const isHandedOn = (endpoint: ForwardedEndpoint): boolean =>
  !endpoint.isLocal && endpoint.returnPath === "direct";

function wayTo(endpoint: ForwardedEndpoint): Pick<RealServer, "forwarding" | "tunnel"> {
  if (!isHandedOn(endpoint)) return { forwarding: "masquerade" };
  const { tunnel } = endpoint;
  if (tunnel === "none") return { forwarding: "direct" };
  return tunnel === undefined ? { forwarding: "tunnel" } : { forwarding: "tunnel", tunnel };
}

/** `isChosen`: it gets new connections. */
function realServer(
  endpoint: ForwardedEndpoint,
  isChosen: boolean,
  { thresholds }: Pick<ForwardedPort, "thresholds">,
): RealServer {
  const { address, port, weight = 1 } = endpoint;
  return {
    ...{ address, port, ...wayTo(endpoint), weight: isChosen ? weight : 0 },
    ...(!isChosen && weight !== 1 && { lastWeight: weight }),
    ...(thresholds !== undefined && { thresholds }),
  };
}

function server(
  port: ForwardedPort,
  mark: number,
  sorted: readonly Keyed[],
  isChosen: (endpoint: ForwardedEndpoint) => boolean,
): VirtualServer {
  return {
    ...{ mark, family: port.family, ...schedulingOf(port, mark) },
    ...(port.hasOwnScheduler === true && { hasOwnScheduler: true }),
    realServers: sorted.map(({ endpoint }) => realServer(endpoint, isChosen(endpoint), port)),
  };
}

/** Tier 1: new connections go to what serves; with preferLocal only to this node's pods while it has one. */
function tier1(port: ForwardedPort, mark: number, sorted: readonly Keyed[]): VirtualServer {
  const hasLocal = port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing);
  return server(
    port,
    mark,
    sorted,
    ({ isServing, isLocal }) => isServing && (isLocal || !port.preferLocal || !hasLocal),
  );
}

/**
 * Tier 2 for a tag: the node that chose the pod is obeyed, also where it has not heard yet that the pod drains or fails. Pods
 * of other nodes are in the list because their nodes tell of connections by its mark.
 */
function tier2OfTag(port: ForwardedPort, mark: number, some: readonly Keyed[]): VirtualServer {
  return {
    ...{ mark, family: port.family, ...schedulingOf(port, mark) },
    realServers: some.map(({ endpoint }) => ({
      ...{ address: endpoint.address, port: endpoint.port, ...wayTo(endpoint) },
      weight: endpoint.isLocal ? 1 : 0,
    })),
  };
}

/**
 * Tier 2 for what does not say which pod it is for: it ends at a pod of this node. If a local pod drains, tier 1 on other
 * nodes already gives its new connections to another pod of this node. So tier 2 gives that pod its weight and the draining
 * pod weight 0. Open flows keep their IPVS entries. If all that is left here fails its checks, it gets what comes all the
 * same: it comes from nodes that have not heard of it.
 */
function tier2(port: ForwardedPort, mark: number, sorted: readonly Keyed[]): VirtualServer {
  const hasServing = port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing);
  return server(
    port,
    mark,
    sorted,
    ({ isLocal, isServing, isFailing }) => isLocal && (isServing || (isFailing === true && !hasServing)),
  );
}

function rangeOfText(text: string): Range[] {
  try {
    return [rangeOf(parsePrefix(text.trim()))];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}

/**
 * The source ranges of the ports, merged, because the kernel refuses intervals that overlap. A text that is no prefix
 * of the family is left out.
 */
function admittedBy(ports: readonly ForwardedPort[]): Range[] {
  const own = ports.flatMap(({ family, sourceRanges = [] }) =>
    sourceRanges.flatMap(rangeOfText).filter((range) => range.family === family),
  );
  return mergeRanges(own);
}

/** For ports that share an address: a source that none of them admits may not ping the address either. */
export function planPings(sharing: readonly ForwardedPort[]): SetElement[] {
  const [first] = sharing;
  if (first === undefined || sharing.some(({ sourceRanges }) => sourceRanges === undefined)) return [];
  const { family, vip } = first;
  const end = (source: bigint): string => addressKey(vip) + valueKey(family, source);
  return [
    [named("guarded", family), { key: addressKey(vip) }],
    ...admittedBy(sharing).map(
      ({ first: from, last }): SetElement => [
        named("admitted_ping", family),
        { key: end(from), keyEnd: end(last) },
      ],
    ),
  ];
}

function sourceElements(port: ForwardedPort, key: string): SetElement[] {
  if (port.sourceRanges === undefined) return [];
  const end = (source: bigint): string => sourceKey(port.vip, port.port, source);
  return [
    [named("restricted", port.family), { key }],
    ...admittedBy([port]).map(
      ({ first, last }): SetElement => [
        named(admittedSet(port.protocol), port.family),
        { key: end(first), keyEnd: end(last) },
      ],
    ),
  ];
}

/**
 * Where a source is translated, the key has port and pod, so that another Service with the same pod changes nothing for
 * this one.
 */
function endpointElements(family: Family, endpoints: readonly Keyed[], place: string): SetElement[] {
  return endpoints.flatMap(({ endpoint, key }): SetElement[] => {
    if (endpoint.isLocal)
      return [
        [named("tags", family), { key, value: tagValue(tagOfAddress(endpoint.address)) }],
        [named("hairpin", family), { key: key + key }],
      ];
    return endpoint.returnPath === "snat" ? [[named("translated", family), { key: place + key }]] : [];
  });
}

const hasLocalPod = (list: readonly Keyed[]): boolean => list.some(({ endpoint }) => endpoint.isLocal);

/** Where a list gives new connections to one pod alone, or to none, no table is needed. */
const ONE_POD = "rr";

/** The one of `planPort` that has the mark. */
export function planServer(port: ForwardedPort, mark: number): VirtualServer {
  const { sorted, byTag } = tags.of(port);
  if (tierOf(mark) === 1) return tier1(port, mark, sorted);
  const tag = tagOf(mark);
  return tag === NO_TAG ? tier2(port, mark, sorted) : tier2OfTag(port, mark, byTag.get(tag) ?? []);
}

/** How many real servers that one has. */
export function sizeOfServer(port: ForwardedPort, mark: number): number {
  const tag = tagOf(mark);
  return tag === NO_TAG ? port.endpoints.length : (tags.of(port).byTag.get(tag)?.length ?? 0);
}

/** How the port's virtual server with the mark chooses; flags: IP_VS_SVC_F_SCHED* bits. */
export function schedulingOf(port: ForwardedPort, mark: number): Pick<VirtualServer, "scheduler" | "flags"> {
  const ofPort = { scheduler: port.scheduler, flags: schedulerFlags(port) };
  if (tierOf(mark) === 1) return ofPort;
  const tag = tagOf(mark);
  const chosen = tag === NO_TAG ? ofPort : { scheduler: ONE_POD, flags: 0 };
  const isOfLocalPod = port.endpoints.some(
    ({ isLocal, address }) => isLocal && (tag === NO_TAG || tagOfAddress(address) === tag),
  );
  // Without a pod here no packet comes by tier 2. It binds what the pods' nodes tell of, and a table would take memory.
  return isOfLocalPod ? chosen : { ...chosen, scheduler: NO_SCHEDULER };
}

/** The tags of tier 2 that a port has a list for, lowest first. */
function tagsOfPort(port: ForwardedPort, { sharesConnections, handsOnBare }: ForwardingSettings): number[] {
  const { sorted, byTag, areShared } = tags.of(port);
  // A packet for a pod of another node comes by no tunnel; only what other nodes tell of does.
  if (!sharesConnections && !hasLocalPod(sorted)) return [];
  const own = [...byTag].filter(([, some]) => sharesConnections || hasLocalPod(some)).map(([tag]) => tag);
  return (areShared || handsOnBare === true ? [NO_TAG, ...own] : own).sort((a, b) => a - b);
}

/** Marks of the port's virtual servers: that of tier 1 first. */
export function marksOfPort(port: ForwardedPort, settings: ForwardingSettings): number[] {
  if (port.endpoints.length === 0) return [];
  const { routingBit } = settings;
  return [
    markOf(port.id, 1, routingBit),
    ...tagsOfPort(port, settings).map((tag) => markOf(port.id, 2, routingBit, tag)),
  ];
}

/** Packets that another node handed on: by the tag that they are for, or by none. */
function handedElements(port: ForwardedPort, settings: ForwardingSettings, place: string): SetElement[] {
  const { sorted, byTag } = tags.of(port);
  if (!hasLocalPod(sorted)) return [];
  const markOfTag = (tag: number): number => markOf(port.id, 2, settings.routingBit, tag);
  const own = [...byTag].flatMap(([tag, some]): [tag: number, mark: number][] => {
    const count = some.filter(({ endpoint }) => endpoint.isLocal).length;
    if (count === 0) return [];
    // Two pods here that have one tag: the packet does not say which of them it is for.
    return [[tag, markOfTag(count === 1 ? tag : NO_TAG)]];
  });
  if (settings.handsOnBare === true) own.push([NO_TAG, markOfTag(NO_TAG)]);
  return own.flatMap(([tag, mark]): SetElement[] => {
    // One object for both maps: there are as many as pods.
    const element = { key: place + tagValue(tag), value: markValue(mark) };
    return [
      [named("handed", port.family), element],
      [named("handed_error", port.family), element],
    ];
  });
}

/** But for `marks`, which has all of `marksOfPort`. Throws for values that no port can have. */
export function planElements(port: ForwardedPort, settings: ForwardingSettings): SetElement[] {
  const key = portKey(port.vip, port.protocol, port.port);
  // The port is in no set, as if no Service had it.
  if (port.endpoints.length === 0) return [];
  const value = markValue(markOf(port.id, 1, settings.routingBit));
  return [
    [named("ports", port.family), { key }],
    // An ICMP error names the port as the source of the packet inside it: the same bytes.
    [named("tier1v", port.family), { key, value }],
    [named("error1v", port.family), { key, value }],
    ...sourceElements(port, key),
    ...endpointElements(port.family, tags.of(port).sorted, key),
    ...handedElements(port, settings, key),
  ];
}
