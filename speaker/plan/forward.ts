/**
 * A Service's endpoints -> the ports that this node forwards. Pure. What did not change stays the same object.
 *
 * An endpoint that terminates, or is not ready any more, keeps its connections while other endpoints are usable, so
 * that it can finish what it has begun. It gets no new connections. The pods of a node whose speaker fell silent get no
 * new connections either, while other pods are left.
 */
import type { Family } from "#api/address.ts";
import type { ForwardedEndpoint, ForwardedPort } from "../forwarding/types.ts";
import type { EndpointView, ServicePort, ServiceView } from "../known/view.ts";
import { type Backend, type ServedPort, type ServiceEndpoints, usability } from "./endpoints.ts";
import { sameItems } from "./sorted-keys.ts";

/** What this node knows of all nodes and forwarding depends on. */
export interface ForwardingContext {
  readonly node: string;
  readonly scheduler: string;
  /** Nodes that can answer clients themselves: their speaker has programmed the kernel. */
  readonly forwardingNodes: ReadonlySet<string>;
  /** Nodes whose speaker fell silent. */
  readonly deadNodes: ReadonlySet<string>;
}

export interface ForwardedService {
  /** The ports that have a forwarding id, in the order of the Service's ports. */
  readonly ports: readonly ForwardedPort[];
  /** Endpoints that are reached with source address translation, because their node has no speaker. */
  readonly translated: number;
}

const NO_ENDPOINTS: readonly ForwardedEndpoint[] = [];

export function forwardService(
  { service, ports: served }: ServiceEndpoints,
  context: ForwardingContext,
  before?: ForwardedService,
): ForwardedService {
  const translated = new Set<string>();
  const ports: ForwardedPort[] = [];
  for (const port of served) {
    const known = port.id === undefined ? undefined : before?.ports[ports.length];
    const endpoints = endpointsOf(port, context, known?.endpoints);
    for (const { address, isServing, returnPath } of endpoints)
      if (isServing && returnPath === "snat") translated.add(address);
    if (port.id === undefined) continue;
    const next = forwardedPort(service, { ...port, id: port.id }, context, endpoints);
    ports.push(known !== undefined && isSamePort(known, next) ? known : next);
  }
  const isSame =
    before !== undefined && sameItems(before.ports, ports) && before.translated === translated.size;
  return isSame ? before : { ports, translated: translated.size };
}

/** Whether what is forwarded may depend on one of the nodes. */
export function isTouchedBy({ ports }: ServiceEndpoints, nodes: ReadonlySet<string>): boolean {
  return ports.some(({ backends }) => backends.some(({ view }) => nodes.has(view.node)));
}

function forwardedPort(
  service: ServiceView,
  { id, family, vip, port }: ServedPort & { readonly id: number },
  { scheduler }: ForwardingContext,
  endpoints: readonly ForwardedEndpoint[],
): ForwardedPort {
  return {
    service: service.key,
    id,
    family,
    vip,
    protocol: port.protocol,
    port: port.port,
    scheduler,
    affinity: service.hasAffinity,
    preferLocal: service.isLocal,
    ...sourceRanges(service, family),
    endpoints,
  };
}

/** If a Service names no range of a family, that family is open, as with kube-proxy. */
function sourceRanges(service: ServiceView, family: Family): { sourceRanges?: readonly string[] } {
  const ranges = service.sourceRanges[family];
  return ranges.length === 0 ? {} : { sourceRanges: ranges };
}

/** Compares two lists that were made of the same Service, or of an earlier and a later state of it. */
function isSamePort(a: ForwardedPort, b: ForwardedPort): boolean {
  return (
    a.endpoints === b.endpoints &&
    a.id === b.id &&
    a.vip === b.vip &&
    a.protocol === b.protocol &&
    a.port === b.port &&
    a.scheduler === b.scheduler &&
    a.affinity === b.affinity &&
    a.preferLocal === b.preferLocal &&
    sameItems(a.sourceRanges ?? [], b.sourceRanges ?? [])
  );
}

/**
 * Whether an endpoint may still have connections. One that was never ready has none, but nobody can read back whether
 * it was, and all nodes need the same list. UDP has no connections that end: a client that keeps its port would stay
 * with the endpoint for good.
 */
function mayHaveConnections(view: EndpointView, { protocol }: ServicePort): boolean {
  return protocol !== "UDP" || (view.isServing && view.isTerminating);
}

function endpointsOf(
  { backends, port }: ServedPort,
  context: ForwardingContext,
  before: readonly ForwardedEndpoint[] | undefined,
): readonly ForwardedEndpoint[] {
  const isUsable = usability(backends);
  const isAlive = ({ node }: EndpointView): boolean => !context.deadNodes.has(node);
  let hasUsable = false;
  let hasLiving = false;
  for (const { view } of backends) {
    if (!isUsable(view)) continue;
    hasUsable = true;
    hasLiving ||= isAlive(view);
  }
  // Without a usable endpoint the port refuses every connection.
  if (!hasUsable) return NO_ENDPOINTS;
  const endpoints: ForwardedEndpoint[] = [];
  for (const backend of backends) {
    const { view } = backend;
    if (!view.isReady && !mayHaveConnections(view, port)) continue;
    const isServing = isUsable(view) && (!hasLiving || isAlive(view));
    endpoints.push(forwardedEndpoint(backend, isServing, context, before?.[endpoints.length]));
  }
  return before !== undefined && sameItems(before, endpoints) ? before : endpoints;
}

function forwardedEndpoint(
  { view, port }: Backend,
  isServing: boolean,
  { node, forwardingNodes }: ForwardingContext,
  before: ForwardedEndpoint | undefined,
): ForwardedEndpoint {
  const isLocal = view.node === node;
  const returnPath = isLocal || forwardingNodes.has(view.node) ? "direct" : "snat";
  const isSame =
    before !== undefined &&
    before.address === view.address &&
    before.port === port &&
    before.isLocal === isLocal &&
    before.isServing === isServing &&
    before.returnPath === returnPath;
  return isSame ? before : { address: view.address, port, isLocal, isServing, returnPath };
}
