/**
 * What has to be in the kernel for what is to be forwarded: "two marks, one list" (docs/dataplane.md). Pure; the same
 * input gives the same plan on every node but for what is local there.
 */
import { AddressError, mergeRanges, parsePrefix, type Range, rangeOf, WIDTH } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import { ElementSets } from "#speaker/forwarding/element-sets.ts";
import {
  addressKey,
  admittedSet,
  markValue,
  portKey,
  sourceKey,
  valueKey,
} from "#speaker/forwarding/elements.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import {
  DEFAULT_SETTINGS,
  type Family,
  type ForwardedEndpoint,
  type ForwardedPort,
  type ForwardingInput,
  type ForwardingPlan,
  type ForwardingSettings,
  type RealServer,
  type Refusal,
  type VirtualServer,
} from "#speaker/forwarding/types.ts";
import { MH } from "#speaker/netlink/ipvs.ts";

/** How many remote endpoints are asked for the way to them. */
const WAYS = 4;

/** One order on every node: by bytes of the address, then by port. */
function byAddress(a: ForwardedEndpoint, b: ForwardedEndpoint): number {
  const [left, right] = [addressKey(a.address), addressKey(b.address)];
  return left < right ? -1 : left > right ? 1 : a.port - b.port;
}

const familyOf = (address: string): Family => (address.includes(":") ? "IPv6" : "IPv4");

const isTunnelled = (endpoint: ForwardedEndpoint): boolean =>
  !endpoint.isLocal && endpoint.returnPath === "direct";

function realServer(endpoint: ForwardedEndpoint, weight: number): RealServer {
  const forwarding = isTunnelled(endpoint) ? "tunnel" : "masquerade";
  return { address: endpoint.address, port: endpoint.port, forwarding, weight };
}

function schedulerFlags(port: ForwardedPort): number {
  if (port.scheduler !== "mh") return 0;
  return port.affinity ? MH.fallback : MH.fallback | MH.port;
}

/** Tier 1: new connections go to what serves; with preferLocal only to this node's pods while it has one. */
function tier1(port: ForwardedPort, mark: number): VirtualServer {
  const hasLocal = port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing);
  const weightOf = (endpoint: ForwardedEndpoint): number =>
    endpoint.isServing && (endpoint.isLocal || !port.preferLocal || !hasLocal) ? 1 : 0;
  return {
    mark,
    family: port.family,
    scheduler: port.scheduler,
    flags: schedulerFlags(port),
    realServers: port.endpoints
      .toSorted(byAddress)
      .map((endpoint) => realServer(endpoint, weightOf(endpoint))),
  };
}

/**
 * Tier 2: what came out of a tunnel ends at a pod of this node. A new connection that tier 1 gave to another pod since
 * its own drains has to find that other one here, too; flows of the draining one have their entries.
 */
function tier2(port: ForwardedPort, mark: number): VirtualServer {
  return {
    mark,
    family: port.family,
    scheduler: port.scheduler,
    flags: schedulerFlags(port),
    realServers: port.endpoints
      .toSorted(byAddress)
      .map((endpoint) => realServer(endpoint, endpoint.isLocal && endpoint.isServing ? 1 : 0)),
  };
}

