/**
 * Allocation as state: the ledger and what became of every Service. A change is settled by looking at the Services
 * that changed, and at those that wait if something was freed; the result equals settling everything anew
 * (allocator.test.ts holds it to that).
 *
 * Settling has two rounds, each oldest Service first: in the first everybody keeps what may be kept, in the second
 * what is missing is given. So nobody is given what another one has.
 */

import { type ForwardingIds, forwardingIdsOf } from "#api/forwarding-ids.ts";
import { fill } from "#controller/allocation/allocate.ts";
import { idKeys, portsOfIds } from "#controller/allocation/forwarding-ids.ts";
import { type Held, type Kept, keep, type Lost, regain, type Share } from "#controller/allocation/keep.ts";
import { type Allocation, Ledger } from "#controller/allocation/ledger.ts";
import { PoolSet } from "#controller/allocation/pool.ts";
import type { Refusal } from "#controller/allocation/refusal.ts";
import {
  type AllocationRequest,
  isOurs,
  isSameSharing,
  type ReadRequest,
  readRequest,
} from "#controller/allocation/request.ts";
import { byAge, isMarked, type ServiceRecord } from "#controller/allocation/service.ts";
import { sharingMark, sharingMarkOf } from "#controller/allocation/sharing-mark.ts";

/** What became of one Service of ours. */
export interface Outcome {
  readonly record: ServiceRecord;
  readonly request: AllocationRequest;
  /** Its request can be understood (request.ts). */
  readonly isSound: boolean;
  /** undefined: it has no address. */
  readonly allocation: Allocation | undefined;
  /** Why it has none, or not all that it must have. */
  readonly refusal: Refusal | undefined;
  /** What it had and may not keep. */
  readonly lost: readonly Lost[];
}

export interface AllocatorConfig {
  readonly pools: PoolSet;
  readonly loadBalancerClass: string | undefined;
  /** kube-proxy forwards: it forwards all ports of a Service, so none can be left out. */
  readonly isWhole?: boolean;
}

/**
 * How many rounds may follow each other because one freed something. A Service has to move for that, so few are needed.
 */
const MAX_ROUNDS = 4;

export class Allocator {
  #config: AllocatorConfig = { pools: new PoolSet([]), loadBalancerClass: undefined };
  #ledger = new Ledger(this.#config.pools);
  readonly #outcomes = new Map<string, Outcome>();
  /** Services that miss something which may come free. */
  readonly #waiting = new Set<string>();
  #owesWake = false;

  get ledger(): Ledger {
    return this.#ledger;
  }

