/** The difference of wanted and present virtual servers, as requests to IPVS, in an order that loses nothing. Pure. */
import type { Change, RealServer, Refusal, VirtualServer } from "#speaker/forwarding/types.ts";
import {
  type Destination,
  type Ipvs,
  type MarkService,
  METHOD,
  type ReadDestination,
} from "#speaker/netlink/ipvs.ts";
import { AF_INET, AF_INET6 } from "#speaker/netlink/route.ts";
import type { Request } from "#speaker/netlink/socket.ts";

/** The scheduler of a service while it is filled: tables are built once, when the true one comes. */
const NONE = "none";

export interface PresentServer {
  readonly service: MarkService;
  readonly destinations: readonly ReadDestination[];
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
  readonly request: Request;
  readonly about: Subject;
}

export interface ServerDifference {
  /** New services and real servers, and edits; before anything is marked. */
  readonly add: Step[];
  /** Real servers and services that go; after nothing is marked for them any more. */
  readonly remove: Step[];
}

const familyNumber = (server: VirtualServer): number => (server.family === "IPv4" ? AF_INET : AF_INET6);
export const serverKey = (family: number, mark: number): string => `${family}/${mark}`;
export const keyOfServer = (server: VirtualServer): string => serverKey(familyNumber(server), server.mark);
const nameOf = (server: VirtualServer): string => `${server.family} mark 0x${server.mark.toString(16)}`;
const placeOf = (real: { address: string; port: number }): string => `${real.address} ${real.port}`;

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
function addReal(ipvs: Ipvs, key: MarkService, real: RealServer, about: Subject): Step[] {
  const add = { request: ipvs.addDestination(key, destinationOf(real, 1)), about };
  if (real.weight === 1) return [add];
  return [add, { request: ipvs.editDestination(key, destinationOf(real, real.weight)), about }];
}

function createServer(ipvs: Ipvs, server: VirtualServer): Step[] {
  const key = { family: familyNumber(server), mark: server.mark, flags: server.flags };
  const filling = { ...key, scheduler: NONE };
  const { mark } = server;
  const parent = keyOfServer(server);
  const about = aboutServer("create", parent, mark, nameOf(server));
  return [
    { request: ipvs.addService(filling), about },
    ...server.realServers.flatMap((real) =>
      addReal(ipvs, filling, real, { kind: "realServer", own: placeOf(real), parent, mark }),
    ),
    { request: ipvs.editService({ ...key, scheduler: server.scheduler }), about },
  ];
}

function updateServer(
  ipvs: Ipvs,
  server: VirtualServer,
  present: PresentServer,
  into: ServerDifference,
): void {
  const key = {
    family: familyNumber(server),
    mark: server.mark,
    flags: server.flags,
    scheduler: server.scheduler,
  };
  const actual = new Map(present.destinations.map((destination) => [placeOf(destination), destination]));
  if (present.service.scheduler !== server.scheduler || present.service.flags !== server.flags) {
    const about = aboutServer("update", keyOfServer(server), server.mark, nameOf(server));
    into.add.push({ request: ipvs.editService(key), about });
  }
  for (const real of server.realServers) {
    const found = actual.get(placeOf(real));
    actual.delete(placeOf(real));
    const wanted = destinationOf(real, real.weight);
    if (found === undefined) {
      into.add.push(...addReal(ipvs, key, real, aboutReal("create", server, real)));
    } else if (found.weight !== wanted.weight || found.method !== wanted.method) {
      const about = aboutReal("update", server, real);
      into.add.push({ request: ipvs.editDestination(key, wanted), about });
    }
  }
  for (const gone of actual.values()) {
    into.remove.push({
      request: ipvs.removeDestination(key, gone),
      about: aboutReal("remove", server, gone),
    });
  }
}

/** `present` holds services of ours only. */
export function differServers(
  ipvs: Ipvs,
  wanted: readonly VirtualServer[],
  present: ReadonlyMap<string, PresentServer>,
): ServerDifference {
  const difference: ServerDifference = { add: [], remove: [] };
  const kept = new Set<string>();
  for (const server of wanted) {
    const key = keyOfServer(server);
    kept.add(key);
    const actual = present.get(key);
    if (actual === undefined) difference.add.push(...createServer(ipvs, server));
    else updateServer(ipvs, server, actual, difference);
  }
  for (const [key, { service }] of present) {
    if (kept.has(key)) continue;
    const about = aboutServer("remove", key, service.mark, `mark 0x${service.mark.toString(16)}`);
    difference.remove.push({ request: ipvs.removeService(service), about });
  }
  return difference;
}
