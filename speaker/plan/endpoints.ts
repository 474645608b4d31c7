/**
 * A Service and its EndpointSlices -> its endpoints by port, and the nodes that have a usable one. Nothing here depends
 * on which nodes are alive, so that a node's death changes none of it. Pure.
 *
 * An endpoint is usable if it is ready. Where a port has no ready endpoint, one that terminates but still serves is
 * usable (as with kube-proxy since KEP-1669).
 */
import { type Family, familyOf } from "#api/address.ts";
import { idKey } from "#api/forwarding-ids.ts";
import type { EndpointView, ServicePort, ServiceView, SliceView, UnusableEndpoint } from "../known/view.ts";

/** An endpoint at a port of its own. */
export interface Backend {
  readonly view: EndpointView;
  readonly port: number;
}

/** One port of a Service at one of its addresses. */
export interface ServedPort {
  readonly vip: string;
  readonly family: Family;
  readonly port: ServicePort;
  /** The forwarding id. It is undefined while the controller has given none, and then nothing is forwarded yet. */
  readonly id: number | undefined;
  /** Each address and port once, sorted. */
  readonly backends: readonly Backend[];
}

export interface ServiceEndpoints {
  readonly service: ServiceView;
  /** The Service and the slices that it was made of. */
  readonly slices: readonly SliceView[];
  /** By address, then in the order of the Service. */
  readonly ports: readonly ServedPort[];
  /**
   * Nodes with a usable endpoint of any port, and how many of them the port has that has most; "" stands for endpoints
   * without a node.
   */
  readonly usableNodes: Readonly<Record<Family, ReadonlyMap<string, number>>>;
  /** Endpoints that no port has, because they cannot be used. */
  readonly unusable: readonly UnusableEndpoint[];
}

/** Broadcast addresses of this node's links, each with its prefix. A packet to one would go to every station. */
export type Broadcasts = ReadonlyMap<string, string>;

/** Many slices may name such endpoints. The first ones are enough to find the others by. */
const MAX_UNUSABLE = 16;

export function endpointsOf(
  service: ServiceView,
  all: readonly SliceView[],
  broadcasts: Broadcasts,
): ServiceEndpoints {
  const { slices, unusable } = usable(all, broadcasts);
  const usableNodes = { IPv4: new Map<string, number>(), IPv6: new Map<string, number>() };
  const known: Record<Family, Map<ServicePort, readonly Backend[]>> = { IPv4: new Map(), IPv6: new Map() };
  const backendsOf = (port: ServicePort, family: Family): readonly Backend[] => {
    const before = known[family].get(port);
    if (before !== undefined) return before;
    const backends = backendsAt(port, slices, family);
    known[family].set(port, backends);
    const isUsable = usability(backends);
    const counts = new Map<string, number>();
    for (const { view } of backends)
      if (isUsable(view)) counts.set(view.node, (counts.get(view.node) ?? 0) + 1);
    for (const [node, count] of counts)
      usableNodes[family].set(node, Math.max(count, usableNodes[family].get(node) ?? 0));
    return backends;
  };
  const ports = service.vips.flatMap((vip) => {
    const family = familyOf(vip);
    return service.ports.map(
      (port): ServedPort => ({
        vip,
        family,
        port,
        id: service.ids[idKey(family, `${port.protocol}/${port.port}`)],
        backends: backendsOf(port, family),
      }),
    );
  });
  return { service, slices: all, ports, usableNodes, unusable };
}

/** Which of a port's endpoints are usable. */
export function usability(backends: readonly Backend[]): (view: EndpointView) => boolean {
  const hasReady = backends.some(({ view }) => view.isReady);
  return hasReady ? ({ isReady }) => isReady : ({ isServing, isTerminating }) => isServing && isTerminating;
}

/** The slices without endpoints that nobody can forward to, and a list of those endpoints, each address once. */
function usable(
  slices: readonly SliceView[],
  broadcasts: Broadcasts,
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

/** The same pod may be in two slices for a moment: it counts once, and as ready if either says so. */
function backendsAt(port: ServicePort, slices: readonly SliceView[], family: Family): Backend[] {
  const found = new Map<string, Backend>();
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
