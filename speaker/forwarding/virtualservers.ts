/** The difference of wanted and present virtual servers, as requests to IPVS, in an order that loses nothing. Pure. */
import type { Change, RealServer, VirtualServer } from "#speaker/forwarding/types.ts";
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

export interface ServerDifference {
  /** New services and real servers, and edits; before anything is marked. */
  readonly add: Request[];
  /** Real servers and services that go; after nothing is marked for them any more. */
  readonly remove: Request[];
  readonly changes: Change[];
}

const familyNumber = (server: VirtualServer): number => (server.family === "IPv4" ? AF_INET : AF_INET6);
export const serverKey = (family: number, mark: number): string => `${family}/${mark}`;
const nameOf = (server: VirtualServer): string => `${server.family} mark 0x${server.mark.toString(16)}`;
const placeOf = (real: { address: string; port: number }): string => `${real.address} ${real.port}`;

function destinationOf(real: RealServer, weight: number): Destination {
  const method = real.forwarding === "tunnel" ? METHOD.tunnel : METHOD.masquerade;
  return { address: real.address, port: real.port, method, weight };
}

/** A real server that ends at weight 0 is added with 1 first: mh keeps the place of its last weight above 0. */
function addReal(ipvs: Ipvs, key: MarkService, real: RealServer): Request[] {
  const add = ipvs.addDestination(key, destinationOf(real, 1));
  return real.weight === 1 ? [add] : [add, ipvs.editDestination(key, destinationOf(real, real.weight))];
}

function createServer(ipvs: Ipvs, server: VirtualServer): Request[] {
  const key = { family: familyNumber(server), mark: server.mark, flags: server.flags };
  const filling = { ...key, scheduler: NONE };
  return [
    ipvs.addService(filling),
    ...server.realServers.flatMap((real) => addReal(ipvs, filling, real)),
    ipvs.editService({ ...key, scheduler: server.scheduler }),
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
  const changed = (action: Change["action"], real: { address: string; port: number }): void => {
    into.changes.push({ action, kind: "realServer", name: `${placeOf(real)} of ${nameOf(server)}` });
  };
  if (present.service.scheduler !== server.scheduler || present.service.flags !== server.flags) {
    into.add.push(ipvs.editService(key));
    into.changes.push({ action: "update", kind: "virtualServer", name: nameOf(server) });
  }
  for (const real of server.realServers) {
    const found = actual.get(placeOf(real));
    actual.delete(placeOf(real));
    const wanted = destinationOf(real, real.weight);
    if (found === undefined) {
      into.add.push(...addReal(ipvs, key, real));
      changed("create", real);
    } else if (found.weight !== wanted.weight || found.method !== wanted.method) {
      into.add.push(ipvs.editDestination(key, wanted));
      changed("update", real);
    }
  }
  for (const gone of actual.values()) {
    into.remove.push(ipvs.removeDestination(key, gone));
    changed("remove", gone);
  }
}

/** `present` holds services of ours only. */
export function differServers(
  ipvs: Ipvs,
  wanted: readonly VirtualServer[],
  present: ReadonlyMap<string, PresentServer>,
): ServerDifference {
  const difference: ServerDifference = { add: [], remove: [], changes: [] };
  const kept = new Set<string>();
  for (const server of wanted) {
    const key = serverKey(familyNumber(server), server.mark);
    kept.add(key);
    const actual = present.get(key);
    if (actual === undefined) {
      difference.add.push(...createServer(ipvs, server));
      difference.changes.push({ action: "create", kind: "virtualServer", name: nameOf(server) });
    } else {
      updateServer(ipvs, server, actual, difference);
    }
  }
  for (const [key, { service }] of present) {
    if (kept.has(key)) continue;
    difference.remove.push(ipvs.removeService(service));
    difference.changes.push({
      action: "remove",
      kind: "virtualServer",
      name: `mark 0x${service.mark.toString(16)}`,
    });
  }
  return difference;
}
