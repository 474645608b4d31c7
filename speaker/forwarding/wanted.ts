/**
 * What is wanted in the kernel, kept from one input to the next: of each new input only the ports, addresses and groups
 * that changed are planned anew, and what became different of it is handed out. What is kept always equals what a new
 * `Wanted` would make of the same input (property test).
 */
import { isDeepStrictEqual } from "node:util";
import { familyOf, mergeRanges, type Range, WIDTH } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import { addressKey, named, valueKey } from "#speaker/forwarding/elements.ts";
import type { Entries } from "#speaker/forwarding/entries.ts";
import { idOf } from "#speaker/forwarding/mark.ts";
import { type PortPlan, planPings, planPort, type SetElement } from "#speaker/forwarding/plan-port.ts";
import {
  DEFAULT_SETTINGS,
  type Element,
  type ForwardedPort,
  type ForwardingInput,
  type ForwardingSettings,
  type Refusal,
  type VirtualServer,
} from "#speaker/forwarding/types.ts";
import { WantedEntries } from "#speaker/forwarding/wanted-entries.ts";
import { canonical } from "#speaker/netlink/route.ts";

/** What an input port came to. */
interface Planned {
  /** `192.0.2.1 TCP/80`. */
  readonly place: string;
  /** Without endpoints that nobody may forward to. */
  readonly port: ForwardedPort;
  readonly leftOut: readonly Refusal[];
  /** No kernel could be given it. */
  readonly isFailed: boolean;
  /** Number of the last update that had it. */
  seenIn: number;
}

const placeOf = ({ vip, protocol, port }: ForwardedPort): string => `${vip} ${protocol}/${port}`;

export class Wanted {
  readonly #entries = new WantedEntries();
  /** By `keyOfServer`. */
  readonly servers: ReadonlyMap<string, VirtualServer> = this.#entries.servers;
  /** By set, then by `elementKey`; every set of ours has an entry. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, Element>> = this.#entries.elements;
  /** Addresses that are local for marked packets, in canonical text. */
  readonly routes: ReadonlySet<string> = this.#entries.routes;
  #input: ForwardingInput | undefined;
  #settings: ForwardingSettings = DEFAULT_SETTINGS;
  #planned = new Map<ForwardedPort, Planned>();
  #leftOut: readonly Refusal[] = [];
  readonly #vips = new Set<string>();
  readonly #portsOfVip = new Map<string, Set<ForwardedPort>>();
  /** Which port has an id or a place; of ports that were left out, none. */
  #held = new Map<number | string, ForwardedPort>();
  #updates = 0;

  get settings(): ForwardingSettings {
    return this.#settings;
  }

  /** Whom marks and elements belong to. */
  get ports(): readonly ForwardedPort[] {
    return this.#input?.ports ?? [];
  }

  /** What of the input no kernel could do. */
  get leftOut(): readonly Refusal[] {
    return this.#leftOut;
  }

  get nodeAddresses(): ForwardingInput["nodeAddresses"] {
    return this.#input?.nodeAddresses ?? {};
  }

  /** The sets `members4` and `members6` say who may tunnel to this node. */
  get knowsMembers(): boolean {
    return this.#input?.members !== undefined;
  }

  counts(): ReturnType<WantedEntries["counts"]> {
    return this.#entries.counts();
  }

