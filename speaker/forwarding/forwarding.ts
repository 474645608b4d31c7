/**
 * Makes the kernel forward as wanted. A pass looks at the skeleton, and touches those entries of Services alone of which
 * something else is wanted than before, or which are not as they should be (contents.ts). Between passes an audit compares
 * everything else in slices, and asks for a pass when it finds something. A pass fails only for what every Service needs.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { Audit } from "#speaker/forwarding/audit.ts";
import { Auditor, SLICE_EVERY_MS } from "#speaker/forwarding/auditor.ts";
import { Binding } from "#speaker/forwarding/binding.ts";
import { Changes } from "#speaker/forwarding/changes.ts";
import { Contents, type Passing, type Settled } from "#speaker/forwarding/contents.ts";
import { type Difference, describeDifference } from "#speaker/forwarding/difference.ts";
import { settledDigest } from "#speaker/forwarding/digest.ts";
import { markOfValue, markValue } from "#speaker/forwarding/elements.ts";
import { DEFAULT_TUNNEL } from "#speaker/forwarding/encapsulation.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { faultOf } from "#speaker/forwarding/fault.ts";
import { Findings } from "#speaker/forwarding/findings.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { idOf, markOf } from "#speaker/forwarding/mark.ts";
import { marksOfPort } from "#speaker/forwarding/plan-port.ts";
import type { PortionSizes } from "#speaker/forwarding/portions.ts";
import { Refusals } from "#speaker/forwarding/refusals.ts";
import { emptyKernel } from "#speaker/forwarding/removal.ts";
import { markOfKey } from "#speaker/forwarding/server-key.ts";
import { ADMITTING_SETS, SUCCEEDING } from "#speaker/forwarding/sets.ts";
import { SkeletonPace } from "#speaker/forwarding/skeleton-pace.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import {
  type Change,
  type Element,
  type ForwardedPort,
  type ForwardingCounts,
  type ForwardingInput,
  type ForwardingSettings,
  GATHER_MS,
  NO_COUNTS,
  type Reconciled,
  type SyncTrouble,
} from "#speaker/forwarding/types.ts";
import { Wanted } from "#speaker/forwarding/wanted.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";

export interface ForwardingOptions {
  readonly clock: Pick<Clock, "now" | "sleep" | "after">;
  /** Something is not as this object left it: a pass puts it right. */
  readonly onDrift?: () => void;
  /** Of what a pass does at a time; only tests ask for others. */
  readonly portions?: PortionSizes;
  /** Ports or addresses that are planned at a time; only tests ask for another number. */
  readonly piece?: number | undefined;
}

/** An input, and what is left of its planning. */
interface Begun {
  readonly input: ForwardingInput;
  /** Undefined once it was planned to its end. */
  steps: Generator<undefined, Entries> | undefined;
  /** Something else is wanted of Services than before. */
  hasChanges: boolean;
}

/** What is kept of one life of the table: from the first pass, or from a removal, on. */
interface Kept {
  readonly wanted: Wanted;
  readonly contents: Contents;
  readonly findings: Findings;
  readonly audit: Audit;
  readonly skeletonPace: SkeletonPace;
  /** A comparison that has to be over before anything is written; a pass that ended early may have left it half done. */
  comparing: Generator | undefined;
  /** Once everything was compared for the first time. */
  auditor: Auditor | undefined;
  /** The input of a pass that gave way before anything was written of it. Half of it may be planned. */
  begun: Begun | undefined;
}

const NOTHING: ReadonlySet<string> = new Set();
/** Before anything was settled. */
const NOT_SETTLED: Settled = { isComplete: false, whole: NOTHING };

function withoutLink({ settings, sync }: ForwardingInput): SyncTrouble | undefined {
  if (settings?.sharesConnections !== true || sync !== undefined) return undefined;
  return { code: "NoSyncLink", message: "no Ethernet link of this node has the address of its Node object" };
}

/** An older build had one virtual server of tier 2 for each port, of the mark without a tag. */
function withoutTags(elements: readonly Element[], { routingBit }: ForwardingSettings): Element[] {
  return elements.map(({ key, value = "" }) => ({
    key,
    value: markValue(markOf(idOf(markOfValue(value)), 2, routingBit)),
  }));
}

