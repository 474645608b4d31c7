/**
 * What is wanted in the kernel, entry by entry, and which entries are wanted otherwise since `begin`. Knows nothing of
 * Services: wanted.ts puts their parts in and takes them out.
 */
import { isDeepStrictEqual } from "node:util";
import { FAMILIES } from "#api/address.ts";
import { elementKey, elementText, MARKING, named, SETS } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import type { SetElement } from "#speaker/forwarding/plan-port.ts";
import type { Element, ForwardingCounts, VirtualServer } from "#speaker/forwarding/types.ts";
import { keyOfServer } from "#speaker/forwarding/virtual-servers.ts";

/** How many remote endpoints are asked for the way to them. */
const WAYS = 4;

interface Sampled {
  readonly mark: number;
  readonly address: string;
}

export class WantedEntries {
  /** By `keyOfServer`. */
  readonly servers = new Map<string, VirtualServer>();
  /** By set, then by `elementKey`; every set of ours has an entry. */
  readonly elements = new Map<string, Map<string, Element>>();
  /** Addresses that are local for marked packets, in canonical text. */
  readonly routes = new Set<string>();
  /** Elements that no single port has alone, by what they are of: an address's pings, `members`, `routed`. */
  readonly #groups = new Map<string, readonly SetElement[]>();
  /** Of elements that several ports have: how many more than one. */
  readonly #shared = new Map<string, number>();
  #realServers = 0;
  /** Of `sampleRemotes`, until one of its servers changes. */
  #sample: readonly Sampled[] | undefined;
  #before = new Before();

  constructor() {
    for (const set of SETS) for (const family of FAMILIES) this.elements.set(named(set, family), new Map());
    this.elements.set("marks", new Map());
  }

  /** What differs from now on is told by `end`. */
  begin(): void {
    this.#before = new Before();
  }

  /** What is wanted otherwise than at `begin`. */
  end(): Entries {
    const entries = this.#before.differing(this);
    this.#before = new Before();
    return entries;
  }

  counts(): Pick<ForwardingCounts, "virtualServers" | "realServers" | "routes" | "elements"> {
    let elements = 0;
    for (const set of this.elements.values()) elements += set.size;
    const { servers, routes } = this;
    return { virtualServers: servers.size, realServers: this.#realServers, routes: routes.size, elements };
  }

  /** Elements that mark packets with one of the marks, and the marks themselves: by `markValue`. */
  *elementsOfMarks(marks: ReadonlySet<string>): Generator<readonly [set: string, key: string], void> {
    for (const mark of marks) yield ["marks", mark];
    for (const set of MARKING) {
      for (const [key, { value }] of this.elements.get(set) ?? [])
        if (value !== undefined && marks.has(value)) yield [set, key];
    }
  }

  /** Some remote endpoints that are reached through a tunnel: the way to them decides the segment size. */
  sampleRemotes(): string[] {
    this.#sample ??= this.#findSample();
    return [...new Set(this.#sample.map(({ address }) => address))].sort();
  }

  /** Of the servers with the lowest marks the first remote endpoint each. */
  #findSample(): Sampled[] {
    const lowest: Sampled[] = [];
    for (const { mark, realServers } of this.servers.values()) {
      if (lowest.length === WAYS && mark > (lowest.at(-1)?.mark ?? 0)) continue;
      const remote = realServers.find(({ forwarding }) => forwarding === "tunnel");
      if (remote === undefined) continue;
      lowest.push({ mark, address: remote.address });
      lowest.sort((a, b) => a.mark - b.mark);
      if (lowest.length > WAYS) lowest.pop();
    }
    return lowest;
  }

  /** Whether a server with the mark is, or may come to be, one of the sample. */
  #isInSample(mark: number): boolean {
    if (this.#sample === undefined || this.#sample.length < WAYS) return true;
    return mark <= (this.#sample.at(-1)?.mark ?? 0);
  }

  addServers(servers: readonly VirtualServer[]): void {
    for (const server of servers) this.#setServer(keyOfServer(server), server);
  }

  removeServers(servers: readonly VirtualServer[]): void {
    for (const server of servers) this.#setServer(keyOfServer(server), undefined);
  }

  setRoute(vip: string, isWanted: boolean): void {
    this.#before.route(vip, this.routes.has(vip));
    if (isWanted) this.routes.add(vip);
    else this.routes.delete(vip);
  }

  /** Elements of a group come in place of those that it had. */
  replace(group: string, elements: readonly SetElement[]): void {
    for (const one of this.#groups.get(group) ?? []) this.remove(one);
    for (const one of elements) this.add(one);
    if (elements.length === 0) this.#groups.delete(group);
    else this.#groups.set(group, elements);
  }

  #setServer(key: string, server: VirtualServer | undefined): void {
    const present = this.servers.get(key);
    this.#before.server(key, present);
    const before = this.#before.servers.get(key);
    this.#realServers += (server?.realServers.length ?? 0) - (present?.realServers.length ?? 0);
    const mark = server?.mark ?? present?.mark ?? 0;
    if (this.#isInSample(mark)) this.#sample = undefined;
    if (server === undefined) this.servers.delete(key);
    else this.servers.set(key, before !== undefined && isDeepStrictEqual(before, server) ? before : server);
  }

  add([set, element]: SetElement): void {
    const elements = this.elements.get(set);
    if (elements === undefined) return;
    const key = elementKey(element);
    const present = elements.get(key);
    if (present !== undefined) {
      const shared = `${set} ${key}`;
      this.#shared.set(shared, (this.#shared.get(shared) ?? 0) + 1);
      return;
    }
    this.#before.element(set, key, present);
    elements.set(key, element);
  }

  remove([set, element]: SetElement): void {
    const elements = this.elements.get(set);
    const key = elementKey(element);
    const present = elements?.get(key);
    if (elements === undefined || present === undefined) return;
    const shared = `${set} ${key}`;
    const more = this.#shared.get(shared) ?? 0;
    if (more > 1) this.#shared.set(shared, more - 1);
    else if (more === 1) this.#shared.delete(shared);
    else {
      this.#before.element(set, key, present);
      elements.delete(key);
    }
  }
}

/** What was wanted of each entry before the first change of an update. */
class Before {
  readonly servers = new Map<string, VirtualServer | undefined>();
  readonly #elements = new Map<string, Map<string, Element | undefined>>();
  readonly #routes = new Map<string, boolean>();

  server(key: string, server: VirtualServer | undefined): void {
    if (!this.servers.has(key)) this.servers.set(key, server);
  }

  element(set: string, key: string, element: Element | undefined): void {
    const known = this.#elements.get(set) ?? new Map<string, Element | undefined>();
    this.#elements.set(set, known);
    if (!known.has(key)) known.set(key, element);
  }

  route(vip: string, isWanted: boolean): void {
    if (!this.#routes.has(vip)) this.#routes.set(vip, isWanted);
  }

  differing(now: WantedEntries): Entries {
    const entries = new Entries();
    for (const [key, server] of this.servers) if (now.servers.get(key) !== server) entries.servers.add(key);
    for (const [vip, was] of this.#routes) if (now.routes.has(vip) !== was) entries.routes.add(vip);
    for (const [set, elements] of this.#elements) {
      for (const [key, element] of elements)
        if (textOf(now.elements.get(set)?.get(key)) !== textOf(element)) entries.addElement(set, key);
    }
    return entries;
  }
}

const textOf = (element: Element | undefined): string => (element === undefined ? "" : elementText(element));
