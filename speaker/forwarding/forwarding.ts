/**
 * Makes the kernel forward as wanted. A pass looks at the skeleton, and touches those entries of Services alone of which
 * something else is wanted than before, or which are not as they should be (contents.ts). Between passes an audit compares
 * everything else in slices, and asks for a pass when it finds something. A pass fails only for what every Service needs.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { Audit } from "#speaker/forwarding/audit.ts";
import { Auditor, SLICE_EVERY_MS } from "#speaker/forwarding/auditor.ts";
import { Contents, type Passing } from "#speaker/forwarding/contents.ts";
import { type Difference, describeDifference } from "#speaker/forwarding/difference.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { faultOf } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import type { PortionSizes } from "#speaker/forwarding/portions.ts";
import { Refusals } from "#speaker/forwarding/refusals.ts";
import { emptyKernel } from "#speaker/forwarding/removal.ts";
import { ADMITTING_SETS } from "#speaker/forwarding/sets.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import {
  type Change,
  type Element,
  type ForwardingCounts,
  type ForwardingInput,
  NO_COUNTS,
  type Reconciled,
} from "#speaker/forwarding/types.ts";
import { Wanted } from "#speaker/forwarding/wanted.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";

export interface ForwardingOptions {
  readonly clock: Pick<Clock, "now" | "sleep" | "after">;
  /** Something is not as this object left it: a pass puts it right. */
  readonly onDrift?: () => void;
  /** Of what a pass does at a time; only tests ask for others. */
  readonly portions?: PortionSizes;
}

/** What is kept of one life of the table: from the first pass, or from a removal, on. */
interface Kept {
  readonly wanted: Wanted;
  readonly contents: Contents;
  /** What the audit has found, and no pass has seen yet. */
  readonly found: Entries;
  readonly audit: Audit;
  /** Once everything was compared for the first time. */
  auditor?: Auditor;
}

export class Forwarding {
  readonly #kernel: ForwardingKernel;
  readonly #options: ForwardingOptions;
  readonly #refusals: Refusals;
  #kept: Kept;
  #isBusy = false;
  #cancelAudit: Cancel | undefined;
  #passes = 0;
  #changes = 0;

  constructor(kernel: ForwardingKernel, options: ForwardingOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
    this.#kept = this.#begin();
  }

