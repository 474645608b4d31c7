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
import { type ElementDifference, type Elements, ElementWriter } from "#speaker/forwarding/element-writer.ts";
import { elementKey, elementText, markValue } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { faultOf, isWithoutScheduler, noScheduler } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { Owners } from "#speaker/forwarding/owners.ts";
import { type PortionSizes, portionsOf } from "#speaker/forwarding/portions.ts";
import { Reader, type Servers } from "#speaker/forwarding/reader.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import { type Change, type Element, ForwardingError, type VirtualServer } from "#speaker/forwarding/types.ts";
import {
  differServers,
  isFilling,
  keyOfParent,
  keyOfSubject,
  parseServerKey,
  type ServerDifference,
  type Step,
  type Subject,
} from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** Operations of one write, and elements of one transaction, but for those of one owner: milliseconds each. */
const OPERATIONS_AT_ONCE = 200;
const ELEMENTS_AT_ONCE = 1_000;

/** What a pass did. */
export interface Passing {
  readonly changes: Change[];
  /** For people: marks that somebody else's service has. */
  readonly conflicts: string[];
}

interface RouteSteps {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export interface ContentsOptions {
  readonly kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes" | "counter">;
  readonly wanted: Wanted;
  readonly refusals: Refusals;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly portions?: PortionSizes | undefined;
}

export class Contents {
  /** Marks of ours, by `markValue`: recorded in the table, or about to be. */
  readonly own = new Set<string>();
  readonly #options: ContentsOptions;
  readonly #reader: Reader;
  #unsettled = new Entries();
  /** Marks, by `markValue`, for which nothing may be marked: this pass has looked at their elements. */
  readonly #withheld = new Set<string>();
  /** Keys of virtual servers that are wanted, and not there or without their scheduler. */
  readonly #unusable = new Set<string>();

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#reader = new Reader(options.kernel, options.wanted, this.own);
  }

  get unsettled(): Entries {
    return this.#unsettled;
  }

