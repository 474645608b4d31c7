/**
 * Writes what differs to the kernel. What it refuses is noted by itself and said; everything else is done, and told to the
 * pass.
 */
import type { Changes } from "#speaker/forwarding/changes.ts";
import { type ElementDifference, ElementWriter } from "#speaker/forwarding/element-writer.ts";
import { faultOf, isWithoutScheduler, noScheduler } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { Owners, type Owning } from "#speaker/forwarding/owners.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import type { Slices } from "#speaker/forwarding/slices.ts";
import type { Change } from "#speaker/forwarding/types.ts";
import { keyOfParent, keyOfSubject, type Step, type Subject } from "#speaker/forwarding/virtual-servers.ts";

/** Operations of one write, and elements of one transaction, but for those of one owner: milliseconds each. */
const OPERATIONS_AT_ONCE = 200;
const ELEMENTS_AT_ONCE = 1_000;

export interface RouteSteps {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export interface WriterOptions {
  readonly kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes">;
  readonly refusals: Refusals;
  /** Whose what is refused is. */
  readonly owning: Owning;
  readonly changes: Changes;
  readonly slices: Slices;
}

/** Of one portion, or one filling. */
export class Writer {
  readonly #options: WriterOptions;
  readonly owners: Owners;
  readonly elements: ElementWriter;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.owners = new Owners(options.owning);
    this.elements = new ElementWriter(options.kernel.elements, options.refusals, this.owners);
  }

  /** Owner by owner in one transaction, and not more of them than one slice takes. */
  async writeElements(difference: ElementDifference): Promise<void> {
    const { changes, slices } = this.#options;
    for (const part of this.elements.parts(difference, ELEMENTS_AT_ONCE)) {
      this.elements.write(part, changes);
      await slices.breathe();
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (let start = 0; start < steps.length; ) {
      let end = Math.min(steps.length, start + OPERATIONS_AT_ONCE);
      // What is about one thing stays together: its first refusal says why.
      while (end < steps.length && steps[end]?.about === steps[end - 1]?.about) end += 1;
      this.#runSome(steps.slice(start, end));
      start = end;
      await this.#options.slices.breathe();
    }
  }

  /** What is gone already is gone as wanted, and what is there already is read back. */
  #runSome(steps: readonly Step[]): void {
    const { kernel, refusals } = this.#options;
    const refused = new Set<Subject>();
    for (const { index, error } of kernel.servers.write(steps.map(({ operation }) => operation))) {
      const step = steps[index];
      if (step === undefined || isDone(step, error.code)) continue;
      if (error.code === "EPERM") throw faultOf(error);
      if (isWithoutScheduler(step.operation, error) && step.about.hasOwnScheduler !== true)
        throw noScheduler(error);
      // The first refusal says why; what else was asked about the same thing fails for that.
      if (refused.has(step.about)) continue;
      refused.add(step.about);
      // What cannot be without the refused one is refused for that reason alone.
      const { parent } = step.about;
      if (parent !== undefined && refusals.isPaused(keyOfParent(parent))) continue;
      refusals.note(keyOfSubject(step.about), this.owners.refusal(step.about, error));
    }
    const done = new Set(steps.map(({ about }) => about).filter((about) => !refused.has(about)));
    for (const about of done) this.#done(about);
  }

  writeRoutes(steps: RouteSteps): void {
    if (steps.add.length + steps.remove.length === 0) return;
    const { kernel, refusals } = this.#options;
    const refused = new Set<string>();
    for (const { vip, error } of kernel.routes.write(steps)) {
      if (error.code === "EPERM") throw faultOf(error);
      refused.add(vip);
      const about = aboutRoute("create", vip);
      refusals.note(keyOfSubject(about), this.owners.refusal(about, error));
    }
    const did = (action: Change["action"], vips: readonly string[]): void => {
      for (const vip of vips) if (!refused.has(vip)) this.#done(aboutRoute(action, vip));
    };
    did("create", steps.add);
    did("remove", steps.remove);
  }

  #done(about: Subject): void {
    const { changes, refusals } = this.#options;
    if (about.change !== undefined) changes.add(about.change);
    if (!refusals.isEmpty) refusals.take(keyOfSubject(about));
  }
}

export function aboutRoute(action: Change["action"], vip: string): Subject {
  return { kind: "route", own: vip, change: { action, kind: "route", name: vip } };
}

const isDone = ({ operation: { kind } }: Step, code: string): boolean =>
  kind === "removeService" || kind === "removeDestination"
    ? code === "ESRCH" || code === "ENOENT"
    : code === "EEXIST";
