/**
 * A Service's endpoints -> the ports that this node forwards. Pure. What did not change stays the same object.
 *
 * An endpoint that terminates, or is not ready any more, keeps its connections while other endpoints are usable, so
 * that it can finish what it has begun. It gets no new connections. The pods of a node whose speaker fell silent get no
 * new connections either, while other pods are left; nor do those that fail the checks that their Service asks for,
 * while there are some that do not.
 */
import type { Family } from "#api/address.ts";
import { KEEPS_CLIENTS } from "#api/scheduler.ts";
import type { Tunnel } from "../forwarding/encapsulation.ts";
import type { ForwardedEndpoint, ForwardedPort } from "../forwarding/types.ts";
import type {
  DrainView,
  EndpointView,
  HealthView,
  ServicePort,
  ServiceView,
  Weights,
} from "../known/view.ts";
import { type Backend, type ServedPort, type ServiceEndpoints, usability } from "./endpoints.ts";
import { sameItems } from "./sorted-keys.ts";

/** What this node knows of all nodes and forwarding depends on. */
export interface ForwardingContext {
  readonly node: string;
  readonly scheduler: string;
  /** No node answers clients of other nodes itself, as the LoadBalancer asks. */
  readonly translates: boolean;
  /** New connections go to this node's pods while it has some that serve, of whatever Service. */
  readonly prefersLocal: boolean;
  /** Nodes that can answer clients themselves: their speaker has programmed the kernel. */
  readonly forwardingNodes: ReadonlySet<string>;
  /** Nodes whose speaker fell silent. */
  readonly deadNodes: ReadonlySet<string>;
  /** How nodes send to each other's pods. */
  readonly tunnel: Tunnel;
  /** Nodes that can be sent to so; all others by ipip. */
  readonly tunnelNodes: ReadonlySet<string>;
}

export interface ForwardedService {
  /** The ports that have a forwarding id, in the order of the Service's ports. */
  readonly ports: readonly ForwardedPort[];
  /** Endpoints that are reached with source address translation though nobody asks for it: their node has no speaker. */
  readonly translated: number;
  /** Ports of which all endpoints that could get connections fail their checks, so all get them: `TCP/80`. */
  readonly allFailing: readonly string[];
  /** The scheduler with which sessionAffinity is not kept. */
  readonly losesClients?: string;
}

export type IsFailing = HealthView["isFailing"];
const NONE_FAILS: IsFailing = () => false;
export type IsOver = DrainView["isOver"];
const NONE_IS_OVER: IsOver = () => false;
const NO_ENDPOINTS: readonly ForwardedEndpoint[] = [];

export function forwardService(
  { service, ports: served }: ServiceEndpoints,
  context: ForwardingContext,
  before?: ForwardedService,
  isFailing = NONE_FAILS,
  isOver = NONE_IS_OVER,
): ForwardedService {
  const translated = new Set<string>();
  const allFailing = new Set<string>();
  const ports: ForwardedPort[] = [];
  // Of whom the Service asks no checks, nobody's word counts.
  const fails = service.check === undefined ? NONE_FAILS : isFailing;
  for (const port of served) {
    const known = port.id === undefined ? undefined : before?.ports[ports.length];
    const standing = standingOf(port, context, fails);
    if (standing.isAllFailing) allFailing.add(`${port.port.protocol}/${port.port.port}`);
    const endpoints = endpointsOf(
      withoutEnded(port, standing, service, isOver),
      context,
      { ...standing, weights: service.weights },
      known?.endpoints,
    );
    for (const { address, isServing, returnPath } of endpoints)
      if (isServing && returnPath === "snat" && !context.translates) translated.add(address);
    if (port.id === undefined) continue;
    const next = forwardedPort(service, { ...port, id: port.id }, context, endpoints);
    ports.push(known !== undefined && isSamePort(known, next) ? known : next);
  }
  const scheduler = service.scheduler ?? context.scheduler;
  const losesClients = service.hasAffinity && !KEEPS_CLIENTS.includes(scheduler) ? scheduler : undefined;
  const isSame =
    before !== undefined &&
    sameItems(before.ports, ports) &&
    before.translated === translated.size &&
    before.losesClients === losesClients &&
    sameItems(before.allFailing, [...allFailing]);
  if (isSame) return before;
  const made = { ports, translated: translated.size, allFailing: [...allFailing] };
  return losesClients === undefined ? made : { ...made, losesClients };
}

/** Whether what is forwarded may depend on one of the nodes. */
export function isTouchedBy({ ports }: ServiceEndpoints, nodes: ReadonlySet<string>): boolean {
  return ports.some(({ backends }) => backends.some(({ view }) => nodes.has(view.node)));
}

