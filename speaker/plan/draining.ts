/** Endpoints that end, of Services that give them a time for it. Pure. A Service that gives none costs nothing here. */
import type { ServiceEndpoints } from "./endpoints.ts";
import type { ServiceChanges, Services } from "./services.ts";
import { sortedValues } from "./sorted-keys.ts";

export interface DrainingEndpoint {
  /** `namespace/name` */
  readonly service: string;
  readonly address: string;
  readonly timeoutMs: number;
}

const NONE: readonly DrainingEndpoint[] = [];

export class Draining {
  readonly #kept = new Map<string, readonly DrainingEndpoint[]>();
  #list = NONE;

  /** The same list while nothing in it changes. */
  get list(): readonly DrainingEndpoint[] {
    return this.#list;
  }

  update(changes: ServiceChanges, services: Services): void {
    let isSame = true;
    for (const key of changes.keys()) {
      const before = this.#kept.get(key) ?? NONE;
      const next = drainingOf(services.get(key));
      if (before.length === 0 && next.length === 0) continue;
      isSame &&= JSON.stringify(before) === JSON.stringify(next);
      if (next.length === 0) this.#kept.delete(key);
      else this.#kept.set(key, next);
    }
    if (!isSame) this.#list = sortedValues(this.#kept).flat();
  }
}

function drainingOf(endpoints: ServiceEndpoints | undefined): readonly DrainingEndpoint[] {
  const timeoutMs = endpoints?.service.drainTimeoutMs;
  if (endpoints === undefined || timeoutMs === undefined) return NONE;
  const views = endpoints.ports.flatMap(({ backends }) => backends.map(({ view }) => view));
  const addresses = new Set(views.filter(({ isTerminating }) => isTerminating).map(({ address }) => address));
  return [...addresses].map((address) => ({ service: endpoints.service.key, address, timeoutMs }));
}
