/**
 * What is wanted in the kernel, entry by entry, and which entries are wanted otherwise since `begin`. Knows what a port
 * wants, and nothing of Services: wanted.ts puts ports in and takes them out.
 */
import { isDeepStrictEqual } from "node:util";
import { FAMILIES, type Family } from "#api/address.ts";
import { Digest, portNumber } from "#speaker/forwarding/digest.ts";
import { elementKey, MARKING, markValue, named, SETS } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { isHandedOn, planServer, type SetElement, sizeOfServer } from "#speaker/forwarding/plan-port.ts";
import { keyOfServer, markOfKey, type ServerKey } from "#speaker/forwarding/server-key.ts";
import type { ForwardedPort, ForwardingCounts } from "#speaker/forwarding/types.ts";
import { type ReadSet, WantedMarks } from "#speaker/forwarding/wanted-marks.ts";
import { WantedServers } from "#speaker/forwarding/wanted-servers.ts";
import { WantedSet } from "#speaker/forwarding/wanted-set.ts";

/** To so many remote endpoints the way is looked up. */
const WAYS = 4;

/** To plan a server twice and to compare the plans takes as long as to compare so many elements. */
const ELEMENTS_OF_SERVER = 10;

interface Sampled {
  readonly mark: number;
  readonly address: string;
}

export class WantedEntries {
  readonly servers = new WantedServers();
  /** Every set of ours has an entry. */
  readonly elements: ReadonlyMap<string, ReadSet>;
  /** Those that are put in and taken out. */
  readonly #sets: ReadonlyMap<string, WantedSet>;
  /** Addresses that are local for marked packets, in canonical text. */
  readonly routes = new Set<string>();
  /** Of the servers. */
  readonly digest = new Digest();
  /** Elements that do not belong to a single port, by group: the pings of an address, `members`, `routed`. */
  readonly #groups = new Map<string, readonly SetElement[]>();
  /** For elements that several ports have: how many ports more than one. */
  readonly #shared = new Map<string, number>();
  #realServers = 0;
  /** The answer of `sampleRemotes`, until one of its servers changes. */
  #sample: readonly Sampled[] | undefined;
  readonly #piece: number;
  #before: Before;