  /** Makes the unsettled entries as wanted. Throws ForwardingError, NetlinkError where nothing at all could be done. */
  async settle(pass: Passing): Promise<void> {
    const due = this.#unsettled;
    if (due.size === 0) return;
    this.#unsettled = new Entries();
    const slices = new Slices(this.#options.clock);
    this.#withheld.clear();
    const portions = portionsOf(due, this.#options.wanted, this.#options.portions);
    try {
      for (let next = portions.next(); !next.done; next = portions.next()) {
        const left = next.value.size === 0 ? next.value : await this.#settlePortion(next.value, pass, slices);
        this.#unsettled.addAll(left);
        await slices.breathe();
      }
    } catch (error) {
      // Whatever was settled of it is found to be so by the next pass.
      this.#unsettled.addAll(due);
      throw error;
    }
    this.#failIfNothingWorks();
  }

  /** Returns what of it is still not as wanted. */
  async #settlePortion(portion: Entries, pass: Passing, slices: Slices): Promise<Entries> {
    const { counter } = this.#options.kernel;
    const before = counter.written;
    const left = await this.#write(portion, pass, slices);
    return counter.written > before ? this.#verify(portion, slices) : left;
  }

  /** Elements of sets, as they are wanted at present; nothing of somebody else's marks. Throws where nobody's are taken. */
  fill(add: Map<string, readonly Element[]>, changes: Change[]): void {
    this.#writer(this.#owners()).write({ remove: new Map(), add }, changes);
  }

  /** Returns what is still not as wanted, by what was read before the writing: the same, if nothing was written. */
  async #write(due: Entries, pass: Passing, slices: Slices): Promise<Entries> {
    const { wanted } = this.#options;
    const servers = await this.#reader.servers(due.servers, slices);
    const others = this.#foreign(servers);
    for (const { mark } of others)
      pass.conflicts.push(`mark 0x${mark.toString(16)} belongs to a foreign IPVS service`);
    this.#claim(servers);
    // Of ones that were refused before, and of those that have gone for good.
    const known = [...this.#unusable].flatMap((key) => wanted.servers.get(key) ?? []);
    this.#pullIn(due, [...others, ...known]);
    const difference = this.#differServers(servers);
    const routes = this.#differRoutes(due.routes);
    const owners = this.#owners();
    const elements = this.#writer(owners);

    let found = await this.#reader.elements(due.elements, slices);
    let should = this.#wantedElements(due);
    const marking = elements.difference(should, found, { others, unusable: [] });
    await this.#writeElements(elements, { add: only(marking.add, "marks"), remove: new Map() }, pass, slices);
    await this.#run(difference.add, owners, pass, slices);
    this.#writeRoutes({ add: routes.add, remove: [] }, owners, pass);
    const unusable = this.#findUnusable(servers);
    if (this.#pullIn(due, [...others, ...unusable])) {
      found = await this.#reader.elements(due.elements, slices);
      should = this.#wantedElements(due);
    }
    // Those marks are there by now; what is refused of them is known by the same words.
    const usable = elements.difference(should, found, { others, unusable });
    const rest = { add: without(usable.add, "marks"), remove: without(usable.remove, "marks") };
    await this.#writeElements(elements, rest, pass, slices);
    await this.#run(difference.remove, owners, pass, slices);
    this.#writeRoutes({ add: [], remove: routes.remove }, owners, pass);
    const gone = keeping(only(usable.remove, "marks"), this.#lingering(servers));
    await this.#writeElements(elements, { add: new Map(), remove: gone }, pass, slices);
    return this.#differing(due, servers, found);
  }

  /** Announcing waits for this: what was written is what is there. What is not is noted as refused, and not written. */
  async #verify(due: Entries, slices: Slices): Promise<Entries> {
    const { refusals } = this.#options;
    const servers = await this.#reader.servers(due.servers, slices);
    const others = this.#foreign(servers);
    const owners = this.#owners();
    const { add, remove } = this.#differServers(servers);
    for (const { operation, about } of [...add, ...remove]) {
      if (about.parent !== undefined && refusals.has(keyOfParent(about.parent))) continue;
      refusals.note(keyOfSubject(about), owners.unverified(about, operation));
    }
    const routes = this.#differRoutes(due.routes);
    for (const [action, vips] of [
      ["create", routes.add],
      ["remove", routes.remove],
    ] as const) {
      for (const vip of vips) {
        const about = aboutRoute(action, vip);
        refusals.note(keyOfSubject(about), owners.unverified(about));
      }
    }
    const unusable = this.#findUnusable(servers);
    this.#pullIn(due, [...others, ...unusable]);
    const found = await this.#reader.elements(due.elements, slices);
    const elements = this.#writer(owners);
    const difference = elements.difference(this.#wantedElements(due), found, { others, unusable });
    const lingering = [...servers.present.keys()].filter((key) => !servers.wanted.has(key));
    elements.noteUnverified({ ...difference, remove: keeping(difference.remove, marksOf(lingering)) });
    this.#release(due, servers, found);
    return this.#differing(due, servers, found);
  }

  /** Not one port of any Service can be forwarded: that is no fault of an object. */
  #failIfNothingWorks(): void {
    const { wanted, refusals } = this.#options;
    if (this.#unusable.size === 0 || this.#unusable.size < wanted.servers.size) return;
    const [first] = refusals.list().filter(({ kind }) => kind === "virtualServer");
    const code = first?.code === "NotVerified" ? "NotVerified" : "KernelRefused";
    throw new ForwardingError(code, `${first?.attempt ?? "all virtual servers"}: ${first?.words ?? ""}`);
  }

  /** Wanted ones whose mark somebody else's service has. */
  #foreign({ foreign }: Servers): VirtualServer[] {
    return [...foreign].flatMap((key) => this.#options.wanted.servers.get(key) ?? []);
  }

  #claim({ wanted }: Servers): void {
    for (const { mark } of wanted.values()) this.own.add(markValue(mark));
  }

  /**
   * Marks, by `markValue`, of services that were to go and are there still: they stay recorded as ours, for nobody would
   * know them for ours again.
   */
  #lingering({ wanted, present }: Servers): Set<string> {
    const keys = [...present.keys()].filter((key) => !wanted.has(key));
    const answers = keys.length === 0 ? [] : this.#options.kernel.servers.find(keys.map(parseServerKey));
    return marksOf(keys.filter((_, at) => answers[at] !== undefined));
  }

