/** The difference of wanted and present virtual servers, as operations of IPVS, in an order that loses nothing. Pure. */
import { familyOf } from "#api/address.ts";
import { destinationTunnel } from "#speaker/forwarding/encapsulation.ts";
import { hasTag } from "#speaker/forwarding/mark.ts";
import { keyOfServer, type ServerKey } from "#speaker/forwarding/server-key.ts";
import type { Change, KernelRefusal, RealServer, VirtualServer } from "#speaker/forwarding/types.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import {
  type Destination,
  type MarkService,
  METHOD,
  NO_SCHEDULER,
  type Operation,
  type ServiceKey,
} from "#speaker/netlink/ipvs.ts";

export interface PresentServer {
  readonly service: MarkService;
  readonly destinations: readonly Destination[];
}

/** The service was made, and its true scheduler is not set yet. */
export const isFilling = ({ service }: PresentServer): boolean => service.scheduler === NO_SCHEDULER;

/**
 * What a request is about. All requests about one entry share the object. A description is made only when a request is
 * refused.
 */
export interface Subject {
  readonly kind: KernelRefusal["kind"];
  /** Together with `parent` it is equal for the same entry in every pass (`keyOfSubject`). */
  readonly own: string;
  /** The entry that it is a part of, and without which it cannot be. */
  readonly parent?: ServerKey;
  readonly mark?: number;
  /** One Service alone asks for this scheduler. */
  readonly hasOwnScheduler?: boolean;
  /** What to report when it is done. Undefined for an entry that came with its parent. */
  readonly change?: Change;
}

export const keyOfSubject = ({ kind, own, parent }: Subject): string => `${kind} ${parent ?? ""} ${own}`;
/** The key of the entry that a part belongs to. */
export const keyOfParent = (parent: ServerKey): string =>
  keyOfSubject({ kind: "virtualServer", own: String(parent) });

export interface Step {
  readonly operation: Operation;
  readonly about: Subject;
}

export interface ServerDifference {
  /** New services and real servers, and edits. They are done before anything is marked. */
  readonly add: Step[];
  /** Removals of real servers and services. They are done after nothing is marked for them any more. */
  readonly remove: Step[];
}

const nameOf = (server: VirtualServer): string => `${server.family} mark 0x${server.mark.toString(16)}`;
const placeOf = (real: { address: string; port: number }): string => `${real.address} ${real.port}`;

function serviceOf(server: VirtualServer): MarkService {
  const { mark, flags, scheduler } = server;
  return { family: domainOf(server.family), mark, flags, scheduler };
}

function aboutServer(
  action: Change["action"],
  key: ServerKey,
  { mark, hasOwnScheduler = false }: Pick<VirtualServer, "mark" | "hasOwnScheduler">,
  name: string,
): Subject {
  const change = { action, kind: "virtualServer", name };
  return {
    kind: "virtualServer",
    own: String(key),
    mark,
    change,
    ...(hasOwnScheduler && { hasOwnScheduler }),
  };
}

function aboutReal(
  action: Change["action"],
  server: VirtualServer,
  real: { address: string; port: number },
): Subject {
  const own = placeOf(real);
  const change = { action, kind: "realServer", name: `${own} of ${nameOf(server)}` };
  return { kind: "realServer", own, parent: keyOfServer(server), mark: server.mark, change };
}

/**
 * The kernel does not tell by which weight it counts a server that has 0 now. So that is written beside it, where nothing
 * else is read of such a server: an upper threshold that no server ever has so many connections for.
 */
const LAST_WEIGHT = 1_000_000_000;

/** By which weight mh counts the server, as far as we have written it. */
function lastWeightOf({ weight, upperThreshold = 0 }: Destination): number {
  if (weight > 0) return weight;
  return upperThreshold > LAST_WEIGHT ? upperThreshold - LAST_WEIGHT : 1;
}

function destinationOf(real: RealServer, weight = real.weight): Destination {
  const { address, port, forwarding, lastWeight } = real;
  const thresholds =
    weight === 0 && lastWeight !== undefined
      ? { upper: LAST_WEIGHT + lastWeight, lower: 0 }
      : real.thresholds;
  const tunnel = forwarding === "tunnel" ? destinationTunnel(familyOf(address), real.tunnel) : undefined;
  const destination = { address, port, method: METHOD[forwarding], weight, ...(tunnel && { tunnel }) };
  if (thresholds === undefined) return destination;
  const { upper: upperThreshold, lower: lowerThreshold } = thresholds;
  return { ...destination, upperThreshold, lowerThreshold };
}

