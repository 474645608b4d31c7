/**
 * Who holds what: the list of allocations, and the indexes that make questions about it cheap. `put` and `remove` are
 * the only ways to change it; everything else can be derived from the list, and a ledger built anew from it is equal.
 */
import { FAMILIES, type Family } from "#api/address.ts";
import type { ForwardingIds } from "#api/forwarding-ids.ts";
import { IdSet } from "#controller/allocation/forwarding-ids.ts";
import { Holding, namespaceOf } from "#controller/allocation/holding.ts";
import { IndexSet } from "#controller/allocation/index-set.ts";
import type { Pool, PoolSet } from "#controller/allocation/pool.ts";
import type { Sharing } from "#controller/allocation/request.ts";

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
  /** `TCP/80`, sorted: those that it has at each of its addresses, which may be fewer than it asks for. */
  readonly ports: readonly string[];
  readonly sharing: Sharing | undefined;
  readonly ids: ForwardingIds;
}

/** What the Services of a namespace have of a pool. */
export interface NamespaceUse {
  /** One that several of them share counts once. */
  readonly addresses: number;
  /** A port counts once for each address that it is at: each is a forwarding id, and costs every node as much. */
  readonly ports: number;
}

const NO_USE: NamespaceUse = { addresses: 0, ports: 0 };

export interface PoolUse {
  readonly assigned: Readonly<Record<Family, bigint>>;
  readonly available: Readonly<Record<Family, bigint>>;
}

export class Ledger {
  readonly pools: PoolSet;
  readonly ids: IdSet;
  readonly #allocations = new Map<string, Allocation>();
  readonly #holdings = new Map<string, Holding>();
  /** Scope (see #scopeOf) -> the addresses that are held so, in the order in which they came to be. */
  readonly #shared = new Map<string, Map<string, Holding>>();
  readonly #used = new Map<string, Readonly<Record<Family, IndexSet>>>();
  /** `pool namespace` -> what its Services have; no entry is empty. */
  readonly #perNamespace = new Map<string, { addresses: number; ports: number }>();

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

  /** Addresses of the pool that Services of the namespace could share under the key, those shared for longest first. */
  sharedUnder(key: string, pool: Pool, family: Family, namespace: string): Iterable<Holding> {
    return this.#shared.get(scopeOf(key, pool, family, namespace))?.values() ?? [];
  }

  /** The lowest address of the pool that nobody holds. */
  firstFree(pool: Pool, family: Family): bigint | undefined {
    const index = this.#used.get(pool.name)?.[family].firstFree();
    return index === undefined ? undefined : pool.spaces[family].addressAt(index);
  }

  heldBy(namespace: string, pool: string): NamespaceUse {
    return this.#perNamespace.get(`${pool} ${namespace}`) ?? NO_USE;
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
    const { service, sharing, ports } = allocation;
    const namespace = namespaceOf(service);
    const present = this.#holdings.get(vip.address);
    const isFirstOfNamespace = present?.isHeldIn(namespace) !== true;
    this.#count(vip, namespace, { addresses: isFirstOfNamespace ? 1 : 0, ports: ports.length });
    const holding = present ?? new Holding(vip, allocation);
    if (present === undefined) {
      this.#holdings.set(vip.address, holding);
      this.#markUsed(vip, true);
    } else present.add(allocation);
    if (sharing === undefined || !isFirstOfNamespace) return;
    const scope = this.#scopeIn(vip, sharing.key, namespace);
    const under = this.#shared.get(scope) ?? new Map<string, Holding>();
    this.#shared.set(scope, under.set(vip.address, holding));
  }

  #release(vip: Vip, { service, ports }: Allocation): void {
    const holding = this.#holdings.get(vip.address);
    if (holding === undefined) return;
    holding.remove(service);
    const namespace = namespaceOf(service);
    const wasLastOfNamespace = !holding.isHeldIn(namespace);
    this.#count(vip, namespace, { addresses: wasLastOfNamespace ? -1 : 0, ports: -ports.length });
    if (holding.isEmpty) {
      this.#holdings.delete(vip.address);
      this.#markUsed(vip, false);
    }
    if (holding.sharing === undefined || !wasLastOfNamespace) return;
    // Where the scope is all namespaces it ends with the last of them.
    if (this.pools.get(vip.pool)?.sharesAcrossNamespaces === true && !holding.isEmpty) return;
    const scope = this.#scopeIn(vip, holding.sharing.key, namespace);
    const under = this.#shared.get(scope);
    under?.delete(vip.address);
    if (under?.size === 0) this.#shared.delete(scope);
  }

  #scopeIn({ pool, family }: Vip, key: string, namespace: string): string {
    return scopeOf(
      key,
      this.pools.get(pool) ?? { name: pool, sharesAcrossNamespaces: false },
      family,
      namespace,
    );
  }

  #count({ pool }: Vip, namespace: string, change: NamespaceUse): void {
    const key = `${pool} ${namespace}`;
    const use = this.#perNamespace.get(key);
    if (use === undefined) {
      this.#perNamespace.set(key, { ...change });
      return;
    }
    use.addresses += change.addresses;
    use.ports += change.ports;
    if (use.addresses === 0) this.#perNamespace.delete(key);
  }

  #markUsed(vip: Vip, isUsed: boolean): void {
    const index = this.pools.get(vip.pool)?.spaces[vip.family].indexOf(vip.value);
    const used = this.#used.get(vip.pool)?.[vip.family];
    if (index === undefined || used === undefined) return;
    if (isUsed) used.add(index);
    else used.delete(index);
  }
}

/** Who can find the address by the key: a namespace, or all where the pool says so. A key may hold spaces, and ends it. */
function scopeOf(
  key: string,
  { name, sharesAcrossNamespaces }: Pick<Pool, "name" | "sharesAcrossNamespaces">,
  family: Family,
  namespace: string,
): string {
  return `${name} ${family} ${sharesAcrossNamespaces ? "" : namespace} ${key}`;
}
