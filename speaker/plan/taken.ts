/** Which of our ports kube-proxy takes for itself (known/takers.ts). It is worked out anew where either side changed. */
import { NO_TAKERS, type TakersView } from "../known/takers.ts";
import type { LeftOut } from "./claims.ts";
import { sortedValues } from "./sorted-keys.ts";

/** Who holds an address and port of ours. */
export interface Holding {
  /** Changes with the content. */
  readonly revision: number;
  /** `192.0.2.1 TCP/80` -> `namespace/name`. */
  holderOf(place: string): string | undefined;
}

export class TakenPorts {
  #of = "";
  #leftOut: readonly LeftOut[] = [];

  /** One for each Service of ours that loses a port. */
  leftOut(takers: TakersView = NO_TAKERS, holding: Holding): readonly LeftOut[] {
    const of = `${takers.revision} ${holding.revision}`;
    if (of === this.#of) return this.#leftOut;
    this.#of = of;
    const found = new Map<string, LeftOut>();
    for (const [service, takings] of takers.entries())
      for (const { place, field } of takings) {
        const holder = holding.holderOf(place);
        if (holder === undefined || found.has(holder)) continue;
        const message = `kube-proxy takes ${place} of Service ${holder} for itself: Service ${service} has the address in ${field}`;
        // An event says nothing of another namespace.
        const services = namespaceOf(service) === namespaceOf(holder) ? [holder] : [];
        found.set(holder, { reason: "TakenByKubeProxy", message, services });
      }
    this.#leftOut = sortedValues(found);
    return this.#leftOut;
  }
}

const namespaceOf = (key: string): string => key.slice(0, key.indexOf("/"));
