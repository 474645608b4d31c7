/**
 * What is known of the cluster while somebody looks: one reading for all visitors, made when it is asked for, never more
 * often than below, and forgotten when nobody asks any more.
 */
import { addressesOf, type OwnerRow, ownersOf } from "#cli/list/owners.ts";
import { read } from "#cli/read.ts";
import { type Finding, findingsOf } from "#cli/status/findings.ts";
import { type World, type WorldSnapshot, worldOf } from "#cli/world.ts";
import type { Cancel, Clock } from "#common/clock.ts";
import { KINDS } from "#console/kinds.ts";
import { type Drained, drainOf, type Plans } from "#console/node.ts";
import type { readerOf } from "#console/reader.ts";
import { type ServiceLine, serviceLines } from "#console/services.ts";
import { type Traffic, trafficOf } from "#console/traffic.ts";

export class Facts {
  readonly snapshot: WorldSnapshot;
  #world: World | undefined;
  #plans: Plans | undefined;
  #owners: readonly OwnerRow[] | undefined;
  #findings: readonly Finding[] | undefined;
  #services: readonly ServiceLine[] | undefined;
  #traffic: Traffic | undefined;
  readonly #drained = new Map<string, Drained>();

  constructor(snapshot: WorldSnapshot) {
    this.snapshot = snapshot;
  }

  /**
   * Makes all of it, with a rest after each part: at 5,000 Services a part takes 0.2 s, and the process may lead, and
   * answers webhooks.
   */
  async prepare(rest: () => Promise<void>): Promise<void> {
    for (const part of ["world", "plans", "owners", "findings", "services"] as const) {
      void this[part];
      await rest();
    }
  }

  get world(): World {
    this.#world ??= worldOf(this.snapshot);
    return this.#world;
  }

  get plans(): Plans {
    this.#plans ??= addressesOf(this.world);
    return this.#plans;
  }

  get owners(): readonly OwnerRow[] {
    this.#owners ??= ownersOf(this.world, this.snapshot.speakers, this.plans);
    return this.#owners;
  }

  get findings(): readonly Finding[] {
    this.#findings ??= findingsOf(this.snapshot);
    return this.#findings;
  }

  /** What is broken first. */
  get services(): readonly ServiceLine[] {
    this.#services ??= serviceLines(this.snapshot, this.world, this);
    return this.#services;
  }

  get traffic(): Traffic {
    this.#traffic ??= trafficOf(this.snapshot);
    return this.#traffic;
  }

  /** Worked out for a few nodes at most, since each costs as much as a reading; undefined: too many were asked for. */
  drained(node: string): Drained | undefined {
    const known = this.#drained.get(node);
    if (known !== undefined || this.#drained.size >= MOST_DRAINED) return known;
    const drained = drainOf(node, this);
    this.#drained.set(node, drained);
    return drained;
  }
}

export interface FactsOptions {
  readonly reader: ReturnType<typeof readerOf>;
  readonly namespace: string;
  readonly clock: Clock;
}

/** Nobody sees a difference sooner; and a tenth of the time at most is spent on reading. */
const YOUNG_MS = 4_000;
const REST = 9;
/** At 5,000 Services each takes 0.2 s. */
const MOST_DRAINED = 4;
const FORGOTTEN_MS = 60_000;

export class FactsKeeper {
  readonly #options: FactsOptions;
  #kept: Facts | undefined;
  #freshUntil = Number.NEGATIVE_INFINITY;
  #reading: Promise<Facts> | undefined;
  #forget: Cancel | undefined;

  constructor(options: FactsOptions) {
    this.#options = options;
  }

  /** Rejects as `read` does, with what is then wrong: nothing old is shown as if it were new. */
  async current(): Promise<Facts> {
    const { clock } = this.#options;
    this.#forget?.();
    this.#forget = clock.after(FORGOTTEN_MS, () => {
      this.#kept = undefined;
    });
    if (this.#kept !== undefined && clock.now() < this.#freshUntil) return this.#kept;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  close(): void {
    this.#forget?.();
    this.#kept = undefined;
  }

  async #read(): Promise<Facts> {
    const { reader, namespace, clock } = this.#options;
    const began = clock.now();
    const facts = new Facts(await read({ cluster: reader, namespace }, ...KINDS));
    await facts.prepare(() => clock.sleep(0));
    const ended = clock.now();
    this.#kept = facts;
    this.#freshUntil = ended + Math.max(YOUNG_MS, (ended - began) * REST);
    return facts;
  }
}