function forwardedPort(
  service: ServiceView,
  { id, family, vip, port }: ServedPort & { readonly id: number },
  { scheduler, prefersLocal }: ForwardingContext,
  endpoints: readonly ForwardedEndpoint[],
): ForwardedPort {
  const { thresholds, scheduler: own } = service;
  return {
    service: service.key,
    id,
    family,
    vip,
    protocol: port.protocol,
    port: port.port,
    scheduler: own ?? scheduler,
    ...(own !== undefined && { hasOwnScheduler: true }),
    ...(thresholds !== undefined && { thresholds }),
    affinity: service.hasAffinity,
    preferLocal: service.isLocal || prefersLocal,
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
    a.hasOwnScheduler === b.hasOwnScheduler &&
    a.thresholds?.upper === b.thresholds?.upper &&
    a.thresholds?.lower === b.thresholds?.lower &&
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

/** Which of a port's endpoints get new connections. */
interface Standing {
  /** Without one the port refuses every connection. */
  readonly hasUsable: boolean;
  readonly isServing: (backend: Backend) => boolean;
  /** It would get connections if it did not fail its checks. */
  readonly isFailing: (backend: Backend) => boolean;
  readonly isAllFailing: boolean;
}

function standingOf(
  { backends, id }: ServedPort,
  { deadNodes }: ForwardingContext,
  fails: IsFailing,
): Standing {
  const isUsable = usability(backends);
  const isAlive = ({ view }: Backend): boolean => !deadNodes.has(view.node);
  const isBad = ({ view, port }: Backend): boolean =>
    id !== undefined && fails({ id, address: view.address, port }, view.node);
  let [hasUsable, hasLiving, hasWell] = [false, false, false];
  for (const backend of backends) {
    if (!isUsable(backend.view)) continue;
    hasUsable = true;
    if (!isAlive(backend)) continue;
    hasLiving = true;
    hasWell ||= !isBad(backend);
  }
  const mayServe = (backend: Backend): boolean => isUsable(backend.view) && (!hasLiving || isAlive(backend));
  const isFailing = (backend: Backend): boolean => hasWell && mayServe(backend) && isBad(backend);
  return {
    hasUsable,
    isServing: (backend) => mayServe(backend) && !isFailing(backend),
    isFailing,
    isAllFailing: hasLiving && !hasWell,
  };
}

/** What a terminating endpoint has begun ends with the time that its Service gives it, while others serve. */
function withoutEnded(
  port: ServedPort,
  { isServing }: Standing,
  { key, drainTimeoutMs }: ServiceView,
  isOver: IsOver,
): ServedPort {
  if (drainTimeoutMs === undefined) return port;
  const isLeft = (backend: Backend): boolean =>
    !backend.view.isTerminating || isServing(backend) || !isOver(key, backend.view.address);
  return { ...port, backends: port.backends.filter(isLeft) };
}

function endpointsOf(
  { backends, port }: ServedPort,
  context: ForwardingContext,
  { hasUsable, isServing, isFailing, weights }: Standing & { readonly weights: Weights | undefined },
  before: readonly ForwardedEndpoint[] | undefined,
): readonly ForwardedEndpoint[] {
  if (!hasUsable) return NO_ENDPOINTS;
  const endpoints: ForwardedEndpoint[] = [];
  for (const backend of backends) {
    const { view } = backend;
    const fails = isFailing(backend);
    if ((!view.isReady || fails) && !mayHaveConnections(view, port)) continue;
    const weight = weights?.get(view.address) ?? weights?.get(view.node) ?? 1;
    const kind = { isServing: isServing(backend), isFailing: fails, weight };
    endpoints.push(forwardedEndpoint(backend, kind, context, before?.[endpoints.length]));
  }
  return before !== undefined && sameItems(before, endpoints) ? before : endpoints;
}

function forwardedEndpoint(
  { view, port }: Backend,
  kind: { readonly isServing: boolean; readonly isFailing: boolean; readonly weight: number },
  { node: own, translates, forwardingNodes, tunnel: asked, tunnelNodes }: ForwardingContext,
  before: ForwardedEndpoint | undefined,
): ForwardedEndpoint {
  const { isServing, isFailing, weight } = kind;
  const node = view.node === "" ? undefined : view.node;
  const isLocal = view.node === own;
  const returnPath = isLocal || (!translates && forwardingNodes.has(view.node)) ? "direct" : "snat";
  const isAsAsked = !isLocal && returnPath === "direct" && tunnelNodes.has(view.node);
  const tunnel = isAsAsked && asked !== "ipip" ? asked : undefined;
  const isSame =
    before !== undefined &&
    before.tunnel === tunnel &&
    before.address === view.address &&
    before.port === port &&
    before.isLocal === isLocal &&
    before.node === node &&
    before.isServing === isServing &&
    (before.isFailing === true) === isFailing &&
    (before.weight ?? 1) === weight &&
    before.returnPath === returnPath;
  if (isSame) return before;
  // Written out, not spread: of such objects there are hundreds of thousands, and each spread makes them larger.
  const { address } = view;
  const plain: ForwardedEndpoint =
    node === undefined
      ? { address, port, isLocal, isServing, returnPath }
      : { address, port, isLocal, isServing, returnPath, node };
  if (!isFailing && weight === 1 && tunnel === undefined) return plain;
  return {
    ...plain,
    ...(isFailing && { isFailing }),
    ...(weight !== 1 && { weight }),
    ...(tunnel !== undefined && { tunnel }),
  };
}