const isSameTunnel = (a: Destination["tunnel"], b: Destination["tunnel"]): boolean =>
  a?.type === b?.type && a?.port === b?.port && a?.checksum === b?.checksum;

const isSame = (a: Destination, b: Destination): boolean =>
  a.weight === b.weight &&
  a.method === b.method &&
  isSameTunnel(a.tunnel, b.tunnel) &&
  (a.upperThreshold ?? 0) === (b.upperThreshold ?? 0) &&
  (a.lowerThreshold ?? 0) === (b.lowerThreshold ?? 0);

/**
 * A real server that ends with weight 0 is added with its other weight first, because mh keeps the place of its last
 * weight above 0. A list for one tag never has mh.
 */
function addReal(service: ServiceKey, real: RealServer, about: Subject): Step[] {
  const add = (weight: number): Step => ({
    operation: { kind: "addDestination", service, destination: destinationOf(real, weight) },
    about,
  });
  if (real.weight > 0 || hasTag(service.mark)) return [add(real.weight)];
  return [add(countedOf(real)), edit(service, destinationOf(real), about)];
}

/** By which weight mh has to count it. */
const countedOf = ({ weight, lastWeight = 1 }: RealServer): number => (weight > 0 ? weight : lastWeight);

const edit = (service: ServiceKey, destination: Destination, about: Subject): Step => ({
  operation: { kind: "editDestination", service, destination },
  about,
});

function editReal(service: ServiceKey, real: RealServer, found: Destination, about: Subject): Step[] {
  const last = edit(service, destinationOf(real), about);
  const isCounted = real.weight > 0 || lastWeightOf(found) === countedOf(real);
  return isCounted ? [last] : [edit(service, destinationOf(real, countedOf(real)), about), last];
}

function createServer(server: VirtualServer): Step[] {
  const service = serviceOf(server);
  // Tables are built once, when the true one comes.
  const filling = { ...service, scheduler: NO_SCHEDULER };
  const { mark } = server;
  const parent = keyOfServer(server);
  const about = aboutServer("create", parent, server, nameOf(server));
  return [
    { operation: { kind: "addService", service: filling }, about },
    ...server.realServers.flatMap((real) =>
      addReal(filling, real, { kind: "realServer", own: placeOf(real), parent, mark }),
    ),
    ...(server.scheduler === NO_SCHEDULER
      ? []
      : [{ operation: { kind: "editService", service } as const, about }]),
  ];
}

function updateServer(server: VirtualServer, present: PresentServer, into: ServerDifference): void {
  const service = serviceOf(server);
  const actual = new Map(present.destinations.map((destination) => [placeOf(destination), destination]));
  if (present.service.scheduler !== server.scheduler || present.service.flags !== server.flags) {
    const about = aboutServer("update", keyOfServer(server), server, nameOf(server));
    into.add.push({ operation: { kind: "editService", service }, about });
  }
  for (const real of server.realServers) {
    const found = actual.get(placeOf(real));
    actual.delete(placeOf(real));
    if (found === undefined) {
      into.add.push(...addReal(service, real, aboutReal("create", server, real)));
    } else if (!isSame(found, destinationOf(real))) {
      into.add.push(...editReal(service, real, found, aboutReal("update", server, real)));
    }
  }
  for (const { address, port } of actual.values()) {
    const destination = { address, port };
    into.remove.push({
      operation: { kind: "removeDestination", service, destination },
      about: aboutReal("remove", server, destination),
    });
  }
}

/** Whether nothing has to be written. */
export function isAsWanted(server: VirtualServer, present: PresentServer): boolean {
  const { service, destinations } = present;
  if (service.scheduler !== server.scheduler || service.flags !== server.flags) return false;
  if (destinations.length !== server.realServers.length) return false;
  const difference: ServerDifference = { add: [], remove: [] };
  updateServer(server, present, difference);
  return difference.add.length === 0 && difference.remove.length === 0;
}

/** `wanted` and `present` (services of ours only) by `keyOfServer`. */
export function differServers(
  wanted: ReadonlyMap<ServerKey, VirtualServer>,
  present: ReadonlyMap<ServerKey, PresentServer>,
): ServerDifference {
  const difference: ServerDifference = { add: [], remove: [] };
  for (const [key, server] of wanted) {
    const actual = present.get(key);
    if (actual === undefined) difference.add.push(...createServer(server));
    else updateServer(server, actual, difference);
  }
  for (const [key, { service }] of present) {
    if (wanted.has(key)) continue;
    const about = aboutServer("remove", key, service, `mark 0x${service.mark.toString(16)}`);
    difference.remove.push({ operation: { kind: "removeService", service }, about });
  }
  return difference;
}
