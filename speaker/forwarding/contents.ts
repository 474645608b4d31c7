/**
 * Entries of Services in the kernel: virtual servers, routes, elements. Each is taken to be as wanted but for those that are
 * unsettled: what is wanted of them changed, a write of them was not read back as written, or an audit found them otherwise.
 * A pass reads the unsettled ones, writes the difference in an order that loses nothing, and reads back what it wrote.
 * What the kernel refuses is left out alone, said, and stays unsettled; everything else is done in the same pass.
 *
 * Order: marks are recorded as ours, then services and real servers and routes, and only then the elements that mark
 * packets; the other way round for what goes.
 */
import type { Clock } from "#common/clock.ts";
import type { Changes } from "#speaker/forwarding/changes.ts";
import type { Elements } from "#speaker/forwarding/element-writer.ts";
import { elementKey, elementText } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { Marks, marksOf } from "#speaker/forwarding/marks.ts";
import { type Portion, type PortionSizes, portionsOf, ROUTED } from "#speaker/forwarding/portions.ts";
import { Reader, type Servers } from "#speaker/forwarding/reader.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import { type Element, ForwardingError } from "#speaker/forwarding/types.ts";
import {
  differServers,
  keyOfParent,
  keyOfSubject,
  type ServerDifference,
  type Step,
  type Subject,
} from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";
import { aboutRoute, type RouteSteps, Writer } from "#speaker/forwarding/writer.ts";

/** How far a pass came. */
export interface Settled {
  /** False: it ended early, since it was asked to. */
  readonly isComplete: boolean;
  /** Addresses of which every port is as far as the kernel takes it; in a pass that is complete, some of them. */
  readonly whole: ReadonlySet<string>;
}

/** What a pass did. */
export interface Passing {
  readonly changes: Changes;
  /** For people: marks that somebody else's service has. */
  readonly conflicts: string[];
}

/** What of a portion is in the kernel. */
interface Seen {
  readonly servers: Servers;
  /** By set. */
  readonly elements: ReadonlyMap<string, readonly Element[]>;
  readonly routes: ReadonlySet<string>;
}

export interface ContentsOptions {
  readonly kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes" | "counter">;
  readonly wanted: Wanted;
  readonly refusals: Refusals;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly portions?: PortionSizes | undefined;
}

