/**
 * Who holds what: the list of allocations, and the indexes that make questions about it cheap. `put` and `remove` are
 * the only ways to change it; everything else can be derived from the list, and a ledger built anew from it is equal.
 */
import { FAMILIES, type Family } from "#api/address.ts";
import type { ForwardingIds } from "#api/forwarding-ids.ts";
import { IdSet } from "#controller/forwarding-ids.ts";
import { Holding, namespaceOf } from "#controller/holding.ts";
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

  #hold(vip: Vip, allocation: Allocation): void {
    const { service, sharing } = allocation;
    const present = this.#holdings.get(vip.address);
    this.#countNamespace(vip, present, service, 1);
    if (present !== undefined) {
      present.add(allocation);
      return;
    }
    const holding = new Holding(vip, allocation);
    this.#holdings.set(vip.address, holding);
    this.#markUsed(vip, true);
    if (sharing === undefined) return;
    const under = this.#shared.get(sharing.key) ?? new Map<string, Holding>();
    this.#shared.set(sharing.key, under.set(vip.address, holding));
  }

  #release(vip: Vip, { service }: Allocation): void {
    const holding = this.#holdings.get(vip.address);
    if (holding === undefined) return;
    holding.remove(service);
    this.#countNamespace(vip, holding, service, -1);
    if (!holding.isEmpty) return;
    this.#holdings.delete(vip.address);
    this.#markUsed(vip, false);
    if (holding.sharing === undefined) return;
    const under = this.#shared.get(holding.sharing.key);
    under?.delete(vip.address);
    if (under?.size === 0) this.#shared.delete(holding.sharing.key);
  }

  /** Before the Service is added, or after it is removed: does anybody else of its namespace hold the address? */
  #countNamespace(vip: Vip, holding: Holding | undefined, service: string, change: 1 | -1): void {
    // Few pools have quotas; who has none pays nothing.
    if (this.pools.get(vip.pool)?.quotas.size === 0) return;
    const namespace = namespaceOf(service);
    if (holding?.isHeldIn(namespace) === true) return;
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
