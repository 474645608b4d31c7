/**
 * A Service and its EndpointSlices -> its forwarded ports and the nodes that have a usable endpoint. Pure.
 *
 * Usable is a ready endpoint; where a port has none, one that terminates but still serves (as kube-proxy does since
 * KEP-1669). An endpoint that terminates, or is not ready any more, while others are usable keeps its connections and
 * gets no new ones: it may well finish what it has begun. The pods of a node whose speaker fell silent get no new ones
 * either, while others are left.
 */
import type { Family } from "#api/address.ts";
import { idKey } from "#api/forwarding-ids.ts";
import type { ForwardedEndpoint, ForwardedPort } from "../forwarding/types.ts";
import type { EndpointView, ServicePort, ServiceView, SliceView, UnusableEndpoint } from "../known/view.ts";

/** What else the result depends on; kept as the same object while nothing in it changes. */
export interface EndpointContext {
  readonly node: string;
  readonly scheduler: string;
  /** Nodes that can answer clients themselves: their speaker has programmed the kernel. */
  readonly forwardingNodes: ReadonlySet<string>;
  /** Nodes whose speaker fell silent. */
  readonly deadNodes: ReadonlySet<string>;
  /** Broadcast addresses of this node's links, each with its prefix: a packet to one is for nobody alone. */
  readonly broadcasts: ReadonlyMap<string, string>;
}

export interface ServicePlan {
  readonly service: ServiceView;
  readonly ports: readonly ForwardedPort[];
  /** By family: nodes with a usable endpoint of any port ("" for endpoints without a node), and whether there is one. */
  readonly usableNodes: Readonly<Record<Family, ReadonlySet<string>>>;
  /** Endpoints, by family, that are reached with source address translation since their node has no speaker. */
  readonly translated: number;
  /** Endpoints that are left out of all ports. */
  readonly unusable: readonly UnusableEndpoint[];
}

/** Many slices may name them: the first ones are enough to find the rest by. */
const MAX_UNUSABLE = 16;

export function planService(
  service: ServiceView,
  all: readonly SliceView[],
  context: EndpointContext,
): ServicePlan {
  const { slices, unusable } = usable(all, context);
  const usableNodes = { IPv4: new Set<string>(), IPv6: new Set<string>() };
  const ports: ForwardedPort[] = [];
  const translated = new Set<string>();
  for (const vip of service.vips) {
    const family: Family = vip.includes(":") ? "IPv6" : "IPv4";
    for (const port of service.ports) {
      const found = endpointsOf(port, slices, family);
      for (const { view } of found) if (isUsable(view, found)) usableNodes[family].add(view.node);
      const id = service.ids[idKey(family, `${port.protocol}/${port.port}`)];
      const endpoints = forwarded(found, port, context);
      for (const { address, isServing, returnPath } of endpoints)
        if (isServing && returnPath === "snat") translated.add(address);
      if (id === undefined) continue;
      ports.push({
        service: service.key,
        id,
        family,
        vip,
        protocol: port.protocol,
        port: port.port,
        scheduler: context.scheduler,
        affinity: service.hasAffinity,
        preferLocal: service.isLocal,
        ...sourceRanges(service, family),
        endpoints,
      });
    }
  }
  return { service, ports, usableNodes, translated: translated.size, unusable };
}

/** Slices without what nobody can forward to, and what that was, each address once. */
function usable(
  slices: readonly SliceView[],
  { broadcasts }: EndpointContext,
): { slices: readonly SliceView[]; unusable: readonly UnusableEndpoint[] } {
  const unusable = new Map<string, UnusableEndpoint>();
  const note = (one: UnusableEndpoint): void => {
    if (unusable.size < MAX_UNUSABLE) unusable.set(one.address, one);
  };
  const isBroadcast = ({ address }: EndpointView): boolean => broadcasts.has(address);
  const kept = slices.map((slice) => {
    for (const one of slice.unusable ?? []) note(one);
    if (broadcasts.size === 0 || !slice.endpoints.some(isBroadcast)) return slice;
    for (const { address } of slice.endpoints.filter(isBroadcast))
      note({ address, why: `is the broadcast address of ${broadcasts.get(address)}, a link of this node` });
    return { ...slice, endpoints: slice.endpoints.filter((view) => !isBroadcast(view)) };
  });
  return { slices: kept, unusable: [...unusable.values()] };
}

interface Found {
  readonly view: EndpointView;
  readonly port: number;
}

/** Each address and port once: the same pod may be in two slices for a moment. Sorted. */
function endpointsOf(port: ServicePort, slices: readonly SliceView[], family: Family): Found[] {
  const found = new Map<string, Found>();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    const own = slice.ports.find(({ name, protocol }) => name === port.name && protocol === port.protocol);
    if (own === undefined) continue;
    for (const view of slice.endpoints) {
      const key = `${view.address} ${own.port}`;
      const known = found.get(key);
      if (known === undefined || (view.isReady && !known.view.isReady))
        found.set(key, { view, port: own.port });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function isUsable(view: EndpointView, all: readonly Found[]): boolean {
  if (view.isReady) return true;
  return view.isServing && view.isTerminating && !all.some((other) => other.view.isReady);
}

/**
 * An endpoint that was never ready has none, but whether it was nobody can read back, and all nodes need the same list.
 * UDP has no connections that end: a client that keeps its port would stay with it for good.
 */
function mayHaveConnections(view: EndpointView, { protocol }: ServicePort): boolean {
  return protocol !== "UDP" || (view.isServing && view.isTerminating);
}

function forwarded(
  found: readonly Found[],
  servicePort: ServicePort,
  context: EndpointContext,
): ForwardedEndpoint[] {
  const usable = found.filter(({ view }) => isUsable(view, found));
  const isAlive = ({ view }: Found): boolean => !context.deadNodes.has(view.node);
  const serving = new Set(usable.some(isAlive) ? usable.filter(isAlive) : usable);
  // Without a usable one the port refuses all.
  if (usable.length === 0) return [];
  return found
    .filter(({ view }) => view.isReady || mayHaveConnections(view, servicePort))
    .map((endpoint) => {
      const { view, port } = endpoint;
      const isLocal = view.node === context.node;
      return {
        address: view.address,
        port,
        isLocal,
        isServing: serving.has(endpoint),
        returnPath: isLocal || context.forwardingNodes.has(view.node) ? "direct" : "snat",
      };
    });
}

/** A family of which a Service names no range is open, as with kube-proxy. */
function sourceRanges(service: ServiceView, family: Family): { sourceRanges?: readonly string[] } {
  const isSix = family === "IPv6";
  const ranges = service.sourceRanges.filter((range) => range.includes(":") === isSix);
  return ranges.length === 0 ? {} : { sourceRanges: ranges };
}
