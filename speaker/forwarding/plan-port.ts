/**
 * What one port of a Service wants in the kernel: "two marks, one list" (docs/dataplane.md). Pure. The same port gives
 * the same on every node, but for what is local there.
 */

import { AddressError, type Family, mergeRanges, parsePrefix, type Range, rangeOf } from "#api/address.ts";
import {
  addressKey,
  admittedSet,
  markValue,
  named,
  portKey,
  type SetName,
  sourceKey,
  valueKey,
} from "#speaker/forwarding/elements.ts";
import { markOf, tierOf } from "#speaker/forwarding/mark.ts";
import { schedulerFlags } from "#speaker/forwarding/scheduler.ts";
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

interface Keyed {
  readonly endpoint: ForwardedEndpoint;
  /** Its address as an element's key. */
  readonly key: string;
}

/** One order on every node: by bytes of the address, then by port. */
function byAddress({ key: left, endpoint: a }: Keyed, { key: right, endpoint: b }: Keyed): number {
  return left < right ? -1 : left > right ? 1 : a.port - b.port;
}

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

/** IP_VS_SVC_F_SCHED* bits of its virtual servers. */
export function server(
  port: ForwardedPort,
  mark: number,
  sorted: readonly Keyed[],
  isChosen: (endpoint: ForwardedEndpoint) => boolean,
): VirtualServer {
  return {
    mark,
    family: port.family,
    scheduler: port.scheduler,
    ...(port.hasOwnScheduler === true && { hasOwnScheduler: true }),
    flags: schedulerFlags(port),
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
 * Tier 2: a packet that came out of a tunnel ends at a pod of this node. If a local pod drains, tier 1 on other nodes
 * already gives its new connections to another pod of this node. So tier 2 gives that pod its weight and the draining pod
 * weight 0. Open flows keep their IPVS entries. If all that is left here fails its checks, it gets what comes all the
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
        [named("local", family), { key }],
        [named("hairpin", family), { key: key + key }],
      ];
    return endpoint.returnPath === "snat" ? [[named("translated", family), { key: place + key }]] : [];
  });
}

function marking(port: ForwardedPort, maps: readonly SetName[], key: string, mark: number): SetElement[] {
  const value = markValue(mark);
  return [
    ...maps.map((map): SetElement => [named(map, port.family), { key, value }]),
    ["marks", { key: value }],
  ];
}

const sortedEndpoints = ({ endpoints }: ForwardedPort): Keyed[] =>
  endpoints.map((endpoint): Keyed => ({ endpoint, key: addressKey(endpoint.address) })).sort(byAddress);

const hasLocalPod = ({ endpoints }: ForwardedPort): boolean => endpoints.some(({ isLocal }) => isLocal);

/** The one of `planPort` that has the mark. */
export function planServer(port: ForwardedPort, mark: number): VirtualServer {
  const sorted = sortedEndpoints(port);
  if (tierOf(mark) === 1) return tier1(port, mark, sorted);
  return { ...tier2(port, mark, sorted), scheduler: schedulerOf(port, mark) };
}

/** That of the port's virtual server with the mark. */
export function schedulerOf(port: ForwardedPort, mark: number): string {
  // Without a pod here no packet comes by tier 2. It binds what the pods' nodes tell of, and a table would take memory.
  return tierOf(mark) === 1 || hasLocalPod(port) ? port.scheduler : NO_SCHEDULER;
}

/** Marks of the port's virtual servers. */
export function marksOfPort(
  port: ForwardedPort,
  { routingBit, sharesConnections }: ForwardingSettings,
): number[] {
  if (port.endpoints.length === 0) return [];
  const first = markOf(port.id, 1, routingBit);
  // On a node without a pod of the port, no packet would ever match tier 2; only what other nodes tell of does.
  return hasLocalPod(port) || sharesConnections ? [first, markOf(port.id, 2, routingBit)] : [first];
}

/** Throws for values that no port can have. */
export function planElements(port: ForwardedPort, settings: ForwardingSettings): SetElement[] {
  const key = portKey(port.vip, port.protocol, port.port);
  // The port is in no set, as if no Service had it.
  const [mark1, mark2] = marksOfPort(port, settings);
  if (mark1 === undefined) return [];
  return [
    [named("ports", port.family), { key }],
    // An ICMP error names the port as the source of the packet inside it: the same bytes.
    ...marking(port, ["tier1v", "error1v"], key, mark1),
    ...sourceElements(port, key),
    ...endpointElements(port.family, sortedEndpoints(port), key),
    ...(mark2 === undefined ? [] : marking(port, hasLocalPod(port) ? ["tier2v", "error2v"] : [], key, mark2)),
  ];
}
