/** One address and those who hold it: almost always one Service, several only with equal Sharing and different ports. */
import type { Allocation, Vip } from "#controller/ledger.ts";
import type { Sharing } from "#controller/request.ts";

export const namespaceOf = (service: string): string => service.slice(0, service.indexOf("/"));

export class Holding {
  readonly vip: Vip;
  readonly sharing: Sharing | undefined;
  /** The only one, as long as there is one: maps of one entry are most of the memory of thousands of Services. */
  #only: Allocation | undefined;
  #shared: { readonly allocations: Map<string, Allocation>; readonly ports: Map<string, string> } | undefined;

  constructor(vip: Vip, first: Allocation) {
    this.vip = vip;
    this.sharing = first.sharing;
    this.#only = first;
  }

  get isEmpty(): boolean {
    return this.#only === undefined && (this.#shared === undefined || this.#shared.allocations.size === 0);
  }

  /** Who has held it longest; "" if nobody does. */
  get holder(): string {
    return this.#only?.service ?? this.#shared?.allocations.keys().next().value ?? "";
  }

  /** The Service that has the port. */
  holderOf(port: string): string | undefined {
    if (this.#only !== undefined) return this.#only.ports.includes(port) ? this.#only.service : undefined;
    return this.#shared?.ports.get(port);
  }

  isHeldIn(namespace: string): boolean {
    if (this.#only !== undefined) return namespaceOf(this.#only.service) === namespace;
    return [...(this.#shared?.allocations.keys() ?? [])].some(
      (service) => namespaceOf(service) === namespace,
    );
  }

  add(allocation: Allocation): void {
    const shared = this.#shared ?? { allocations: new Map(), ports: new Map() };
    const joined = this.#only === undefined ? [allocation] : [this.#only, allocation];
    this.#only = undefined;
    this.#shared = shared;
    for (const one of joined) {
      shared.allocations.set(one.service, one);
      for (const port of one.ports) shared.ports.set(port, one.service);
    }
  }

  remove(service: string): void {
    if (this.#only?.service === service) this.#only = undefined;
    const gone = this.#shared?.allocations.get(service);
    if (this.#shared === undefined || gone === undefined) return;
    this.#shared.allocations.delete(service);
    for (const port of gone.ports)
      if (this.#shared.ports.get(port) === service) this.#shared.ports.delete(port);
  }
}
