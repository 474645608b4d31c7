/**
 * What is wanted in the kernel, kept from one input to the next: of each new input only the ports, addresses and groups
 * that changed are planned anew, and what became different of it is handed out. What is kept always equals what a new
 * `Wanted` would make of the same input (property test).
 */
import { isDeepStrictEqual } from "node:util";
import { familyOf } from "#api/address.ts";
import type { Digest } from "#speaker/forwarding/digest.ts";
import { addressKey, named } from "#speaker/forwarding/elements.ts";
import type { Entries } from "#speaker/forwarding/entries.ts";
import { placeOf, taken, unplanned } from "#speaker/forwarding/left-out.ts";
import { changeOf } from "#speaker/forwarding/list-change.ts";
import { idOf } from "#speaker/forwarding/mark.ts";
import { marksOfPort, planElements, planPings, type SetElement } from "#speaker/forwarding/plan-port.ts";
import { type Planned, plannedOf, type Surroundings } from "#speaker/forwarding/planned.ts";
import {
  DEFAULT_SETTINGS,
  type ForwardedPort,
  type ForwardingInput,
  type ForwardingSettings,
  type KernelRefusal,
} from "#speaker/forwarding/types.ts";
import { WantedEntries } from "#speaker/forwarding/wanted-entries.ts";
import { members, routed, stations } from "#speaker/forwarding/wanted-groups.ts";
import type { WantedServers } from "#speaker/forwarding/wanted-servers.ts";
import type { WantedSet } from "#speaker/forwarding/wanted-set.ts";
import { canonical } from "#speaker/netlink/route.ts";

export class Wanted {
  readonly #piece: number;
  readonly #entries: WantedEntries;
  readonly servers: Omit<WantedServers, "set" | "delete">;
  /** By set; every set of ours has an entry. */
  readonly elements: ReadonlyMap<string, Omit<WantedSet, "set" | "delete">>;
  /** Addresses that are local for marked packets, in canonical text. */
  readonly routes: ReadonlySet<string>;
  #input: ForwardingInput | undefined;
  #settings: ForwardingSettings = DEFAULT_SETTINGS;
  #planned = new Map<ForwardedPort, Planned>();
  #leftOut: readonly KernelRefusal[] = [];
  readonly #vips = new Set<string>();
  readonly #portsOfVip = new Map<string, readonly ForwardedPort[]>();
  /** Which port has an id or a place; of ports that were left out, none. */
  #held = new Map<number | string, ForwardedPort>();

  /** `piece`: ports or addresses that are looked at in one go; only tests ask for another number. */
  constructor(piece = PIECE) {
    this.#piece = piece;
    this.#entries = new WantedEntries(piece * ENTRIES_EACH);
    const { servers, elements, routes } = this.#entries;
    this.servers = servers;
    this.elements = elements;
    this.routes = routes;
  }

  get settings(): ForwardingSettings {
    return this.#settings;
  }

  /** Whom marks and elements belong to. */
  get ports(): readonly ForwardedPort[] {
    return this.#input?.ports ?? [];
  }

  /** What of the input no kernel could do. */
  get leftOut(): readonly KernelRefusal[] {
    return this.#leftOut;
  }

  get nodeAddresses(): ForwardingInput["nodeAddresses"] {
    return this.#input?.nodeAddresses ?? {};
  }

  /** The sets `members4` and `members6` say who may tunnel to this node. */
  get knowsMembers(): boolean {
    return this.#input?.members !== undefined;
  }

  /** Of the servers. */
  get digest(): Digest {
    return this.#entries.digest;
  }

  counts(): ReturnType<WantedEntries["counts"]> {
    return this.#entries.counts();
  }

  /** What is wanted otherwise than before. */
  update(input: ForwardingInput): Entries {
    const steps = this.steps(input);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  }