  /** What is wanted otherwise than before. */
  update(input: ForwardingInput): Entries {
    this.#entries.begin();
    const last = this.#input;
    const settings = input.settings ?? DEFAULT_SETTINGS;
    const isAnew = !isDeepStrictEqual(settings, this.#settings);
    // Their plans hold marks made of the old bit.
    const touched = isAnew ? this.#removePorts(() => false) : new Set<string>();
    this.#settings = settings;
    const changedVips = isSameList(input.vips, last?.vips) ? NONE : this.#updateVips(input.vips);
    if (isAnew || changedVips.size > 0 || input.ports !== last?.ports)
      this.#updatePorts(input.ports, changedVips, touched);
    if (!isDeepStrictEqual(input.members, last?.members)) this.#entries.replace("members", members(input));
    if (!isDeepStrictEqual(input.routed, last?.routed))
      this.#entries.replace("routed", routed(input.routed ?? []));
    this.#input = input;
    return this.#entries.end();
  }

  /** Whose a mark is, of what is wanted. */
  portOf(mark: number): ForwardedPort | undefined {
    return this.#held.get(idOf(mark));
  }

  elementsOfMarks(marks: ReadonlySet<string>): ReturnType<WantedEntries["elementsOfMarks"]> {
    return this.#entries.elementsOfMarks(marks);
  }

  sampleRemotes(): string[] {
    return this.#entries.sampleRemotes();
  }

  // --- ports

  /** `touched`: addresses of ports that went already. */
  #updatePorts(
    ports: readonly ForwardedPort[],
    changedVips: ReadonlySet<string>,
    touched: Set<string>,
  ): void {
    if (this.#updateFew(ports, changedVips, touched)) return;
    const leftOut: Refusal[] = [];
    const next = new Map<ForwardedPort, Planned>();
    const held = new Map<number | string, ForwardedPort>();
    const added: [Planned, PortPlan][] = [];
    for (const port of ports) {
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
      const planned = isKept ? known : this.#planOne(port, place, added);
      next.set(port, planned);
      leftOut.push(...planned.leftOut);
      if (planned.isFailed) continue;
      held.set(port.id, port);
      held.set(place, port);
    }
    for (const vip of this.#removePorts((port, planned) => next.get(port) === planned)) touched.add(vip);
    this.#putAll(added, touched);
    this.#planned = next;
    this.#held = held;
    this.#leftOut = leftOut;
    this.#planPings(touched);
  }

  /**
   * The same at less cost, where no port was left out before and none of the new ones claims what another one has. False,
   * and nothing done, where it is not so.
   */
  #updateFew(
    ports: readonly ForwardedPort[],
    changedVips: ReadonlySet<string>,
    touched: Set<string>,
  ): boolean {
    if (this.#leftOut.length > 0 || changedVips.size > 0 || this.#planned.size === 0) return false;
    this.#updates += 1;
    const fresh: ForwardedPort[] = [];
    let kept = 0;
    for (const port of ports) {
      const known = this.#planned.get(port);
      if (known === undefined) fresh.push(port);
      else if (known.seenIn === this.#updates) return false;
      else {
        known.seenIn = this.#updates;
        kept += 1;
      }
    }
    if (fresh.length > kept) return false;
    const gone: [ForwardedPort, Planned][] = [];
    if (kept < this.#planned.size)
      for (const [port, planned] of this.#planned) if (!this.#isSeen(planned)) gone.push([port, planned]);
    const free = new Set<number | string>(gone.flatMap(([port, { place }]) => [port.id, place]));
    const claimed = new Set<number | string>();
    for (const port of fresh) {
      for (const claim of [port.id, placeOf(port)]) {
        if (claimed.has(claim) || (this.#held.has(claim) && !free.has(claim))) return false;
        claimed.add(claim);
      }
    }
    for (const claim of free) this.#held.delete(claim);
    for (const vip of this.#removePorts((_, planned) => this.#isSeen(planned), gone)) touched.add(vip);
    const added: [Planned, PortPlan][] = [];
    for (const port of fresh) {
      const planned = this.#planOne(port, placeOf(port), added);
      this.#planned.set(port, planned);
      if (planned.leftOut.length > 0) this.#leftOut = [...this.#leftOut, ...planned.leftOut];
      if (planned.isFailed) continue;
      this.#held.set(port.id, port);
      this.#held.set(planned.place, port);
    }
    this.#putAll(added, touched);
    this.#planPings(touched);
    return true;
  }

  #isSeen({ seenIn }: Planned): boolean {
    return seenIn === this.#updates;
  }

  #putAll(added: readonly [Planned, PortPlan][], touched: Set<string>): void {
    for (const [{ port }, plan] of added) {
      touched.add(port.vip);
      this.#put(port, plan);
    }
  }

  #planPings(vips: ReadonlySet<string>): void {
    for (const vip of vips)
      this.#entries.replace(`ping ${vip}`, planPings([...(this.#portsOfVip.get(vip) ?? [])]));
  }

  #planOne(port: ForwardedPort, place: string, added: [Planned, PortPlan][]): Planned {
    const leftOut: Refusal[] = [];
    const sound = withoutVips(port, this.#vips, leftOut);
    try {
      const planned = { place, port: sound, leftOut, isFailed: false, seenIn: 0 };
      added.push([planned, planPort(sound, this.#settings)]);
      return planned;
    } catch (error) {
      return {
        place,
        port: sound,
        leftOut: [...leftOut, unplanned(port, "the port", errorText(error))],
        isFailed: true,
        seenIn: 0,
      };
    }
  }

  #put(port: ForwardedPort, { servers, elements }: PortPlan): void {
    const sharing = this.#portsOfVip.get(port.vip);
    if (sharing === undefined) this.#portsOfVip.set(port.vip, new Set([port]));
    else sharing.add(port);
    this.#entries.addServers(servers);
    for (const one of elements) this.#entries.add(one);
  }

  /** Returns the addresses of those that went. */
  #removePorts(
    isKept: (port: ForwardedPort, planned: Planned) => boolean,
    among: Iterable<[ForwardedPort, Planned]> = this.#planned,
  ): Set<string> {
    const vips = new Set<string>();
    for (const [key, planned] of among) {
      if (isKept(key, planned)) continue;
      this.#planned.delete(key);
      if (planned.isFailed) continue;
      const { port } = planned;
      vips.add(port.vip);
      const sharing = this.#portsOfVip.get(port.vip);
      sharing?.delete(port);
      if (sharing?.size === 0) this.#portsOfVip.delete(port.vip);
      // The same as when it was put: to make it again costs less than to keep it for each of them.
      const { servers, elements } = planPort(port, this.#settings);
      this.#entries.removeServers(servers);
      for (const one of elements) this.#entries.remove(one);
    }
    return vips;
  }

  // --- addresses

  /** Those that came or went. */
  #updateVips(vips: readonly string[]): Set<string> {
    const now = new Set(vips);
    const changed = new Set<string>();
    for (const vip of this.#vips) if (!now.has(vip)) changed.add(vip);
    for (const vip of now) if (!this.#vips.has(vip)) changed.add(vip);
    for (const vip of changed) {
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

function isSameList(a: readonly string[], b: readonly string[] | undefined): boolean {
  return a === b || (a.length === b?.length && a.every((one, at) => one === b[at]));
}

const NONE: ReadonlySet<string> = new Set();

function members({ members: all = [] }: ForwardingInput): SetElement[] {
  return [...new Set(all)].map((member) => [named("members", familyOf(member)), { key: addressKey(member) }]);
}

function routed(ranges: readonly Range[]): SetElement[] {
  return mergeRanges(ranges).map(({ family, first, last }) => {
    const all = (1n << BigInt(WIDTH[family])) - 1n;
    return [
      named("routed", family),
      {
        key: valueKey(family, first) + valueKey(family, 0n),
        keyEnd: valueKey(family, last) + valueKey(family, all),
      },
    ];
  });
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
function taken(
  held: ReadonlyMap<number | string, ForwardedPort>,
  port: ForwardedPort,
  place: string,
): string | undefined {
  const ofId = held.get(port.id);
  const holder = ofId ?? held.get(place);
  if (holder === undefined) return undefined;
  const claim = ofId === undefined ? place : `forwarding id ${port.id}`;
  return `${claim} is of ${holder.service ?? placeOf(holder)} already`;
}