  /** Marks whose elements and services are gone, and wanted no more: whoever has them from now on is somebody else. */
  #release(due: Entries, { present }: Servers, found: ReadonlyMap<string, readonly Element[]>): void {
    const there = marksOf([...present.keys()]);
    for (const element of found.get("marks") ?? []) there.add(elementKey(element));
    const wanted = this.#options.wanted.elements.get("marks");
    for (const key of due.elements.get("marks") ?? [])
      if (!there.has(key) && wanted?.has(key) !== true) this.own.delete(key);
  }

  /** Nothing may be marked for them: so what marks is looked at, too. Whether that is more than before. */
  #pullIn(due: Entries, servers: readonly VirtualServer[]): boolean {
    const marks = servers.map(({ mark }) => markValue(mark));
    const more = new Set(marks.filter((mark) => !this.#withheld.has(mark)));
    if (more.size === 0) return false;
    for (const mark of more) this.#withheld.add(mark);
    for (const [set, key] of this.#options.wanted.elementsOfMarks(more)) due.addElement(set, key);
    return true;
  }

  /**
   * Nothing may be marked for what is not in the kernel, or without its scheduler. Looks at those that were due; what an
   * earlier pass found of others stands.
   */
  #findUnusable({ wanted: due, present, settled }: Servers): VirtualServer[] {
    const { refusals, wanted } = this.#options;
    for (const key of [...this.#unusable]) if (!wanted.servers.has(key)) this.#unusable.delete(key);
    for (const key of settled) this.#unusable.delete(key);
    for (const key of due.keys()) {
      const there = present.get(key);
      const isOff = refusals.has(keyOfParent(key)) && (there === undefined || isFilling(there));
      if (isOff) this.#unusable.add(key);
      else this.#unusable.delete(key);
    }
    return [...this.#unusable].flatMap((key) => wanted.servers.get(key) ?? []);
  }

  /** Without what the kernel refused a moment ago. */
  #differServers({ wanted, present }: Servers): ServerDifference {
    const { add, remove } = differServers(wanted, present);
    return { add: this.#unpaused(add), remove: this.#unpaused(remove) };
  }

  #differRoutes(due: ReadonlySet<string>): RouteSteps {
    const { kernel, wanted } = this.#options;
    const vips = [...due];
    if (vips.length === 0) return { add: [], remove: [] };
    const isThere = kernel.routes.find(vips);
    const differing = vips.filter((vip, at) => isThere[at] !== wanted.routes.has(vip));
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
  #differing(due: Entries, servers: Servers, found: ReadonlyMap<string, readonly Element[]>): Entries {
    const { kernel, wanted } = this.#options;
    const left = new Entries();
    for (const key of due.servers) if (!servers.settled.has(key)) left.servers.add(key);
    for (const [set, keys] of due.elements) {
      const there = new Map((found.get(set) ?? []).map((one) => [elementKey(one), elementText(one)]));
      for (const key of keys) {
        const should = wanted.elements.get(set)?.get(key);
        if (there.get(key) !== (should && elementText(should))) left.addElement(set, key);
      }
    }
    const vips = [...due.routes];
    const isThere = vips.length === 0 ? [] : kernel.routes.find(vips);
    for (const [at, vip] of vips.entries()) if (isThere[at] !== wanted.routes.has(vip)) left.routes.add(vip);
    return left;
  }

  /** Owner by owner in one transaction, and not more of them than one slice takes. */
  async #writeElements(
    writer: ElementWriter,
    difference: ElementDifference,
    { changes }: Passing,
    slices: Slices,
  ): Promise<void> {
    for (const part of writer.parts(difference, ELEMENTS_AT_ONCE)) {
      writer.write(part, changes);
      await slices.breathe();
    }
  }

  async #run(steps: readonly Step[], owners: Owners, pass: Passing, slices: Slices): Promise<void> {
    for (let start = 0; start < steps.length; ) {
      let end = Math.min(steps.length, start + OPERATIONS_AT_ONCE);
      // What is about one thing stays together: its first refusal says why.
      while (end < steps.length && steps[end]?.about === steps[end - 1]?.about) end += 1;
      this.#runSome(steps.slice(start, end), owners, pass);
      start = end;
      await slices.breathe();
    }
  }

  /** What is gone already is gone as wanted, and what is there already is read back. */
  #runSome(steps: readonly Step[], owners: Owners, { changes }: Passing): void {
    const { kernel, refusals } = this.#options;
    const refused = new Set<Subject>();
    for (const { index, error } of kernel.servers.write(steps.map(({ operation }) => operation))) {
      const step = steps[index];
      if (step === undefined || isDone(step, error.code)) continue;
      if (error.code === "EPERM") throw faultOf(error);
      if (isWithoutScheduler(step.operation, error)) throw noScheduler(error);
      // The first refusal says why; what else was asked about the same thing fails for that.
      if (refused.has(step.about)) continue;
      refused.add(step.about);
      // What cannot be without the refused one is refused for that reason alone.
      const { parent } = step.about;
      if (parent !== undefined && refusals.isPaused(keyOfParent(parent))) continue;
      refusals.note(keyOfSubject(step.about), owners.refusal(step.about, error));
    }
    const done = new Set(steps.map(({ about }) => about).filter((about) => !refused.has(about)));
    for (const about of done) this.#done(about, changes);
  }

  #writeRoutes(steps: RouteSteps, owners: Owners, { changes }: Passing): void {
    if (steps.add.length + steps.remove.length === 0) return;
    const { kernel, refusals } = this.#options;
    const refused = new Set<string>();
    for (const { vip, error } of kernel.routes.write(steps)) {
      if (error.code === "EPERM") throw faultOf(error);
      refused.add(vip);
      const about = aboutRoute("create", vip);
      refusals.note(keyOfSubject(about), owners.refusal(about, error));
    }
    const did = (action: Change["action"], vips: readonly string[]): void => {
      for (const vip of vips) if (!refused.has(vip)) this.#done(aboutRoute(action, vip), changes);
    };
    did("create", steps.add);
    did("remove", steps.remove);
  }

  #done(about: Subject, changes: Change[]): void {
    if (about.change !== undefined) changes.push(about.change);
    if (!this.#options.refusals.isEmpty) this.#options.refusals.take(keyOfSubject(about));
  }

  #owners(): Owners {
    return new Owners(this.#options.wanted);
  }

  #writer(owners: Owners): ElementWriter {
    return new ElementWriter(this.#options.kernel.elements, this.#options.refusals, owners);
  }
}

function aboutRoute(action: Change["action"], vip: string): Subject {
  return { kind: "route", own: vip, change: { action, kind: "route", name: vip } };
}

const isDone = ({ operation: { kind } }: Step, code: string): boolean =>
  kind === "removeService" || kind === "removeDestination"
    ? code === "ESRCH" || code === "ENOENT"
    : code === "EEXIST";

const marksOf = (keys: readonly string[]): Set<string> =>
  new Set(keys.map((key) => markValue(parseServerKey(key).mark)));

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