function rangeOfText(text: string): Range[] {
  try {
    return [rangeOf(parsePrefix(text.trim()))];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}

/** Their source ranges, joined: the kernel refuses intervals that overlap. What is no prefix of the family is left out. */
function admittedBy(ports: readonly ForwardedPort[]): Range[] {
  const own = ports.flatMap(({ family, sourceRanges = [] }) =>
    sourceRanges.flatMap(rangeOfText).filter((range) => range.family === family),
  );
  return mergeRanges(own);
}

function addRouted(sets: ElementSets, ranges: readonly Range[]): void {
  for (const { family, first, last } of mergeRanges(ranges)) {
    const all = (1n << BigInt(WIDTH[family])) - 1n;
    sets.add("routed", family, {
      key: valueKey(family, first) + valueKey(family, 0n),
      keyEnd: valueKey(family, last) + valueKey(family, all),
    });
  }
}

/** Whoever no port of an address admits may not ping it either. */
function addPings(sets: ElementSets, ports: readonly ForwardedPort[]): void {
  for (const [vip, sharing] of Map.groupBy(ports, (port) => port.vip)) {
    const [{ family } = { family: "IPv4" as Family }] = sharing;
    if (sharing.some(({ sourceRanges }) => sourceRanges === undefined)) continue;
    sets.add("guarded", family, { key: addressKey(vip) });
    const end = (source: bigint): string => addressKey(vip) + valueKey(family, source);
    for (const { first, last } of admittedBy(sharing))
      sets.add("admitted_ping", family, { key: end(first), keyEnd: end(last) });
  }
}

function addSourceRanges(sets: ElementSets, port: ForwardedPort, key: string): void {
  if (port.sourceRanges === undefined) return;
  sets.add("restricted", port.family, { key });
  const end = (source: bigint): string => sourceKey(port.vip, port.port, source);
  for (const { first, last } of admittedBy([port])) {
    sets.add(admittedSet(port.protocol), port.family, { key: end(first), keyEnd: end(last) });
  }
}

function addEndpoints(sets: ElementSets, port: ForwardedPort, place: string): void {
  for (const endpoint of port.endpoints) {
    const key = addressKey(endpoint.address);
    if (endpoint.isLocal) {
      sets.add("local", port.family, { key });
      sets.add("hairpin", port.family, { key: key + key });
    } else if (endpoint.returnPath === "snat") {
      sets.add("translated", port.family, { key: place + key });
    }
  }
}

/** Elements go into `sets`; throws for values that no port can have. */
function planPort(
  sets: ElementSets,
  port: ForwardedPort,
  { routingBit }: ForwardingSettings,
): VirtualServer[] {
  const key = portKey(port.vip, port.protocol, port.port);
  // In no set: as a port that no Service has.
  if (port.endpoints.length === 0) return [];
  const marks = [markOf(port.id, 1, routingBit), markOf(port.id, 2, routingBit)] as const;
  sets.add("ports", port.family, { key });
  // An ICMP error names the port as the source of the packet inside it: the same bytes.
  for (const map of ["tier1v", "error1v"] as const)
    sets.add(map, port.family, { key, value: markValue(marks[0]) });
  sets.addMark(marks[0]);
  addSourceRanges(sets, port, key);
  addEndpoints(sets, port, key);
  const first = tier1(port, marks[0]);
  // Never hit on a node without a pod of the port, and 37 KB of kernel memory.
  if (!port.endpoints.some((endpoint) => endpoint.isLocal)) return [first];
  for (const map of ["tier2v", "error2v"] as const)
    sets.add(map, port.family, { key, value: markValue(marks[1]) });
  sets.addMark(marks[1]);
  return [first, tier2(port, marks[1])];
}

/**
 * Without endpoints that are addresses of Services: their packets would go from node to node until their time is over. (Of
 * cluster addresses Kubernetes says the same: "Services without selectors".)
 */
function withoutVips(port: ForwardedPort, vips: ReadonlySet<string>, leftOut: Refusal[]): ForwardedPort {
  if (!port.endpoints.some(({ address }) => vips.has(address))) return port;
  for (const { address, port: number } of port.endpoints.filter((one) => vips.has(one.address)))
    leftOut.push(unplanned(port, `endpoint ${address} port ${number}`, "it is an address of Services"));
  return { ...port, endpoints: port.endpoints.filter(({ address }) => !vips.has(address)) };
}

function unplanned(port: ForwardedPort, what: string, words: string): Refusal {
  const { service } = port;
  const kind = "realServer";
  return {
    attempt: "",
    kind,
    what,
    place: placeOf(port),
    code: "Unplanned",
    words,
    ...(service !== undefined && { service }),
  };
}

/**
 * What of a port's id and place is another's already. The planner gives neither twice (speaker/plan/claims.ts says who keeps
 * it); should it ever, then two Services in one virtual server are what must not be: each would answer the other's clients.
 */
function taken(held: ReadonlyMap<string, ForwardedPort>, port: ForwardedPort): string | undefined {
  const claim = claimsOf(port).find((one) => held.has(one));
  const holder = claim === undefined ? undefined : held.get(claim);
  return holder && `${claim} is of ${holder.service ?? placeOf(holder)} already`;
}

const claimsOf = (port: ForwardedPort): string[] => [`forwarding id ${port.id}`, placeOf(port)];
const placeOf = ({ vip, protocol, port }: ForwardedPort): string => `${vip} ${protocol}/${port}`;

/** A port that no kernel could be given is left out alone; of two that claim the same, the later one. */
export function planForwarding(input: ForwardingInput): ForwardingPlan {
  const settings = input.settings ?? DEFAULT_SETTINGS;
  const sets = new ElementSets();
  const virtualServers: VirtualServer[] = [];
  const remote = new Set<string>();
  const vips = new Set(input.vips);
  const leftOut: Refusal[] = [];
  const planned: ForwardedPort[] = [];
  const held = new Map<string, ForwardedPort>();
  for (const each of input.ports) {
    const why = taken(held, each);
    if (why !== undefined) {
      leftOut.push(unplanned(each, "the port", why));
      continue;
    }
    const port = withoutVips(each, vips, leftOut);
    try {
      virtualServers.push(...planPort(sets, port, settings));
      sets.commit();
    } catch (error) {
      sets.rollback();
      leftOut.push(unplanned(port, "the port", errorText(error)));
      continue;
    }
    planned.push(port);
    for (const claim of claimsOf(port)) held.set(claim, port);
    for (const endpoint of port.endpoints) if (isTunnelled(endpoint)) remote.add(endpoint.address);
  }
  addPings(sets, planned);
  for (const vip of vips) {
    for (const set of ["vips", "carried"] as const) sets.add(set, familyOf(vip), { key: addressKey(vip) });
  }
  for (const member of input.members ?? [])
    sets.add("members", familyOf(member), { key: addressKey(member) });
  addRouted(sets, input.routed ?? []);
  sets.commit();
  return {
    settings,
    ports: input.ports,
    leftOut,
    nodeAddresses: input.nodeAddresses,
    knowsMembers: input.members !== undefined,
    virtualServers: virtualServers.sort((a, b) => a.mark - b.mark),
    routes: [...vips].sort(),
    elements: sets.toRecord(),
    remoteEndpoints: [...remote].sort().slice(0, WAYS),
  };
}