export class Forwarding {
  readonly #kernel: ForwardingKernel;
  readonly #options: ForwardingOptions;
  readonly #refusals: Refusals;
  readonly #binding: Binding;
  #kept: Kept;
  #isBusy = false;
  #cancelAudit: Cancel | undefined;
  #passes = 0;
  #changes = 0;
  /** Of the first pass that came to its end. */
  #completeAt: number | undefined;
  /** What IPVS had at the end of the last pass that came to its end. */
  #digest: string | undefined;

  constructor(kernel: ForwardingKernel, options: ForwardingOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
    this.#binding = new Binding({ clock: options.clock, bindTold: () => kernel.skeleton.bindTold() });
    this.#kept = this.#begin();
  }

  /**
   * `isDue`: whether another pass is asked for, which may have more urgent things to do first; this one then ends before all
   * is done, but not before some is. What it began is gone on with by the next one. Throws ForwardingError where no Service
   * could be served; what was done up to then stays, and the next pass goes on from there.
   */
  async reconcile(input: ForwardingInput, isDue = (): boolean => false): Promise<Reconciled> {
    const before = this.#kernel.counter.written;
    const pass: Passing = { changes: new Changes(), conflicts: [] };
    let settled = NOT_SETTLED;
    this.#isBusy = true;
    this.#refusals.begin();
    try {
      // First: a kernel without ip_vs may lack the rest too, and ip_vs is what people have to hear of.
      this.#kernel.servers.load();
      settled = await this.#pass(input, pass, isDue);
      if (input.sync === undefined) this.#binding.forget();
      else if (settled.isComplete) await this.#binding.run(isDue);
    } catch (error) {
      this.#kept.skeletonPace.forget();
      throw faultOf(error);
    } finally {
      // What a pass that ended early did not come to is refused still.
      if (settled.isComplete) this.#refusals.end();
      this.#isBusy = false;
      this.#passes += 1;
      this.#changes += pass.changes.total;
      this.#auditSoon();
    }
    if (settled.isComplete) {
      this.#completeAt ??= this.#options.clock.now();
      this.#digest = this.#digestNow();
    }
    const { skeleton } = this.#kernel;
    const syncTrouble = skeleton.syncTrouble ?? withoutLink(input);
    const { offered, tunnelTrouble } = skeleton;
    return {
      ...settled,
      writes: this.#kernel.counter.written - before,
      changes: pass.changes.named,
      counts: pass.changes.counts,
      conflicts: pass.conflicts,
      refused: [...this.#kept.wanted.leftOut, ...this.#refusals.list()],
      ...(syncTrouble === undefined ? {} : { syncTrouble }),
      ...(offered.length === 0 ? {} : { offered }),
      ...(tunnelTrouble === undefined ? {} : { tunnelTrouble }),
      ...(this.#isGathering(input) ? { isGathering: true } : {}),
    };
  }

  #isGathering({ sync }: ForwardingInput): boolean {
    const { syncStartedAt, syncTrouble } = this.#kernel.skeleton;
    if (sync === undefined || sync.peers.length === 0) return false;
    if (syncStartedAt === undefined || syncTrouble !== undefined) return false;
    const since = Math.max(syncStartedAt, this.#completeAt ?? Number.POSITIVE_INFINITY);
    return this.#options.clock.now() - since < GATHER_MS;
  }

  /**
   * What an earlier pass began comes to its end first, and one portion of it is written: however fast inputs change, each
   * of them is no more than what differs from the one before, and something of it comes into the kernel.
   */
  async #pass(input: ForwardingInput, pass: Passing, isDue: () => boolean): Promise<Settled> {
    const { begun } = this.#kept;
    let earlier = NOTHING;
    if (begun !== undefined) {
      const some = await this.#make(begun, pass, isDue, (hasSettled) => hasSettled);
      if (some === undefined) return NOT_SETTLED;
      earlier = some.whole;
    }
    const steps = this.#kept.wanted.steps(input);
    const settled = await this.#make({ input, steps, hasChanges: false }, pass, isDue, isDue);
    const { isComplete, whole } = settled ?? NOT_SETTLED;
    return { isComplete, whole: earlier.union(whole) };
  }

  /** Undefined: it gave way before anything was written. */
  async #make(
    plan: Begun,
    pass: Passing,
    isDue: () => boolean,
    isEnough: (hasSettled: boolean) => boolean,
  ): Promise<Settled | undefined> {
    // What throws is not tried again: the next input may be the cure.
    this.#kept.begun = undefined;
    if (await this.#plan(plan, isDue)) {
      const { contents, findings } = this.#kept;
      const changes = await this.#ensureSkeleton(plan, pass);
      for (const change of changes) pass.changes.add(change);
      if (await this.#compare(changes, isDue)) {
        if (findings.entries.servers.size > 0) this.#binding.demand();
        contents.find(findings.entries);
        return await contents.settle(pass, isEnough);
      }
    }
    this.#kept.begun = plan;
    return undefined;
  }