  /**
   * The same, stopping after each small piece of work. What is wanted is of use only once it has ended, and no other input may
   * be begun before.
   */
  *steps(input: ForwardingInput): Generator<undefined, Entries> {
    this.#entries.begin();
    const last = this.#input;
    const settings = settingsOf(input);
    const isAnew = !isDeepStrictEqual(settings, this.#settings);
    // Their plans hold marks made of the old bit.
    const touched = isAnew ? yield* this.#removePorts(() => false) : new Set<string>();
    this.#settings = settings;
    const changedVips = isSameList(input.vips, last?.vips) ? NONE : yield* this.#updateVips(input.vips);
    if (isAnew || changedVips.size > 0 || input.ports !== last?.ports)
      yield* this.#updatePorts(input.ports, changedVips, touched);
    if (!isDeepStrictEqual(input.members, last?.members)) this.#entries.replace("members", members(input));
    if (!isDeepStrictEqual(input.routed, last?.routed))
      this.#entries.replace("routed", routed(input.routed ?? []));
    if (!isDeepStrictEqual(input.stations, last?.stations))
      this.#entries.replace("stations", stations(input.stations ?? []));
    this.#input = input;
    return yield* this.#entries.end();
  }

  /** Whose a mark is, of what is wanted. */
  portOf(mark: number): ForwardedPort | undefined {
    return this.#held.get(idOf(mark));
  }

  /** Of those that are planned, without endpoints that nobody may forward to. */
  portsOf(vip: string): readonly ForwardedPort[] {
    return this.#portsOfVip.get(vip) ?? [];
  }

  elementsOfMarks(marks: ReadonlySet<string>): ReturnType<WantedEntries["elementsOfMarks"]> {
    return this.#entries.elementsOfMarks(marks);
  }

  sampleRemotes(): string[] {
    return this.#entries.sampleRemotes();
  }

  // --- ports

  /** `touched`: addresses of ports that went already. */
  *#updatePorts(
    ports: readonly ForwardedPort[],
    changedVips: ReadonlySet<string>,
    touched: Set<string>,
  ): Generator<undefined, void> {
    if (yield* this.#updateFew(ports, changedVips, touched)) return;
    const leftOut: KernelRefusal[] = [];
    const next = new Map<ForwardedPort, Planned>();
    const held = new Map<number | string, ForwardedPort>();
    const added: Planned[] = [];
    let looked = 0;
    for (const port of ports) {
      looked += 1;
      if (looked % this.#piece === 0) yield;
      const known = this.#planned.get(port);
      const place = known?.place ?? placeOf(port);
      const why = taken(held, port, place);
      if (why !== undefined) {
        leftOut.push(unplanned(port, "the port", why));
        continue;
      }
      const isKept =
        known !== undefined &&
        !(changedVips.size > 0 && port.endpoints.some(({ address }) => changedVips.has(address)));
      const planned = isKept ? known : plannedOf(port, place, this.#surroundings);
      if (!isKept && !planned.isFailed) added.push(planned);
      next.set(port, planned);
      leftOut.push(...planned.leftOut);
      if (planned.isFailed) continue;
      held.set(port.id, port);
      held.set(place, port);
    }
    const gone = yield* this.#removePorts((port, planned) => next.get(port) === planned);
    for (const vip of gone) touched.add(vip);
    yield* this.#putAll(added, touched);
    this.#planned = next;
    this.#held = held;
    this.#leftOut = leftOut;
    yield* this.#planPings(touched);
  }

  /**
   * The same at less cost, where no port was left out before and none of the new ones claims what another one has. False,
   * and nothing done, where it is not so.
   */
  *#updateFew(
    ports: readonly ForwardedPort[],
    changedVips: ReadonlySet<string>,
    touched: Set<string>,
  ): Generator<undefined, boolean> {
    const before = this.ports;
    if (this.#leftOut.length > 0 || changedVips.size > 0) return false;
    const { gone: left, fresh: come } = changeOf(before, ports);
    if (2 * come.length > ports.length || this.#planned.size !== before.length) return false;
    const fresh = come.filter((port) => !this.#planned.has(port));
    const moved = new Set(come.filter((port) => this.#planned.has(port)));
    const stays = left.filter((port) => moved.has(port));
    // One of them is in the list twice.
    if (moved.size + fresh.length !== come.length || stays.length !== moved.size) return false;
    const gone: [ForwardedPort, Planned][] = [];
    for (const port of left) {
      const planned = this.#planned.get(port);
      if (planned !== undefined && !moved.has(port)) gone.push([port, planned]);
    }
    const free = new Set<number | string>(gone.flatMap(([port, { place }]) => [port.id, place]));
    const claimed = new Set<number | string>();
    for (const port of fresh) {
      for (const claim of [port.id, placeOf(port)]) {
        if (claimed.has(claim) || (this.#held.has(claim) && !free.has(claim))) return false;
        claimed.add(claim);
      }
    }
    for (const claim of free) this.#held.delete(claim);
    for (const vip of yield* this.#removePorts(() => false, gone)) touched.add(vip);
    const added: Planned[] = [];
    let looked = 0;
    for (const port of fresh) {
      looked += 1;
      if (looked % this.#piece === 0) yield;
      const planned = plannedOf(port, placeOf(port), this.#surroundings);
      if (!planned.isFailed) added.push(planned);
      this.#planned.set(port, planned);
      if (planned.leftOut.length > 0) this.#leftOut = [...this.#leftOut, ...planned.leftOut];
      if (planned.isFailed) continue;
      this.#held.set(port.id, port);
      this.#held.set(planned.place, port);
    }
    yield* this.#putAll(added, touched);
    yield* this.#planPings(touched);
    return true;
  }

  get #surroundings(): Surroundings {
    return { settings: this.#settings, vips: this.#vips };
  }

  /** Only once all that goes is gone: what two ports share would keep its old value. */
  *#putAll(added: readonly Planned[], touched: Set<string>): Generator<undefined, void> {
    for (const [at, { port }] of added.entries()) {
      touched.add(port.vip);
      this.#put(port);
      if (at % this.#piece === 0) yield;
    }
  }

  *#planPings(vips: ReadonlySet<string>): Generator<undefined, void> {
    let looked = 0;
    for (const vip of vips) {
      this.#entries.replace(`ping ${vip}`, planPings(this.portsOf(vip)));
      looked += 1;
      if (looked % this.#piece === 0) yield;
    }
  }

  #put(port: ForwardedPort): void {
    this.#portsOfVip.set(port.vip, [...this.portsOf(port.vip), port]);
    this.#entries.addServers(port, marksOfPort(port, this.#settings));
    for (const one of planElements(port, this.#settings)) this.#entries.add(one);
  }

  /** Returns the addresses of those that went. */
  *#removePorts(
    isKept: (port: ForwardedPort, planned: Planned) => boolean,
    among: Iterable<[ForwardedPort, Planned]> = this.#planned,
  ): Generator<undefined, Set<string>> {
    const vips = new Set<string>();
    let looked = 0;
    for (const [key, planned] of among) {
      looked += 1;
      if (looked % this.#piece === 0) yield;
      if (isKept(key, planned)) continue;
      this.#planned.delete(key);
      if (planned.isFailed) continue;
      const { port } = planned;
      vips.add(port.vip);
      const sharing = this.portsOf(port.vip).filter((other) => other !== port);
      if (sharing.length === 0) this.#portsOfVip.delete(port.vip);
      else this.#portsOfVip.set(port.vip, sharing);
      // The same as when it was put: to make it again costs less than to keep it for each of them.
      this.#entries.removeServers(port, marksOfPort(port, this.#settings));
      for (const one of planElements(port, this.#settings)) this.#entries.remove(one);
    }
    return vips;
  }

  // --- addresses

  /** Those that came or went. */
  *#updateVips(vips: readonly string[]): Generator<undefined, Set<string>> {
    const now = new Set(vips);
    const changed = new Set<string>();
    for (const vip of this.#vips) if (!now.has(vip)) changed.add(vip);
    for (const vip of now) if (!this.#vips.has(vip)) changed.add(vip);
    let looked = 0;
    for (const vip of changed) {
      looked += 1;
      if (looked % this.#piece === 0) yield;
      const key = addressKey(vip);
      const route = canonical(vip);
      const isComing = now.has(vip);
      for (const set of ["vips", "carried"] as const) {
        const one: SetElement = [named(set, familyOf(vip)), { key }];
        if (isComing) this.#entries.add(one);
        else this.#entries.remove(one);
      }
      this.#entries.setRoute(route, isComing);
      if (isComing) this.#vips.add(vip);
      else this.#vips.delete(vip);
    }
    return changed;
  }
}

function settingsOf({ settings = DEFAULT_SETTINGS, tunnel }: ForwardingInput): ForwardingSettings {
  return tunnel === "none" ? { ...settings, handsOnBare: true } : settings;
}

function isSameList(a: readonly string[], b: readonly string[] | undefined): boolean {
  return a === b || (a.length === b?.length && a.every((one, at) => one === b[at]));
}

/** Ports or addresses that are looked at in one piece: about a millisecond's work. */
const PIECE = 50;
/** So many entries are compared in the time that one port or address takes. */
const ENTRIES_EACH = 20;
const NONE: ReadonlySet<string> = new Set();