  /** `piece`: elements that are looked at in one go. */
  constructor(piece: number) {
    this.#piece = piece;
    this.#before = new Before(piece);
    const names = SETS.flatMap((set) => FAMILIES.map((family) => named(set, family)));
    this.#sets = new Map(names.map((name) => [name, new WantedSet(name)]));
    this.elements = new Map<string, ReadSet>([...this.#sets, ["marks", new WantedMarks(this.servers)]]);
  }

  /** From now on changes are collected, and `end` returns them. */
  begin(): void {
    this.#before = new Before(this.#piece);
  }

  /** The entries that are wanted otherwise than at `begin`. */
  *end(): Generator<undefined, Entries> {
    const before = this.#before;
    this.#before = new Before(this.#piece);
    return yield* before.differing(this);
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
      for (const [key, value] of this.elements.get(set)?.entries() ?? [])
        if (marks.has(value)) yield [set, key];
    }
  }

  /** Some remote endpoints that other nodes take connections over for. The way to them decides the segment size. */
  sampleRemotes(): string[] {
    this.#sample ??= this.#findSample();
    return [...new Set(this.#sample.map(({ address }) => address))].sort();
  }

  /** The first remote endpoint of each of the servers with the lowest marks. */
  #findSample(): Sampled[] {
    const lowest: Sampled[] = [];
    for (const [key, port] of this.servers.entries()) {
      const mark = markOfKey(key);
      if (lowest.length === WAYS && mark > (lowest.at(-1)?.mark ?? 0)) continue;
      if (!port.endpoints.some(isHandedOn)) continue;
      const remote = planServer(port, mark).realServers.find(({ forwarding }) => forwarding !== "masquerade");
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

  /** `marks`: of its virtual servers. */
  addServers(port: ForwardedPort, marks: readonly number[]): void {
    for (const mark of marks) this.#setServer(mark, port.family, port);
    this.digest.add(port.id, portNumber(port));
  }

  removeServers(port: ForwardedPort, marks: readonly number[]): void {
    for (const mark of marks) this.#setServer(mark, port.family, undefined);
    this.digest.add(port.id, -portNumber(port));
  }

  setRoute(vip: string, isWanted: boolean): void {
    this.#before.route(vip, this.routes.has(vip));
    if (isWanted) this.routes.add(vip);
    else this.routes.delete(vip);
  }

  /** Replaces the elements of a group. */
  replace(group: string, elements: readonly SetElement[]): void {
    for (const one of this.#groups.get(group) ?? []) this.remove(one);
    for (const one of elements) this.add(one);
    if (elements.length === 0) this.#groups.delete(group);
    else this.#groups.set(group, elements);
  }

  #setServer(mark: number, family: Family, port: ForwardedPort | undefined): void {
    const key = keyOfServer({ family, mark });
    const present = this.servers.portOf(key);
    this.#before.server(key, present);
    if (port !== undefined) this.#realServers += sizeOfServer(port, mark);
    if (present !== undefined) this.#realServers -= sizeOfServer(present, mark);
    if (this.#isInSample(mark)) this.#sample = undefined;
    if (port === undefined) this.servers.delete(key);
    else this.servers.set(key, port);
  }

  add([set, element]: SetElement): void {
    const elements = this.#sets.get(set);
    if (elements === undefined) return;
    const key = elementKey(element);
    if (elements.has(key)) {
      const shared = `${set} ${key}`;
      this.#shared.set(shared, (this.#shared.get(shared) ?? 0) + 1);
      return;
    }
    this.#before.element(set, key, undefined);
    elements.set(element);
  }

  remove([set, element]: SetElement): void {
    const elements = this.#sets.get(set);
    const key = elementKey(element);
    const present = elements?.valueOf(key);
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

/** How each entry was wanted before the first change of an update. */
class Before {
  readonly #piece: number;
  readonly #servers = new Map<ServerKey, ForwardedPort | undefined>();
  /** By set: values by key; undefined: it was not wanted. */
  readonly #elements = new Map<string, Map<string, string | undefined>>();
  readonly #routes = new Map<string, boolean>();

  constructor(piece: number) {
    this.#piece = piece;
  }

  server(key: ServerKey, port: ForwardedPort | undefined): void {
    if (!this.#servers.has(key)) this.#servers.set(key, port);
  }

  element(set: string, key: string, value: string | undefined): void {
    const known = this.#elements.get(set) ?? new Map<string, string | undefined>();
    this.#elements.set(set, known);
    if (!known.has(key)) known.set(key, value);
  }

  route(vip: string, was: boolean): void {
    if (!this.#routes.has(vip)) this.#routes.set(vip, was);
  }

  *differing({ servers, elements, routes }: WantedEntries): Generator<undefined, Entries> {
    const entries = new Entries();
    let looked = 0;
    for (const [key, port] of this.#servers) {
      const now = servers.portOf(key);
      if (!isSameServer(key, port, now)) entries.servers.add(key);
      if ((port === undefined) !== (now === undefined))
        entries.addElement("marks", markValue(markOfKey(key)));
      looked += ELEMENTS_OF_SERVER;
      if (looked >= this.#piece) {
        looked = 0;
        yield;
      }
    }
    for (const [vip, was] of this.#routes) if (routes.has(vip) !== was) entries.routes.add(vip);
    for (const [set, values] of this.#elements) {
      for (const [key, value] of values) {
        if (elements.get(set)?.valueOf(key) !== value) entries.addElement(set, key);
        looked += 1;
        if (looked >= this.#piece) {
          looked = 0;
          yield;
        }
      }
    }
    return entries;
  }
}

function isSameServer(key: ServerKey, a: ForwardedPort | undefined, b: ForwardedPort | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return a === b;
  const mark = markOfKey(key);
  return isDeepStrictEqual(planServer(a, mark), planServer(b, mark));
}
