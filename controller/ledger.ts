/**
 * Who holds what: the list of allocations, and the indexes that make questions about it cheap. `put` and `remove` are
 * the only ways to change it; everything else can be derived from the list, and a ledger built anew from it is equal.
 */
import { FAMILIES, type Family } from "#api/address.ts";
import { type ForwardingIds, IdSet } from "#controller/forwarding-ids.ts";
import { IndexSet } from "#controller/indexset.ts";
import type { Pool, PoolSet } from "#controller/pool.ts";
import type { Sharing } from "#controller/request.ts";

export interface Vip {
  readonly family: Family;
  readonly value: bigint;
  /** Canonical spelling. */
  readonly address: string;
  /** Name of the pool that has it. */
  readonly pool: string;
}

export interface Allocation {
  /** `namespace/name`. */
  readonly service: string;
  /** One or two, IPv4 first. */
  readonly vips: readonly Vip[];
  /** `TCP/80`, sorted. */
  readonly ports: readonly string[];
  readonly sharing: Sharing | undefined;
  readonly ids: ForwardingIds;
}

/** One address and those who hold it. Several Services only with equal Sharing and different ports. */
export interface Holding {
  readonly vip: Vip;
  readonly sharing: Sharing | undefined;
  /** Port -> Service. */
  readonly ports: Map<string, string>;
  readonly services: Set<string>;
  /** Namespace -> how many of the Services are in it. */
  readonly namespaces: Map<string, number>;
}

export interface PoolUse {
  readonly assigned: Readonly<Record<Family, bigint>>;
  readonly available: Readonly<Record<Family, bigint>>;
}

export class Ledger {
  readonly pools: PoolSet;
  readonly ids: IdSet;
  readonly #allocations = new Map<string, Allocation>();
  readonly #holdings = new Map<string, Holding>();
  readonly #shared = new Map<string, Map<string, Holding>>();
  readonly #used = new Map<string, Readonly<Record<Family, IndexSet>>>();
  /** `pool namespace` -> addresses of the pool that Services of the namespace hold, each once. */
  readonly #perNamespace = new Map<string, number>();

  constructor(pools: PoolSet, ids = new IdSet()) {
    this.pools = pools;
    this.ids = ids;
    for (const { name, spaces } of pools.list()) {
      this.#used.set(name, { IPv4: new IndexSet(spaces.IPv4.size), IPv6: new IndexSet(spaces.IPv6.size) });
    }
  }

  get(service: string): Allocation | undefined {
    return this.#allocations.get(service);
  }

  allocations(): IterableIterator<Allocation> {
    return this.#allocations.values();
  }

  holding(address: string): Holding | undefined {
    return this.#holdings.get(address);
  }

  /** Addresses held under a sharing key, in the order in which they came to be so. */
  sharedUnder(key: string): Iterable<Holding> {
    return this.#shared.get(key)?.values() ?? [];
  }

  /** The lowest address of the pool that nobody holds. */
  firstFree(pool: Pool, family: Family): bigint | undefined {
    const index = this.#used.get(pool.name)?.[family].firstFree();
    return index === undefined ? undefined : pool.spaces[family].addressAt(index);
  }

  /** Addresses of the pool that the namespace's Services hold; one that several of them share counts once. */
  heldBy(namespace: string, pool: string): number {
    return this.#perNamespace.get(`${pool} ${namespace}`) ?? 0;
  }

  use(pool: Pool): PoolUse {
    const assigned = { IPv4: 0n, IPv6: 0n };
    const available = { IPv4: 0n, IPv6: 0n };
    for (const family of FAMILIES) {
      assigned[family] = BigInt(this.#used.get(pool.name)?.[family].count ?? 0);
      available[family] = pool.spaces[family].size - assigned[family];
    }
    return { assigned, available };
  }

  /** The caller has checked that the addresses may be held (checks.ts). Replaces what the Service held. */
  put(allocation: Allocation): void {
    this.remove(allocation.service);
    this.#allocations.set(allocation.service, allocation);
    this.ids.take(allocation.ids);
    for (const vip of allocation.vips) this.#hold(vip, allocation);
  }

  remove(service: string): Allocation | undefined {
    const allocation = this.#allocations.get(service);
    if (allocation === undefined) return undefined;
    this.#allocations.delete(service);
    this.ids.release(allocation.ids);
    for (const vip of allocation.vips) this.#release(vip, allocation);
    return allocation;
  }

  #hold(vip: Vip, { service, ports, sharing }: Allocation): void {
    let holding = this.#holdings.get(vip.address);
    if (holding === undefined) {
      holding = { vip, sharing, ports: new Map(), services: new Set(), namespaces: new Map() };
      this.#holdings.set(vip.address, holding);
      this.#markUsed(vip, true);
      if (sharing !== undefined) {
        const under = this.#shared.get(sharing.key) ?? new Map<string, Holding>();
        this.#shared.set(sharing.key, under.set(vip.address, holding));
      }
    }
    holding.services.add(service);
    this.#count(holding, service, 1);
    for (const port of ports) holding.ports.set(port, service);
  }

  #release(vip: Vip, { service, ports }: Allocation): void {
    const holding = this.#holdings.get(vip.address);
    if (holding === undefined) return;
    holding.services.delete(service);
    this.#count(holding, service, -1);
    for (const port of ports) if (holding.ports.get(port) === service) holding.ports.delete(port);
    if (holding.services.size > 0) return;
    this.#holdings.delete(vip.address);
    this.#markUsed(vip, false);
    if (holding.sharing === undefined) return;
    const under = this.#shared.get(holding.sharing.key);
    under?.delete(vip.address);
    if (under?.size === 0) this.#shared.delete(holding.sharing.key);
  }

  #count({ vip, namespaces }: Holding, service: string, change: 1 | -1): void {
    const namespace = service.slice(0, service.indexOf("/"));
    const before = namespaces.get(namespace) ?? 0;
    const after = before + change;
    if (after === 0) namespaces.delete(namespace);
    else namespaces.set(namespace, after);
    if (before > 0 && after > 0) return;
    const key = `${vip.pool} ${namespace}`;
    const held = (this.#perNamespace.get(key) ?? 0) + change;
    if (held === 0) this.#perNamespace.delete(key);
    else this.#perNamespace.set(key, held);
  }

  #markUsed(vip: Vip, isUsed: boolean): void {
    const index = this.pools.get(vip.pool)?.spaces[vip.family].indexOf(vip.value);
    const used = this.#used.get(vip.pool)?.[vip.family];
    if (index === undefined || used === undefined) return;
    if (isUsed) used.add(index);
    else used.delete(index);
  }
}