export class Contents {
  readonly marks: Marks;
  readonly #options: ContentsOptions;
  readonly #reader: Reader;
  #unsettled = new Entries();
  /** Wanted otherwise since the last pass: a change does not wait for what else there is to do. */
  #fresh = new Entries();
  /** Of the portions of this pass up to now. */
  #left = new Entries();

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.marks = new Marks({ ...options, isUnsettled: this.isUnsettled });
    this.#reader = new Reader(options.kernel, options.wanted, this.marks.own);
  }

  /** All of it. */
  get unsettled(): Entries {
    this.#join();
    return this.#unsettled;
  }

  /** Whether an entry is, as `has` looks for it. */
  readonly isUnsettled = (has: (entries: Entries) => boolean): boolean =>
    has(this.#unsettled) || has(this.#fresh) || has(this.#left);

  /** Something else is wanted of these than before. Takes them over. */
  change(entries: Entries): void {
    const { refusals } = this.#options;
    if (!refusals.isEmpty) for (const key of entries.servers) refusals.askAnew(keyOfParent(key));
    this.#join();
    this.#fresh = entries;
    if (this.#unsettled.size === 0) this.#join();
  }

  /** An audit has found these otherwise. Takes them over. */
  find(entries: Entries): void {
    entries.moveAll(this.#unsettled);
  }

  /** The smaller part goes into the larger one. */
  #join(): void {
    if (this.#fresh.size > this.#unsettled.size)
      [this.#fresh, this.#unsettled] = [this.#unsettled, this.#fresh];
    this.#fresh.moveAll(this.#unsettled);
  }

  /**
   * Makes what is wanted otherwise since the last pass as wanted, and then what else is unsettled. It ends early when
   * `isEnough` says so after a portion: the rest is unsettled then. `isEnough` is told whether there was anything in one of
   * the portions up to then. Throws ForwardingError, NetlinkError where nothing at all could be done.
   */
  async settle(pass: Passing, isEnough: (hasSettled: boolean) => boolean): Promise<Settled> {
    this.#left = new Entries();
    const whole = new Set<string>();
    const slices = new Slices(this.#options.clock);
    const writer = this.#writer(pass.changes, slices);
    this.marks.begin();
    let inHand: Entries | undefined;
    let isComplete = true;
    let hasSettled = false;
    try {
      for (const portion of this.#portions()) {
        inHand = portion.entries;
        hasSettled ||= inHand.size > 0;
        if (inHand.size > 0) this.#left.addAll(await this.#settlePortion(inHand, pass, writer, slices));
        inHand = undefined;
        for (const vip of portion.whole) whole.add(vip);
        await slices.breathe();
        if (!isEnough(hasSettled)) continue;
        isComplete = false;
        break;
      }
    } finally {
      // Of a portion that failed, what was settled is found to be so by the next pass.
      this.#unsettled.addAll(this.#left);
      this.#left = new Entries();
      if (inHand !== undefined) this.#unsettled.addAll(inHand);
    }
    if (isComplete) this.#failIfNothingWorks();
    return { isComplete, whole };
  }

  *#portions(): Generator<Portion> {
    const { wanted, portions } = this.#options;
    // Behind the addresses that an earlier pass did not come to.
    if (this.#unsettled.size > 0)
      for (const set of ROUTED)
        for (const key of [...(this.#fresh.elements.get(set) ?? [])])
          this.#fresh.moveElement(set, key, this.#unsettled);
    yield* portionsOf(this.#fresh, wanted, portions);
    yield* portionsOf(this.#unsettled, wanted, portions);
  }

  /** Returns what of it is still not as wanted. */
  async #settlePortion(portion: Entries, pass: Passing, writer: Writer, slices: Slices): Promise<Entries> {
    const { counter } = this.#options.kernel;
    const before = counter.written;
    const seen = await this.#write(portion, pass, writer, slices);
    const isWritten = counter.written > before;
    return this.#differing(portion, isWritten ? await this.#verify(portion, writer, slices) : seen);
  }

  /** Elements of sets, as they are wanted at present; nothing of somebody else's marks. Throws where nobody's are taken. */
  fill(add: Map<string, readonly Element[]>, changes: Changes): void {
    const { elements } = this.#writer(changes, new Slices(this.#options.clock));
    elements.write({ remove: new Map(), add }, changes);
  }

  /** Returns what was read before the writing: it is there still, if nothing was written. */
  async #write(due: Entries, pass: Passing, writer: Writer, slices: Slices): Promise<Seen> {
    const { marks } = this;
    const servers = await this.#reader.servers(due.servers, slices);
    const others = marks.foreign(servers);
    for (const { mark } of others)
      pass.conflicts.push(`mark 0x${mark.toString(16)} belongs to a foreign IPVS service`);
    marks.claim(servers);
    marks.pullIn(due, [...others, ...marks.knownUnusable()]);
    const difference = this.#differServers(servers);
    const present = this.#reader.routes(due.routes);
    const routes = this.#differRoutes(due.routes, present);
    const { elements } = writer;

    let found = await this.#reader.elements(due.elements, slices);
    let should = this.#wantedElements(due);
    const marking = elements.difference(should, found, { others, unusable: [] });
    await writer.writeElements({ add: only(marking.add, "marks"), remove: new Map() });
    await writer.run(difference.add);
    writer.writeRoutes({ add: routes.add, remove: [] });
    const unusable = marks.findUnusable(servers);
    if (marks.pullIn(due, [...others, ...unusable])) {
      found = await this.#reader.elements(due.elements, slices);
      should = this.#wantedElements(due);
    }
    // Those marks are there by now; what is refused of them is known by the same words.
    const usable = elements.difference(should, found, { others, unusable });
    const rest = { add: without(usable.add, "marks"), remove: without(usable.remove, "marks") };
    await writer.writeElements(rest);
    await writer.run(difference.remove);
    writer.writeRoutes({ add: [], remove: routes.remove });
    const gone = keeping(only(usable.remove, "marks"), marks.lingering(servers));
    await writer.writeElements({ add: new Map(), remove: gone });
    return { servers, elements: found, routes: present };
  }

  /**
   * Announcing waits for this: what was written is what is there. What is not is noted as refused, and not written.
   * Returns what was read back.
   */
  async #verify(due: Entries, { owners, elements }: Writer, slices: Slices): Promise<Seen> {
    const { marks } = this;
    const { refusals } = this.#options;
    const servers = await this.#reader.servers(due.servers, slices);
    const others = marks.foreign(servers);
    const { add, remove } = this.#differServers(servers);
    for (const { operation, about } of [...add, ...remove]) {
      if (about.parent !== undefined && refusals.has(keyOfParent(about.parent))) continue;
      refusals.note(keyOfSubject(about), owners.unverified(about, operation));
    }
    const present = this.#reader.routes(due.routes);
    const routes = this.#differRoutes(due.routes, present);
    for (const [action, vips] of [
      ["create", routes.add],
      ["remove", routes.remove],
    ] as const) {
      for (const vip of vips) {
        const about = aboutRoute(action, vip);
        refusals.note(keyOfSubject(about), owners.unverified(about));
      }
    }
    const unusable = marks.findUnusable(servers);
    marks.pullIn(due, [...others, ...unusable]);
    const found = await this.#reader.elements(due.elements, slices);
    const difference = elements.difference(this.#wantedElements(due), found, { others, unusable });
    const lingering = [...servers.present.keys()].filter((key) => !servers.wanted.has(key));
    elements.noteUnverified({ ...difference, remove: keeping(difference.remove, marksOf(lingering)) });
    marks.release(due, servers, found);
    return { servers, elements: found, routes: present };
  }

  /** Not one port of any Service can be forwarded: that is no fault of an object. */
  #failIfNothingWorks(): void {
    const { refusals } = this.#options;
    if (!this.marks.areAllUnusable) return;
    const [first] = refusals.list().filter(({ kind }) => kind === "virtualServer");
    const code = first?.code === "NotVerified" ? "NotVerified" : "KernelRefused";
    throw new ForwardingError(code, `${first?.attempt ?? "all virtual servers"}: ${first?.words ?? ""}`);
  }

  /** Without what the kernel refused a moment ago. */
  #differServers({ wanted, present }: Servers): ServerDifference {
    const { add, remove } = differServers(wanted, present);
    return { add: this.#unpaused(add), remove: this.#unpaused(remove) };
  }

  #differRoutes(due: ReadonlySet<string>, present: ReadonlySet<string>): RouteSteps {
    const { wanted } = this.#options;
    const differing = [...due].filter((vip) => present.has(vip) !== wanted.routes.has(vip));
    const asked = differing.filter((vip) => !this.#isPaused(aboutRoute("create", vip)));
    return {
      add: asked.filter((vip) => wanted.routes.has(vip)),
      remove: asked.filter((vip) => !wanted.routes.has(vip)),
    };
  }

  #unpaused(steps: Step[]): Step[] {
    if (this.#options.refusals.isEmpty) return steps;
    return steps.filter(({ about }) => !this.#isPaused(about));
  }

  #isPaused(about: Subject): boolean {
    const { refusals } = this.#options;
    if (about.parent !== undefined && refusals.isPaused(keyOfParent(about.parent))) return true;
    return refusals.isPaused(keyOfSubject(about));
  }

  #wantedElements(due: Entries): Map<string, readonly Element[]> {
    const { wanted } = this.#options;
    return new Map(
      [...due.elements].map(([set, keys]) => [
        set,
        [...keys].flatMap((key) => wanted.elements.get(set)?.get(key) ?? []),
      ]),
    );
  }

  /** Of what was due, what is not as wanted. */
  #differing(due: Entries, { servers, elements, routes }: Seen): Entries {
    const { wanted } = this.#options;
    const left = new Entries();
    for (const key of due.servers) if (!servers.settled.has(key)) left.servers.add(key);
    for (const [set, keys] of due.elements) {
      const there = new Map((elements.get(set) ?? []).map((one) => [elementKey(one), elementText(one)]));
      for (const key of keys) {
        const should = wanted.elements.get(set)?.get(key);
        if (there.get(key) !== (should && elementText(should))) left.addElement(set, key);
      }
    }
    for (const vip of due.routes) if (routes.has(vip) !== wanted.routes.has(vip)) left.routes.add(vip);
    return left;
  }

  #writer(changes: Changes, slices: Slices): Writer {
    const { kernel, refusals, wanted } = this.#options;
    return new Writer({ kernel, refusals, owning: wanted, changes, slices });
  }
}

/** Without those elements of the set `marks`. */
function keeping(elements: ReadonlyMap<string, readonly Element[]>, marks: ReadonlySet<string>): Elements {
  const list = elements.get("marks");
  const kept = new Map(elements);
  if (marks.size === 0 || list === undefined) return kept;
  const left = list.filter(({ key }) => !marks.has(key));
  if (left.length === 0) kept.delete("marks");
  else kept.set("marks", left);
  return kept;
}

const only = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key === name));
const without = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key !== name));
