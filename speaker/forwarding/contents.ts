/**
 * What Services need in the kernel: virtual servers, routes, elements. Reads what is there, writes the difference in an
 * order that loses nothing, and reads back what it wrote. What the kernel refuses is left out alone and said; everything
 * else is done in the same pass.
 *
 * Order: marks are recorded as ours, then services and real servers and routes, and only then the elements that mark
 * packets; the other way round for what goes.
 */

import { ElementWriter } from "#speaker/forwarding/element-writer.ts";
import { markValue } from "#speaker/forwarding/elements.ts";
import { faultOf, isOfAll } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { Owners } from "#speaker/forwarding/owners.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import {
  type Change,
  type Element,
  ForwardingError,
  type ForwardingPlan,
  type VirtualServer,
} from "#speaker/forwarding/types.ts";
import {
  differServers,
  isFilling,
  keyOfParent,
  keyOfServer,
  keyOfSubject,
  type PresentServer,
  type ServerDifference,
  type Step,
  type Subject,
  serverKey,
} from "#speaker/forwarding/virtual-servers.ts";
import type { NetlinkError } from "#speaker/netlink/error.ts";
import type { Ipvs } from "#speaker/netlink/ipvs.ts";
import type { NftTable } from "#speaker/netlink/nftables.ts";
import {
  AF_INET,
  AF_INET6,
  addRoute,
  canonical,
  localRoute,
  ownRoutes,
  type Route,
  removeRoute,
} from "#speaker/netlink/route.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const LOOPBACK = 1;
export const FAMILY_NUMBERS = [AF_INET, AF_INET6] as const;

/** Marks of ours as the table or this process remembers them, by `markValue`. */
export type OwnMarks = ReadonlySet<string>;

/** What a pass is for, and what it did. */
export interface Passing {
  readonly plan: ForwardingPlan;
  readonly changes: Change[];
  readonly conflicts: string[];
}

interface Found {
  readonly elements: ReadonlyMap<string, readonly Element[]>;
  readonly servers: ReadonlyMap<string, PresentServer>;
  /** Keys of services by mark that are not ours. */
  readonly foreign: ReadonlySet<string>;
}

interface Difference extends ServerDifference {
  readonly addRoutes: readonly Step[];
  readonly removeRoutes: readonly Step[];
}

export class Contents {
  readonly #kernel: ForwardingKernel;
  readonly #table: NftTable;
  readonly #refusals: Refusals;

  constructor(kernel: ForwardingKernel, table: NftTable, refusals: Refusals) {
    this.#kernel = kernel;
    this.#table = table;
    this.#refusals = refusals;
  }

