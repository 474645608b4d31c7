/**
 * Services whose status somebody else keeps overwriting: when we may write again, and who he is. What is seen of a
 * Service goes in, what to write about it comes out; the caller looks again when it is time.
 */
import { WriteContests } from "#common/write-contest.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { ServicePatch } from "#controller/status/plan.ts";

export interface Contest {
  /** The other writer; undefined if the API server does not say. */
  readonly manager: string | undefined;
  /** The pause is not over: his addresses stay. */
  readonly yields: boolean;
}

export interface ContestState {
  /** undefined: nobody fights over it. */
  readonly contest: Contest | undefined;
  /** Milliseconds until something may be otherwise without a change; undefined: never. */
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

  /** `wanted`: what its status has to say of addresses, undefined if it says so. */
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
