/**
 * Takes what a pass has to do out of what is due, in portions, each of which can be read, written and read back by itself
 * and holds the main thread for milliseconds. What belongs together stays together: a port's virtual servers and all its
 * elements, a service that goes and the record of its mark. What comes is done before what goes, address by address: one
 * that is done can be announced though others are not.
 */
import { FAMILIES } from "#api/address.ts";
import {
  addressKey,
  admittedSet,
  DOORS,
  elementKey,
  markValue,
  named,
  ownerOf,
  portKey,
} from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { marksOfPort, planElements } from "#speaker/forwarding/plan-port.ts";
import { keyOfServer, markOfKey, type ServerKey } from "#speaker/forwarding/server-key.ts";
import { type ForwardedPort, PROTOCOLS } from "#speaker/forwarding/types.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";
import { canonical } from "#speaker/netlink/route.ts";

/** How large portions are. */
export interface PortionSizes {
  /** Fewer entries than this are one portion. */
  readonly few: number;
  /** Virtual servers; each takes about ten operations. */
  readonly servers: number;
  /** Elements that belong to no server of the portion. */
  readonly elements: number;
  readonly routes: number;
}

export const PORTION_SIZES: PortionSizes = { few: 500, servers: 48, elements: 1_000, routes: 500 };

export interface Portion {
  readonly entries: Entries;
  /** Addresses of which nothing that comes is due any more, once this portion is done. */
  readonly whole: readonly string[];
}

/** Entries whose owner is found at a time. */
const LOOKED_AT = 2_000;
/** Sets that are of no Service, and that packets of every Service are held against. */
const OF_ALL = FAMILIES.flatMap((family) => [named("members", family), named("stations", family)]);
/** Packets for an address in them, and in no set of addresses, are turned away: so all addresses come first. */
export const ROUTED = FAMILIES.map((family) => named("routed", family));

/**
 * Sets with elements that a port or an address had, and of which no plan tells any more: they have to go in the transaction
 * that brings the new ones, since the kernel refuses intervals that overlap.
 */
const OF_HISTORY = FAMILIES.flatMap((family) =>
  ["translated", "restricted", "guarded", "admitted_ping", ...PROTOCOLS.map(admittedSet)].map((set) =>
    named(set, family),
  ),
);

/** By owner (elements.ts). */
type ByOwner = Map<string, (readonly [set: string, key: string])[]>;

const NONE: readonly string[] = [];

/**
 * Some portions are empty, because finding what belongs together takes time as well. Until the last portion is asked for,
 * `due` has what is left.
 */
export function* portionsOf(due: Entries, wanted: Wanted, sizes = PORTION_SIZES): Generator<Portion> {
  if (due.size <= sizes.few) {
    const entries = new Entries();
    due.moveAll(entries);
    if (entries.size > 0) yield { entries, whole: NONE };
    return;
  }
  yield* ofSets(due, OF_ALL, sizes.elements);
  yield* comingServers(due, wanted, sizes.servers);
  yield* routes(due, sizes.routes, (vip) => wanted.routes.has(vip));
  yield* otherElements(due, wanted, sizes.elements);
  yield* ofSets(due, ROUTED, sizes.elements);
  yield* goingServers(due, sizes.servers);
  yield* routes(due, sizes.routes, () => true);
}

/** A portion that is filled until it is large enough. */
class Filling {
  entries = new Entries();
  whole: string[] = [];

  *ifFull(isFull: boolean): Generator<Portion> {
    if (isFull) yield* this.rest();
  }

  *rest(): Generator<Portion> {
    if (this.entries.size + this.whole.length === 0) return;
    const { entries, whole } = this;
    this.entries = new Entries();
    this.whole = [];
    yield { entries, whole };
  }
}

function* ofSets(due: Entries, sets: readonly string[], size: number): Generator<Portion> {
  const filling = new Filling();
  for (const set of sets) {
    for (const key of due.elements.get(set) ?? []) {
      due.moveElement(set, key, filling.entries);
      yield* filling.ifFull(filling.entries.size >= size);
    }
  }
  yield* filling.rest();
}