  /** Throws ForwardingError where no Service could be served; what was done up to then stays, and the next pass goes on from there. */
  async reconcile(input: ForwardingInput): Promise<Reconciled> {
    const before = this.#kernel.counter.written;
    const pass: Passing = { changes: [], conflicts: [] };
    this.#isBusy = true;
    this.#refusals.begin();
    try {
      // First: a kernel without ip_vs may lack the rest too, and ip_vs is what people have to hear of.
      this.#kernel.servers.load();
      this.#update(input);
      const { contents, wanted } = this.#kept;
      const changes = await this.#ensureSkeleton(wanted, contents, pass);
      pass.changes.push(...changes);
      await this.#compare(changes);
      contents.unsettled.addAll(this.#kept.found);
      this.#kept.found.clear();
      await contents.settle(pass);
    } catch (error) {
      throw faultOf(error);
    } finally {
      this.#refusals.end();
      this.#isBusy = false;
      this.#passes += 1;
      this.#changes += pass.changes.length;
      this.#auditSoon();
    }
    return {
      writes: this.#kernel.counter.written - before,
      changes: pass.changes,
      conflicts: pass.conflicts,
      refused: [...this.#kept.wanted.leftOut, ...this.#refusals.list()],
    };
  }

  /** Compares everything now; the next pass puts right what is not as wanted. Returns how many entries that are. */
  async audit(): Promise<number> {
    this.#isBusy = true;
    try {
      await this.#compareAll(this.#kept.audit.all());
    } finally {
      this.#isBusy = false;
    }
    return this.#news();
  }

  /** The last whole round of the audit in the background, by the clock of this object. */
  get lastAudit(): { readonly endedAt: number; readonly tookMs: number } | undefined {
    return this.#kept.auditor?.lastRound;
  }

  /** Takes away everything of ours and puts back what was found. Idempotent. */
  async remove(): Promise<void> {
    this.#stopAudit();
    this.#isBusy = true;
    try {
      await emptyKernel(this.#kernel, this.#kept.contents.own, new Slices(this.#options.clock));
      this.#refusals.clear();
      this.#kept = this.#begin();
    } catch (error) {
      throw faultOf(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** No more audits; what is in the kernel stays. */
  close(): void {
    this.#stopAudit();
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
    };
  }

  /** Entries that are not as wanted, each with what is wanted and what is there: some of each kind. */
  difference(): Difference {
    const all = new Entries();
    all.addAll(this.#kept.contents.unsettled);
    all.addAll(this.#kept.found);
    return describeDifference(this.#kernel, this.#kept.wanted, all);
  }

  #begin(): Kept {
    const wanted = new Wanted();
    const { clock, portions } = this.#options;
    const contents = new Contents({
      kernel: this.#kernel,
      wanted,
      refusals: this.#refusals,
      clock,
      portions,
    });
    const found = new Entries();
    const audit = new Audit({ kernel: this.#kernel, wanted, own: contents.own, found });
    return { wanted, contents, found, audit };
  }

  /** An input that cannot be planned leaves no half of it behind: the next one begins anew. */
  #update(input: ForwardingInput): void {
    const { wanted, contents } = this.#kept;
    try {
      contents.unsettled.addAll(wanted.update(input));
    } catch (error) {
      this.#kept = this.#begin();
      throw error;
    }
  }

  #ensureSkeleton(wanted: Wanted, contents: Contents, { changes }: Passing): Promise<Change[]> {
    const { settings, nodeAddresses, knowsMembers } = wanted;
    const admitting = (): Map<string, readonly Element[]> =>
      new Map(ADMITTING_SETS.map((set) => [set, [...(wanted.elements.get(set)?.values() ?? [])]]));
    return this.#kernel.skeleton.ensure({
      settings,
      nodeAddresses,
      knowsMembers,
      remoteEndpoints: wanted.sampleRemotes(),
      admitting,
      fill: (add) => contents.fill(add, changes),
    });
  }

  /** At first everything; and every set once the table was made anew. */
  async #compare(changes: readonly Change[]): Promise<void> {
    const { audit } = this.#kept;
    const { clock } = this.#options;
    if (this.#kept.auditor === undefined) {
      await this.#compareAll(audit.all());
      this.#kept.auditor = new Auditor({ audit, clock, epoch: () => this.#kernel.elements.epoch() });
    } else if (changes.some(({ kind }) => kind === "ruleset")) {
      await this.#compareAll(audit.elements());
    }
  }

  async #compareAll(pieces: Iterable<unknown>): Promise<void> {
    const slices = new Slices(this.#options.clock);
    for (const _ of pieces) await slices.breathe();
  }

  /** How much the audit has found that no pass knows of. */
  #news(): number {
    const { found, contents } = this.#kept;
    return found.without(contents.unsettled).size;
  }

  #auditSoon(): void {
    if (this.#cancelAudit !== undefined || this.#options.onDrift === undefined) return;
    this.#cancelAudit = this.#options.clock.after(SLICE_EVERY_MS, () => {
      this.#cancelAudit = undefined;
      this.#auditSlice();
      this.#auditSoon();
    });
  }

  #auditSlice(): void {
    if (this.#isBusy || this.#kept.auditor === undefined) return;
    try {
      this.#kept.auditor.slice();
    } catch (error) {
      // Where the kernel does not answer, a pass says why.
      if (!(error instanceof NetlinkError)) throw error;
      this.#options.onDrift?.();
      return;
    }
    if (this.#kept.found.size > 0 && this.#news() > 0) this.#options.onDrift?.();
    else this.#kept.found.clear();
  }

  #stopAudit(): void {
    this.#cancelAudit?.();
    this.#cancelAudit = undefined;
  }
}