  get config(): AllocatorConfig {
    return this.#config;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Something was freed, and the waiting Services have not been looked at since. */
  get owesWake(): boolean {
    return this.#owesWake;
  }

  outcome(service: string): Outcome | undefined {
    return this.#outcomes.get(service);
  }

  outcomes(): IterableIterator<[string, Outcome]> {
    return this.#outcomes.entries();
  }

  /**
   * Settles everything anew, under another configuration or at the start: Services keep what this Allocator gave
   * them, or, the first time, what their status says.
   */
  rebuild(config: AllocatorConfig, records: Iterable<ServiceRecord>): Set<string> {
    const before = new Map(this.#outcomes);
    this.#config = config;
    this.#ledger = new Ledger(config.pools);
    this.#outcomes.clear();
    this.#waiting.clear();
    this.#owesWake = false;
    const touched = new Set(before.keys());
    const all: ServiceRecord[] = [];
    for (const record of records) {
      touched.add(record.key);
      if (isOurs(record, config.loadBalancerClass)) all.push(record);
    }
    const claims = all.sort(byAge).map((record) => ({ record, before: before.get(record.key) }));
    const read = claims.map((claim) => ({ ...claim, read: readRequest(claim.record) }));
    // Services that still share as they did when they got their address come first. One that changed its sharing while
    // no controller ran takes the address from none of them, even if it is older.
    const settled = [...read.filter((each) => !hasTurned(each)), ...read.filter(hasTurned)].map((claim) =>
      this.#adopt(claim),
    );
    const open = settled.filter((outcome) => this.#isOpen(outcome));
    this.#fillRounds(new Map(open.map((outcome) => [outcome.record.key, outcome])), false);
    return touched;
  }

  /**
   * Settles these Services (undefined: it is gone). Returns the keys of all whose outcome may be another now. Where
   * something was freed, those who wait are looked at as well, or, without `wakes`, at the next call with it.
   */
  update(changes: Iterable<readonly [string, ServiceRecord | undefined]>, wakes = true): Set<string> {
    const touched = new Set<string>();
    const present: ServiceRecord[] = [];
    let isFreed = false;
    for (const [key, record] of changes) {
      touched.add(key);
      const isPresent = record !== undefined && isOurs(record, this.#config.loadBalancerClass);
      // Another Service of the same name has no claim to what the old one held.
      const isSame = isPresent && this.#outcomes.get(key)?.record.uid === record.uid;
      if (!isSame && this.#forget(key)) isFreed = true;
      if (isPresent) present.push(record);
    }
    const open = new Map<string, Outcome>();
    for (const record of present.length > 1 ? present.sort(byAge) : present) {
      const before = this.#outcomes.get(record.key);
      const after = this.#adopt({ record, before, read: readRequest(record) });
      if (frees(before?.allocation, after.allocation)) isFreed = true;
      if (this.#isOpen(after)) open.set(record.key, after);
    }
    this.#owesWake ||= isFreed;
    if (wakes) this.#fillRounds(open, this.#owesWake, touched);
    else if (this.#fillAll([...open.values()], touched)) this.#owesWake = true;
    return touched;
  }

  /** What is freed, before or within a round, wakes all who wait for something. */
  #fillRounds(open: Map<string, Outcome>, wasFreed: boolean, touched?: Set<string>): void {
    let isFreed = wasFreed;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (isFreed) this.#addWaiting(open);
      isFreed = this.#fillAll([...open.values()], touched);
      open.clear();
      if (!isFreed) break;
    }
    this.#owesWake = false;
  }

  #addWaiting(open: Map<string, Outcome>): void {
    for (const key of this.#waiting) {
      const outcome = this.#outcomes.get(key);
      if (outcome !== undefined) open.set(key, outcome);
    }
  }

  /** First round: what the Service keeps, with its ids, goes into the ledger. */
  #adopt({ record, before, read }: Claim): Outcome {
    const present = this.#ledger.remove(record.key) ?? before?.allocation;
    const { request, refusal } = read;
    const held = before === undefined ? heldByStatus(record) : this.#heldSince(before, present, request);
    const kept =
      refusal === undefined ? keep(request, held, this.#ledger) : refuseAll(held.addresses, refusal);
    const ids = present?.ids ?? forwardingIdsOf(record.conditions);
    const allocation = this.#put(request, kept, ids);
    // The reason why an address was lost is kept until the next loss: the status may not say it yet.
    const lost = kept.lost.length === 0 && before !== undefined ? before.lost : kept.lost;
    return this.#settle({ record, request, isSound: refusal === undefined, allocation, refusal, lost });
  }

  /** What we gave counts, not what the status still says: the watch lags behind our own writes. */
  #heldSince(before: Outcome, present: Allocation | undefined, request: AllocationRequest): Held {
    if (present === undefined)
      return { addresses: regain(request, before.lost, this.#ledger), ports: undefined };
    return { addresses: present.vips.map((vip) => vip.address), ports: present.ports };
  }

  /** Second round, oldest first. True if one of them gave something back. */
  #fillAll(open: readonly Outcome[], touched?: Set<string>): boolean {
    let isFreed = false;
    const rules = { isWhole: this.#config.isWhole ?? false };
    for (const outcome of open.length > 1 ? open.toSorted((a, b) => byAge(a.record, b.record)) : open) {
      const { request, record } = outcome;
      const present = this.#ledger.remove(record.key);
      const { refusal, lost, ...share } = fill(request, present ?? NOTHING, this.#ledger, rules);
      const ids = present?.ids ?? forwardingIdsOf(record.conditions);
      const allocation = this.#put(request, share, ids);
      if (frees(present, allocation)) isFreed = true;
      this.#settle({ ...outcome, allocation, refusal, lost: lost.length === 0 ? outcome.lost : lost });
      // Most of the thousands that wait for one address go on waiting, for the same reason: their status stays.
      const isSame = isSameShare(present, allocation) && refusal?.message === outcome.refusal?.message;
      if (!isSame) touched?.add(record.key);
    }
    return isFreed;
  }

  #put(
    { service, sharing }: AllocationRequest,
    { vips, ports }: Share,
    present: ForwardingIds,
  ): Allocation | undefined {
    if (vips.length === 0) return undefined;
    const keys = idKeys(
      vips.map((vip) => vip.family),
      ports,
    );
    const allocation = { service, vips, ports, sharing, ids: this.#ledger.ids.choose(keys, present) };
    this.#ledger.put(allocation);
    return allocation;
  }

  #settle(outcome: Outcome): Outcome {
    const { key } = outcome.record;
    this.#outcomes.set(key, outcome);
    if (this.#isOpen(outcome)) this.#waiting.add(key);
    else this.#waiting.delete(key);
    return outcome;
  }

  /** Something is missing, and the request can be understood. A Service that is being deleted gets nothing new. */
  #isOpen({ record, request, isSound, allocation }: Outcome): boolean {
    if (!isSound || record.isTerminating) return false;
    if (allocation === undefined) return true;
    return allocation.vips.length < request.families.length || allocation.ports.length < request.ports.length;
  }

  /** True if it held something. */
  #forget(key: string): boolean {
    this.#outcomes.delete(key);
    this.#waiting.delete(key);
    return this.#ledger.remove(key) !== undefined;
  }
}

/** A Service that is ours, with what became of it before, and what it asks for now. */
interface Claim {
  readonly record: ServiceRecord;
  readonly before: Outcome | undefined;
  readonly read: ReadRequest;
}

const NOTHING: Share = { vips: [], ports: [] };

/** The ports of a Service that we gave an address are those with ids; for any other they are not known. */
function heldByStatus({ ingress, conditions }: ServiceRecord): Held {
  const addresses = ingress.flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
  if (addresses.length === 0 || !isMarked(conditions)) return { addresses, ports: undefined };
  return { addresses, ports: portsOfIds(forwardingIdsOf(conditions)) };
}

/** Whether it shares, or wants to, otherwise than when it got what it has. */
function hasTurned({ record, before, read }: Claim): boolean {
  const { sharing } = read.request;
  if (before?.allocation !== undefined) return !isSameSharing(before.allocation.sharing, sharing);
  const mark = sharingMarkOf(record.conditions);
  return mark !== undefined && mark !== sharingMark(sharing);
}

function refuseAll(held: readonly string[], refusal: Refusal): Kept {
  return { ...NOTHING, lost: held.map((address) => ({ address, refusal })) };
}

function isSameShare(a: Allocation | undefined, b: Allocation | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.vips.length === b.vips.length && a.ports.length === b.ports.length && !frees(a, b);
}

/** Whether `after` leaves something to others that `before` had: an address, a port of it, or the right to share. */
function frees(before: Allocation | undefined, after: Allocation | undefined): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  return (
    before.vips.some((vip) => !after.vips.some((each) => each.address === vip.address)) ||
    before.ports.some((port) => !after.ports.includes(port)) ||
    !isSameSharing(before.sharing, after.sharing)
  );
}