  /** Compares everything now; the next pass puts right what is not as wanted. Returns how many entries that are. */
  async audit(): Promise<number> {
    this.#isBusy = true;
    try {
      if (this.#kept.begun !== undefined) await this.#plan(this.#kept.begun, () => false);
      const slices = new Slices(this.#options.clock);
      for (const _ of this.#kept.audit.all()) await slices.breathe();
    } finally {
      this.#isBusy = false;
    }
    return this.#kept.findings.entries.size;
  }

  /** The last whole round of the audit in the background, by the clock of this object. */
  get lastAudit(): { readonly endedAt: number; readonly tookMs: number } | undefined {
    return this.#kept.auditor?.lastRound;
  }

  /** Takes away everything of ours and puts back what was found. Idempotent. */
  async remove(): Promise<void> {
    this.#stopAudit();
    this.#binding.forget();
    this.#isBusy = true;
    try {
      await emptyKernel(this.#kernel, this.#kept.contents.marks.own, new Slices(this.#options.clock));
      this.#refusals.clear();
      this.#beginAnew();
    } catch (error) {
      throw faultOf(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** No more audits; what is in the kernel stays. */
  close(): void {
    this.#stopAudit();
    this.#binding.forget();
    this.#kernel.close();
  }

  counts(): ForwardingCounts {
    const { wanted } = this.#kept;
    return {
      ...NO_COUNTS,
      ...wanted.counts(),
      passes: this.#passes,
      changes: this.#changes,
      netlinkMessagesWritten: this.#kernel.counter.written,
      turnedAway: Object.fromEntries(this.#kernel.elements.counters()),
      ...(this.#digest !== undefined && { digest: this.#digest }),
    };
  }

  #digestNow(): string {
    const { wanted, contents } = this.#kept;
    const unsettled = new Map<number, ForwardedPort | undefined>();
    for (const key of contents.unsettled.servers)
      unsettled.set(idOf(markOfKey(key)), wanted.servers.portOf(key));
    return settledDigest(wanted.digest, unsettled).text;
  }

  /** Whose a mark in the kernel is; undefined: nobody's of ours. */
  serviceOf(mark: number): string | undefined {
    const { wanted } = this.#kept;
    const port = wanted.portOf(mark);
    return port !== undefined && marksOfPort(port, wanted.settings).includes(mark) ? port.service : undefined;
  }

  /** Entries that are not as wanted, each with what is wanted and what is there: some of each kind. */
  difference(): Difference {
    const all = new Entries();
    all.addAll(this.#kept.contents.unsettled);
    all.addAll(this.#kept.findings.entries);
    return describeDifference(this.#kernel, this.#kept.wanted, all);
  }

  #begin(): Kept {
    const { clock, portions, piece } = this.#options;
    const wanted = new Wanted(piece);
    const contents = new Contents({
      kernel: this.#kernel,
      wanted,
      refusals: this.#refusals,
      clock,
      portions,
    });
    const findings = new Findings(contents);
    const audit = new Audit({ kernel: this.#kernel, wanted, own: contents.marks.own, found: findings });
    const comparing = audit.all();
    const skeletonPace = new SkeletonPace();
    return {
      wanted,
      contents,
      findings,
      audit,
      skeletonPace,
      comparing,
      auditor: undefined,
      begun: undefined,
    };
  }

  #beginAnew(): void {
    this.#digest = undefined;
    this.#kept.comparing?.return(undefined);
    this.#kept.auditor?.stop();
    this.#kept = this.#begin();
  }

  /**
   * False: there is more to plan, and another pass is due. An input that cannot be planned leaves no half of it behind: the
   * next one begins anew.
   */
  async #plan(plan: Begun, isDue: () => boolean): Promise<boolean> {
    const slices = new Slices(this.#options.clock);
    try {
      while (plan.steps !== undefined) {
        const { done, value } = plan.steps.next();
        if (done === true) {
          plan.steps = undefined;
          plan.hasChanges = value.size > 0;
          this.#kept.contents.change(value);
          return true;
        }
        await slices.breathe();
        if (isDue()) return false;
      }
      return true;
    } catch (error) {
      this.#beginAnew();
      throw error;
    }
  }

  async #ensureSkeleton(
    { input: { sync, tunnel = DEFAULT_TUNNEL }, hasChanges }: Begun,
    { changes }: Passing,
  ): Promise<Change[]> {
    const { wanted, contents, skeletonPace } = this.#kept;
    const { settings, nodeAddresses, knowsMembers } = wanted;
    const needs = {
      ...{ settings, nodeAddresses, knowsMembers, tunnel },
      ...(sync === undefined ? {} : { sync }),
      remoteEndpoints: wanted.sampleRemotes(),
    };
    const now = this.#options.clock.now();
    const epoch = (): number => this.#kernel.elements.epoch();
    if (!skeletonPace.isDue({ at: now, needs }, hasChanges, epoch)) return [];
    const listOf = (set: string): Element[] => wanted.elements.get(set)?.list() ?? [];
    const admitting = (): Map<string, readonly Element[]> =>
      new Map([
        ...ADMITTING_SETS.map((set) => [set, listOf(set)] as const),
        ...Object.keys(SUCCEEDING).map((set) => [set, withoutTags(listOf(set), settings)] as const),
      ]);
    const fill = (add: Map<string, readonly Element[]>): void => contents.fill(add, changes);
    skeletonPace.forget();
    const made = await this.#kernel.skeleton.ensure({ ...needs, now, admitting, fill });
    skeletonPace.looked({ at: now, epoch: epoch(), needs });
    return made;
  }

  /** At first everything; and every set once the table was made anew. False: there is more to compare, and another pass is due. */
  async #compare(changes: readonly Change[], isDue: () => boolean): Promise<boolean> {
    const kept = this.#kept;
    if (changes.some(({ kind }) => kind === "ruleset")) {
      kept.comparing?.return(undefined);
      kept.comparing = kept.auditor === undefined ? kept.audit.all() : kept.audit.elements();
    }
    if (kept.comparing !== undefined) {
      const slices = new Slices(this.#options.clock);
      try {
        while (kept.comparing.next().done !== true) {
          await slices.breathe();
          if (isDue()) return false;
        }
      } catch (error) {
        // A generator that threw is over.
        kept.comparing = kept.audit.all();
        throw error;
      }
      kept.comparing = undefined;
    }
    const { audit } = kept;
    kept.auditor ??= new Auditor({
      audit,
      clock: this.#options.clock,
      epoch: () => this.#kernel.elements.epoch(),
    });
    return true;
  }

  #auditSoon(): void {
    if (this.#cancelAudit !== undefined || this.#options.onDrift === undefined) return;
    this.#cancelAudit = this.#options.clock.after(this.#kept.auditor?.pauseMs ?? SLICE_EVERY_MS, () => {
      this.#cancelAudit = undefined;
      this.#auditSlice();
      this.#auditSoon();
    });
  }

  #auditSlice(): void {
    const { auditor, begun } = this.#kept;
    // What is planned by half is no measure.
    if (this.#isBusy || auditor === undefined || begun !== undefined) return;
    try {
      auditor.slice();
    } catch (error) {
      // Where the kernel does not answer, a pass says why.
      if (!(error instanceof NetlinkError)) throw error;
      this.#options.onDrift?.();
      return;
    }
    if (this.#kept.findings.entries.size > 0) this.#options.onDrift?.();
  }

  #stopAudit(): void {
    this.#cancelAudit?.();
    this.#cancelAudit = undefined;
  }
}
