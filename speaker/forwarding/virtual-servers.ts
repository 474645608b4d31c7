/** The difference of wanted and present virtual servers, as operations of IPVS, in an order that loses nothing. Pure. */
import type { Change, RealServer, Refusal, VirtualServer } from "#speaker/forwarding/types.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import {
  type Destination,
  type MarkService,
  METHOD,
  type Operation,
  type ServiceKey,
} from "#speaker/netlink/ipvs.ts";

/** The scheduler of a service while it is filled: tables are built once, when the true one comes. */
const NONE = "none";

export interface PresentServer {
  readonly service: MarkService;
  readonly destinations: readonly Destination[];
}

/** It was made, and its true scheduler has not come yet. */
export const isFilling = ({ service }: PresentServer): boolean => service.scheduler === NONE;

/** What a request is about; all requests about one thing share the object. Its words are made only when it is refused. */
export interface Subject {
  readonly kind: Refusal["kind"];
  /** With `parent`, equal for the same thing in every pass: `keyOfSubject`. */
  readonly own: string;
  /** What it is a part of: without that one it cannot be. */
  readonly parent?: string;
  readonly mark?: number;
  /** What to tell when it is done; of what came with its parent nothing. */
  readonly change?: Change;
}

export const keyOfSubject = ({ kind, own, parent }: Subject): string => `${kind} ${parent ?? ""} ${own}`;
/** Of the thing that a part belongs to. */
export const keyOfParent = (parent: string): string => keyOfSubject({ kind: "virtualServer", own: parent });

export interface Step {
  readonly operation: Operation;
  readonly about: Subject;
}

export interface ServerDifference {
  /** New services and real servers, and edits; before anything is marked. */
  readonly add: Step[];
  /** Real servers and services that go; after nothing is marked for them any more. */
  readonly remove: Step[];
}

export const serverKey = (family: number, mark: number): string => `${family}/${mark}`;
export const keyOfServer = (server: Pick<VirtualServer, "family" | "mark">): string =>
  serverKey(domainOf(server.family), server.mark);
const nameOf = (server: VirtualServer): string => `${server.family} mark 0x${server.mark.toString(16)}`;
const placeOf = (real: { address: string; port: number }): string => `${real.address} ${real.port}`;

function serviceOf(server: VirtualServer): MarkService {
  const { mark, flags, scheduler } = server;
  return { family: domainOf(server.family), mark, flags, scheduler };
}

/** The family and mark of a key as of `serverKey`. */
export function parseServerKey(key: string): ServiceKey {
  const [family, mark] = key.split("/");
  return { family: Number(family), mark: Number(mark) };
}

function aboutServer(action: Change["action"], key: string, mark: number, name: string): Subject {
  return { kind: "virtualServer", own: key, mark, change: { action, kind: "virtualServer", name } };
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

function destinationOf(real: RealServer, weight: number): Destination {
  const method = real.forwarding === "tunnel" ? METHOD.tunnel : METHOD.masquerade;
  return { address: real.address, port: real.port, method, weight };
}

/** A real server that ends at weight 0 is added with 1 first: mh keeps the place of its last weight above 0. */
function addReal(service: ServiceKey, real: RealServer, about: Subject): Step[] {
  const add: Step = {
    operation: { kind: "addDestination", service, destination: destinationOf(real, 1) },
    about,
  };
  if (real.weight === 1) return [add];
  const destination = destinationOf(real, real.weight);
  return [add, { operation: { kind: "editDestination", service, destination }, about }];
}

function createServer(server: VirtualServer): Step[] {
  const service = serviceOf(server);
  const filling = { ...service, scheduler: NONE };
  const { mark } = server;
  const parent = keyOfServer(server);
  const about = aboutServer("create", parent, mark, nameOf(server));
  return [
    { operation: { kind: "addService", service: filling }, about },
    ...server.realServers.flatMap((real) =>
      addReal(filling, real, { kind: "realServer", own: placeOf(real), parent, mark }),
    ),
    { operation: { kind: "editService", service }, about },
  ];
}

function updateServer(server: VirtualServer, present: PresentServer, into: ServerDifference): void {
  const service = serviceOf(server);
  const actual = new Map(present.destinations.map((destination) => [placeOf(destination), destination]));
  if (present.service.scheduler !== server.scheduler || present.service.flags !== server.flags) {
    const about = aboutServer("update", keyOfServer(server), server.mark, nameOf(server));
    into.add.push({ operation: { kind: "editService", service }, about });
  }
  for (const real of server.realServers) {
    const found = actual.get(placeOf(real));
    actual.delete(placeOf(real));
    const destination = destinationOf(real, real.weight);
    if (found === undefined) {
      into.add.push(...addReal(service, real, aboutReal("create", server, real)));
    } else if (found.weight !== destination.weight || found.method !== destination.method) {
      const about = aboutReal("update", server, real);
      into.add.push({ operation: { kind: "editDestination", service, destination }, about });
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

/** Whether there is nothing to write. */
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
  wanted: ReadonlyMap<string, VirtualServer>,
  present: ReadonlyMap<string, PresentServer>,
): ServerDifference {
  const difference: ServerDifference = { add: [], remove: [] };
  for (const [key, server] of wanted) {
    const actual = present.get(key);
    if (actual === undefined) difference.add.push(...createServer(server));
    else updateServer(server, actual, difference);
  }
  for (const [key, { service }] of present) {
    if (wanted.has(key)) continue;
    const about = aboutServer("remove", key, service.mark, `mark 0x${service.mark.toString(16)}`);
    difference.remove.push({ operation: { kind: "removeService", service }, about });
  }
  return difference;
}
