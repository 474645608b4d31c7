/**
 * For how long endpoints that end have done so, of Services that give them a time for it. No slice says since when: it is
 * counted from when this speaker first saw it, and anew after its restart.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { DrainView } from "./known/view.ts";
import type { DrainingEndpoint } from "./plan/draining.ts";

export interface DrainOptions {
  readonly clock: Pick<Clock, "now" | "after">;
  /** The time of an endpoint is over. */
  readonly onChange: () => void;
}

interface Drain {
  readonly since: number;
  endpoint: DrainingEndpoint;
  isOver: boolean;
}

const keyOf = ({ service, address }: Pick<DrainingEndpoint, "service" | "address">): string =>
  `${service} ${address}`;

export class Drains {
  readonly #options: DrainOptions;
  #list: readonly DrainingEndpoint[] = [];
  #drains = new Map<string, Drain>();
  #changed = new Set<string>();
  #cancel: Cancel | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** For one pass: what has changed is told once. */
  takeView(): DrainView {
    const changed = this.#changed;
    this.#changed = new Set();
    const over = new Set([...this.#drains].filter(([, { isOver }]) => isOver).map(([key]) => key));
    return { isOver: (service, address) => over.has(keyOf({ service, address })), changed };
  }

  /** All that drain now. */
  set(list: readonly DrainingEndpoint[]): void {
    if (list === this.#list) return;
    this.#list = list;
    const now = this.#options.clock.now();
    const next = new Map<string, Drain>();
    for (const endpoint of list) {
      const known = this.#drains.get(keyOf(endpoint)) ?? { since: now, endpoint, isOver: false };
      known.endpoint = endpoint;
      next.set(keyOf(endpoint), known);
    }
    // One that is back, or was given its address anew, is as any other.
    for (const [key, { endpoint, isOver }] of this.#drains)
      if (isOver && !next.has(key)) this.#changed.add(endpoint.service);
    this.#drains = next;
    this.#look();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    this.close();
    const { clock, onChange } = this.#options;
    const now = clock.now();
    let soonest = Number.POSITIVE_INFINITY;
    for (const drain of this.#drains.values()) {
      const { since, endpoint, isOver } = drain;
      const left = since + endpoint.timeoutMs - now;
      if (left > 0) soonest = Math.min(soonest, left);
      const isNowOver = left <= 0;
      if (isNowOver === isOver) continue;
      drain.isOver = isNowOver;
      this.#changed.add(endpoint.service);
    }
    if (soonest !== Number.POSITIVE_INFINITY) this.#cancel = clock.after(soonest, () => this.#look());
    if (this.#changed.size > 0) onChange();
  }
}