  /** Writes what differs; returns the marks that are ours from now on. Throws where nothing at all could be done. */
  write(ipvs: Ipvs, remembered: OwnMarks, pass: Passing): Set<string> {
    const { plan } = pass;
    const found = this.#read(ipvs, remembered);
    const { wanted, others } = apart(plan, found);
    for (const { mark } of others)
      pass.conflicts.push(`mark 0x${mark.toString(16)} belongs to a foreign IPVS service`);
    const difference = this.#differ(ipvs, wanted, found, plan);
    const owners = new Owners(plan);
    const elements = new ElementWriter(this.#table, this.#refusals, owners);
    const run = (steps: readonly Step[], socket: NetlinkSocket): void =>
      this.#run(steps, socket, owners, pass);

    const marking = elements.difference(plan.elements, found.elements, { others, unusable: [] });
    elements.write({ remove: new Map(), add: only(marking.add, "marks") }, pass.changes);
    run(difference.add, this.#kernel.generic);
    run(difference.addRoutes, this.#kernel.route);
    const unusable = wanted.filter((server) => this.#isUnusable(server, found));
    const usable =
      unusable.length === 0
        ? marking
        : elements.difference(plan.elements, found.elements, { others, unusable });
    elements.write(
      { remove: without(usable.remove, "marks"), add: without(usable.add, "marks") },
      pass.changes,
    );
    run(difference.remove, this.#kernel.generic);
    run(difference.removeRoutes, this.#kernel.route);
    elements.write({ remove: only(marking.remove, "marks"), add: new Map() }, pass.changes);
    return new Set(wanted.map((server) => markValue(server.mark)));
  }

  /** Announcing waits for this: what was written is what is there. What is not is noted as refused, and not written. */
  verify(ipvs: Ipvs, remembered: OwnMarks, plan: ForwardingPlan): void {
    const found = this.#read(ipvs, remembered);
    const { wanted, others } = apart(plan, found);
    const owners = new Owners(plan);
    const { add, addRoutes, remove, removeRoutes } = this.#differ(ipvs, wanted, found, plan);
    for (const { request, about } of [...add, ...addRoutes, ...remove, ...removeRoutes]) {
      if (about.parent !== undefined && this.#refusals.has(keyOfParent(about.parent))) continue;
      this.#refusals.note(keyOfSubject(about), owners.unverified(about, request.attempt));
    }
    const unusable = wanted.filter((server) => this.#isUnusable(server, found));
    const elements = new ElementWriter(this.#table, this.#refusals, owners);
    elements.noteUnverified(elements.difference(plan.elements, found.elements, { others, unusable }));
    if (wanted.length > 0 && unusable.length === wanted.length) this.#failAll();
  }

  /** Not one port of any Service can be forwarded: that is no fault of an object. */
  #failAll(): never {
    const [first] = this.#refusals.list().filter(({ kind }) => kind === "virtualServer");
    const code = first?.code === "NotVerified" ? "NotVerified" : "KernelRefused";
    throw new ForwardingError(code, `${first?.attempt ?? "all virtual servers"}: ${first?.words ?? ""}`);
  }

  /** Nothing may be marked for it: it is not in the kernel, or without its scheduler. */
  #isUnusable(server: VirtualServer, found: Found): boolean {
    if (this.#refusals.isEmpty) return false;
    const key = keyOfServer(server);
    if (!this.#refusals.has(keyOfParent(key))) return false;
    const present = found.servers.get(key);
    return present === undefined || isFilling(present);
  }

  #read(ipvs: Ipvs, remembered: OwnMarks): Found {
    const elements = new Map(this.#table.sets().map((name) => [name, this.#table.elements(name)]));
    const own = new Set([...remembered, ...(elements.get("marks") ?? []).map(({ key }) => key)]);
    return { elements, ...readServers(ipvs, own) };
  }

  /** Without what the kernel refused a moment ago. */
  #differ(ipvs: Ipvs, wanted: readonly VirtualServer[], found: Found, plan: ForwardingPlan): Difference {
    const { add, remove } = differServers(ipvs, wanted, found.servers);
    const routes = this.#differRoutes(plan);
    return {
      add: this.#due(add),
      remove: this.#due(remove),
      addRoutes: this.#due(routes.add),
      removeRoutes: this.#due(routes.remove),
    };
  }

  #due(steps: Step[]): Step[] {
    if (this.#refusals.isEmpty) return steps;
    return steps.filter(({ about }) => {
      if (about.parent !== undefined && this.#refusals.isPaused(keyOfParent(about.parent))) return false;
      return !this.#refusals.isPaused(keyOfSubject(about));
    });
  }

  #differRoutes({ routes, settings }: ForwardingPlan): { add: Step[]; remove: Step[] } {
    const present = new Map(
      readRoutes(this.#kernel, settings.table).map((route) => [route.destination ?? "", route]),
    );
    const wanted = new Set(routes.map(canonical));
    const missing = [...wanted].filter((vip) => !present.has(vip));
    const leftover = [...present].filter(([vip]) => !wanted.has(vip));
    return {
      add: missing.map((vip) => ({
        request: addRoute(localRoute(vip, settings.table, LOOPBACK)),
        about: aboutRoute("create", vip),
      })),
      remove: leftover.map(([vip, route]) => ({
        request: removeRoute(route),
        about: aboutRoute("remove", vip),
      })),
    };
  }

  /** What is gone already is gone as wanted, and what is there already is read back. */
  #run(steps: readonly Step[], socket: NetlinkSocket, owners: Owners, { changes }: Passing): void {
    if (steps.length === 0) return;
    const refused = new Set<Subject>();
    for (const { index, error } of socket.batch(steps.map(({ request }) => request))) {
      const step = steps[index];
      if (step === undefined || isDone(step, error)) continue;
      if (isOfAll(error)) throw faultOf(error);
      // The first refusal says why; what else was asked about the same thing fails for that.
      if (refused.has(step.about)) continue;
      refused.add(step.about);
      // What cannot be without the refused one is refused for that reason alone.
      const { parent } = step.about;
      if (parent !== undefined && this.#refusals.isPaused(keyOfParent(parent))) continue;
      this.#refusals.note(keyOfSubject(step.about), owners.refusal(step.about, error));
    }
    const done = new Set(steps.map(({ about }) => about).filter((about) => !refused.has(about)));
    for (const about of done) {
      if (about.change !== undefined) changes.push(about.change);
      if (!this.#refusals.isEmpty) this.#refusals.take(keyOfSubject(about));
    }
  }
}

/** Services of ours with their real servers; keys of services by mark that are not ours. */
export function readServers(
  ipvs: Ipvs,
  own: OwnMarks,
): { servers: Map<string, PresentServer>; foreign: Set<string> } {
  const servers = new Map<string, PresentServer>();
  const foreign = new Set<string>();
  for (const service of ipvs.services().byMark) {
    const key = serverKey(service.family, service.mark);
    if (own.has(markValue(service.mark)))
      servers.set(key, { service, destinations: ipvs.destinations(service) });
    else foreign.add(key);
  }
  return { servers, foreign };
}

export const readRoutes = (kernel: ForwardingKernel, table: number): Route[] =>
  FAMILY_NUMBERS.flatMap((family) => ownRoutes(kernel.route, family, table));

/** Ours, and those whose mark somebody else's service has. */
function apart(
  { virtualServers }: ForwardingPlan,
  { foreign }: Found,
): { wanted: readonly VirtualServer[]; others: readonly VirtualServer[] } {
  if (foreign.size === 0) return { wanted: virtualServers, others: [] };
  const isForeign = (server: VirtualServer): boolean => foreign.has(keyOfServer(server));
  return {
    wanted: virtualServers.filter((server) => !isForeign(server)),
    others: virtualServers.filter(isForeign),
  };
}

function aboutRoute(action: "create" | "remove", vip: string): Subject {
  return { kind: "route", own: vip, change: { action, kind: "route", name: vip } };
}

const isDone = ({ request }: Step, { code }: NetlinkError): boolean =>
  request.attempt.startsWith("remove ") ? ["ESRCH", "ENOENT"].includes(code) : code === "EEXIST";

const only = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key === name));
const without = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key !== name));
