/**
 * Services whose status another controller keeps overwriting: when we may write again, and which controller it is. The
 * caller says what it sees of a Service, learns what to write about it, and looks again when told to.
 */
import { WriteContests } from "#common/write-contest.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { ServicePatch } from "#controller/status/plan.ts";

export interface Contest {
  /** The other writer; undefined if the API server does not say. */
  readonly manager: string | undefined;
  /** We still pause: the addresses that the other controller wrote stay for now. */
  readonly yields: boolean;
}

export interface ContestState {
  /** undefined: no other controller writes it. */
  readonly contest: Contest | undefined;
  /** Milliseconds after which to look again although nothing changed; undefined: a change alone asks for it. */
  readonly againMs: number | undefined;
}

const PEACE: ContestState = { contest: undefined, againMs: undefined };

type Ingress = NonNullable<ServicePatch["status"]>["loadBalancer"];

export class ContestedServices {
  readonly #contests: WriteContests;
  /** Of contested Services alone. */
  readonly #managers = new Map<string, string | undefined>();

  constructor(contests = new WriteContests()) {
    this.#contests = contests;
  }

  /** Contested Services. */
  get size(): number {
    return this.#managers.size;
  }

  /** `wanted`: the addresses that its status should have; undefined if it has them. */
  judge(service: Pick<ServiceRecord, "key" | "statusManager">, wanted: Ingress, now: number): ContestState {
    const { key } = service;
    let waitMs = 0;
    if (wanted === undefined) this.#contests.stands(key);
    else waitMs = this.#contests.waitMs(key, JSON.stringify(wanted), now);
    if (!this.#contests.isContested(key, now)) {
      this.#managers.delete(key);
      return PEACE;
    }
    const manager = service.statusManager ?? this.#managers.get(key);
    this.#managers.set(key, manager);
    return {
      contest: { manager, yields: waitMs > 0 },
      againMs: waitMs > 0 ? waitMs : this.#contests.calmInMs(key, now),
    };
  }

  wrote(key: string, { status }: ServicePatch, now: number): void {
    if (status?.loadBalancer !== undefined)
      this.#contests.wrote(key, JSON.stringify(status.loadBalancer), now);
  }

  forget(key: string): void {
    this.#contests.forget(key);
    this.#managers.delete(key);
  }
}