/** With all that is due of their ports, and of the addresses of these. */
function* comingServers(due: Entries, wanted: Wanted, size: number): Generator<Portion> {
  const filling = new Filling();
  const ofHistory: ByOwner = new Map();
  yield* addOwners(due, OF_HISTORY, ofHistory);
  for (const key of due.servers) {
    const vip = wanted.servers.portOf(key)?.vip;
    if (vip === undefined) continue;
    for (const port of wanted.portsOf(vip)) {
      movePort(due, port, wanted, filling.entries);
      moveOwner(due, ofHistory, ownerOfPort(port), filling.entries);
      yield* filling.ifFull(filling.entries.servers.size >= size);
    }
    const address = addressKey(vip);
    for (const set of ["vips", "carried"]) {
      for (const family of FAMILIES) due.moveElement(named(set, family), address, filling.entries);
    }
    moveOwner(due, ofHistory, `address ${address}`, filling.entries);
    due.moveRoute(canonical(vip), filling.entries);
    filling.whole.push(vip);
  }
  yield* filling.rest();
}

function ownerOfPort({ family, vip, protocol, port }: ForwardedPort): string {
  return ownerOf(named("ports", family), portKey(vip, protocol, port));
}

function movePort(due: Entries, port: ForwardedPort, { settings }: Wanted, to: Entries): void {
  const { family } = port;
  for (const mark of marksOfPort(port, settings)) {
    due.moveServer(keyOfServer({ family, mark }), to);
    due.moveElement("marks", markValue(mark), to);
  }
  for (const [set, element] of planElements(port, settings)) due.moveElement(set, elementKey(element), to);
}

function* routes(due: Entries, size: number, isNow: (vip: string) => boolean): Generator<Portion> {
  const filling = new Filling();
  for (const vip of due.routes) {
    if (!isNow(vip)) continue;
    due.moveRoute(vip, filling.entries);
    yield* filling.ifFull(filling.entries.size >= size);
  }
  yield* filling.rest();
}

/**
 * Of ports without servers, and whatever was there before; not the marks of servers that go. Addresses that go are before
 * everything else, and those that come behind it.
 */
function* otherElements(due: Entries, wanted: Wanted, size: number): Generator<Portion> {
  const owners: ByOwner = new Map();
  yield* addOwners(
    due,
    [...due.elements.keys()].filter((set) => !ROUTED.includes(set)),
    owners,
  );
  for (const key of due.servers) owners.delete(`mark ${markOf(key)}`);
  const doors: Record<"going" | "coming", string[]> = { going: [], coming: [] };
  for (const [owner, own] of owners) {
    const [set, key] = own.find(([name]) => DOORS.includes(name)) ?? [];
    if (set !== undefined && key !== undefined)
      doors[wanted.elements.get(set)?.get(key) === undefined ? "going" : "coming"].push(owner);
  }
  const isDoor = new Set([...doors.going, ...doors.coming]);
  const filling = new Filling();
  for (const part of [doors.going, [...owners.keys()].filter((owner) => !isDoor.has(owner)), doors.coming]) {
    for (const owner of part) {
      moveOwner(due, owners, owner, filling.entries);
      yield* filling.ifFull(filling.entries.size >= size);
    }
  }
  yield* filling.rest();
}

/** With their marks. */
function* goingServers(due: Entries, size: number): Generator<Portion> {
  const filling = new Filling();
  for (const key of due.servers) {
    due.moveServer(key, filling.entries);
    due.moveElement("marks", markOf(key), filling.entries);
    yield* filling.ifFull(filling.entries.servers.size >= size);
  }
  yield* filling.rest();
}

const markOf = (key: ServerKey): string => markValue(markOfKey(key));

function* addOwners(due: Entries, sets: Iterable<string>, owners: ByOwner): Generator<Portion> {
  let seen = 0;
  for (const set of sets) {
    for (const key of due.elements.get(set) ?? []) {
      const owner = ownerOf(set, key);
      const own = owners.get(owner);
      if (own === undefined) owners.set(owner, [[set, key]]);
      else own.push([set, key]);
      seen += 1;
      if (seen % LOOKED_AT === 0) yield { entries: new Entries(), whole: NONE };
    }
  }
}

function moveOwner(due: Entries, owners: ByOwner, owner: string, to: Entries): void {
  const own = owners.get(owner);
  if (own === undefined) return;
  for (const [set, key] of own) due.moveElement(set, key, to);
  owners.delete(owner);
}
