/**
 * One address and those who hold it: almost always one Service, several only with equal Sharing and different ports.
 */
import type { Allocation, Vip } from "#controller/allocation/ledger.ts";
import type { Sharing } from "#controller/allocation/request.ts";

export const namespaceOf = (service: string): string => service.slice(0, service.indexOf("/"));

interface Sharers {
  readonly allocations: Map<string, Allocation>;
  /** Port -> the Service that has it. */
  readonly ports: Map<string, string>;
  /** Namespace -> its Services; none is empty. */
  readonly namespaces: Map<string, Set<string>>;
}

export class Holding {
  readonly vip: Vip;
  readonly sharing: Sharing | undefined;
  /** The only holder, as long as there is one: a map for each of thousands of addresses would be most of our memory. */
  #only: Allocation | undefined;
  #shared: Sharers | undefined;

  constructor(vip: Vip, first: Allocation) {
    this.vip = vip;
    this.sharing = first.sharing;
    this.#only = first;
  }

  get isEmpty(): boolean {
    return this.#only === undefined && (this.#shared === undefined || this.#shared.allocations.size === 0);
  }

  /** The Service that has the port. */
  holderOf(port: string): string | undefined {
    if (this.#only !== undefined) return this.#only.ports.includes(port) ? this.#only.service : undefined;
    return this.#shared?.ports.get(port);
  }

  /** The Service of the namespace that has held it for longest. */
  holderIn(namespace: string): string | undefined {
    const only = this.#only?.service;
    if (only !== undefined) return namespaceOf(only) === namespace ? only : undefined;
    return this.#shared?.namespaces.get(namespace)?.values().next().value;
  }

  isHeldIn(namespace: string): boolean {
    return this.holderIn(namespace) !== undefined;
  }

  /** Whether a Service of another namespace holds it. */
  isHeldBeside(namespace: string): boolean {
    const namespaces = this.#only === undefined ? (this.#shared?.namespaces.size ?? 0) : 1;
    return namespaces > (this.isHeldIn(namespace) ? 1 : 0);
  }

  add(allocation: Allocation): void {
    const shared = this.#shared ?? { allocations: new Map(), ports: new Map(), namespaces: new Map() };
    const joined = this.#only === undefined ? [allocation] : [this.#only, allocation];
    this.#only = undefined;
    this.#shared = shared;
    for (const one of joined) {
      shared.allocations.set(one.service, one);
      // The caller has checked that the ports are free (checks.ts); a port that is held stays with its holder in any
      // case.
      for (const port of one.ports) if (!shared.ports.has(port)) shared.ports.set(port, one.service);
      const namespace = namespaceOf(one.service);
      const services = shared.namespaces.get(namespace) ?? new Set();
      shared.namespaces.set(namespace, services.add(one.service));
    }
  }

  remove(service: string): void {
    if (this.#only?.service === service) this.#only = undefined;
    const shared = this.#shared;
    const gone = shared?.allocations.get(service);
    if (shared === undefined || gone === undefined) return;
    shared.allocations.delete(service);
    for (const port of gone.ports) if (shared.ports.get(port) === service) shared.ports.delete(port);
    const namespace = namespaceOf(service);
    const services = shared.namespaces.get(namespace);
    services?.delete(service);
    if (services?.size === 0) shared.namespaces.delete(namespace);
  }
}
