/** AddressPool -> Pool: what it can give, to whom, and in which order pools are asked. Pure. */
import { AddressError, FAMILIES, type Family, parseRange } from "#api/address.ts";
import { type LabelSelector, selects } from "#common/kube/selector.ts";
import type { AllocationRequest } from "#controller/request.ts";
import { BUGGY, type LeftOut, NOTHING, subnetRouters } from "#controller/skip.ts";
import { AddressSpace, type Span } from "#controller/space.ts";

/** The fields of AddressPool.spec that allocation looks at. */
export interface PoolSpec {
  readonly addresses?: readonly string[];
  readonly autoAssign?: boolean;
  readonly avoidBuggyIPs?: boolean;
  readonly serviceAllocation?: {
    readonly priority?: number;
    readonly namespaces?: readonly string[];
    readonly namespaceSelectors?: readonly LabelSelector[];
    readonly serviceSelectors?: readonly LabelSelector[];
  };
  readonly shareAcrossNamespaces?: boolean;
  readonly quotas?: readonly ({ readonly namespace: string } & Quota)[];
}

/** What the Services of a namespace may have of a pool. */
export interface Quota {
  /** No limit where absent. */
  readonly addresses?: number;
  /** DEFAULT_PORTS where absent. */
  readonly ports?: number;
}

/**
 * Without a quota of ports, a namespace may have `each` at every one of its addresses on average, and `least` however
 * few addresses it has. A port is 74 KB of kernel memory on every node: `least` is 75 MB.
 */
export const DEFAULT_PORTS = { least: 1_024, each: 16 } as const;

export interface Pool {
  readonly name: string;
  /** False if the configuration was refused: what is held of it stays, nothing new is given. */
  readonly isOpen: boolean;
  readonly autoAssign: boolean;
  /** spec.serviceAllocation is there: those Services that it admits ask this pool before those without one. */
  readonly isPinned: boolean;
  /** Lower is asked first; 0 or absent last. */
  readonly priority: number;
  readonly namespaces: readonly string[];
  readonly namespaceSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
  readonly spaces: Readonly<Record<Family, AddressSpace>>;
  /** Services of different namespaces may share an address. */
  readonly sharesAcrossNamespaces: boolean;
  readonly quotas: ReadonlyMap<string, Quota>;
}

/** Addresses that do not parse are left out: whether the object is valid is judged elsewhere, and told by `isOpen`. */
export function compilePool(name: string, spec: PoolSpec, isOpen: boolean): Pool {
  const spans = (spec.addresses ?? []).flatMap((text) => readSpan(text, spec.avoidBuggyIPs ?? false));
  const { serviceAllocation } = spec;
  return {
    name,
    isOpen,
    autoAssign: spec.autoAssign ?? true,
    isPinned: serviceAllocation !== undefined,
    priority: serviceAllocation?.priority ?? 0,
    namespaces: serviceAllocation?.namespaces ?? [],
    namespaceSelectors: serviceAllocation?.namespaceSelectors ?? [],
    serviceSelectors: serviceAllocation?.serviceSelectors ?? [],
    spaces: {
      IPv4: new AddressSpace(spans.filter(({ family }) => family === "IPv4")),
      IPv6: new AddressSpace(spans.filter(({ family }) => family === "IPv6")),
    },
    sharesAcrossNamespaces: spec.shareAcrossNamespaces ?? false,
    quotas: new Map((spec.quotas ?? []).map(({ namespace, ...quota }) => [namespace, quota])),
  };
}

function readSpan(text: string, avoidsBuggy: boolean): readonly (Span & { readonly family: Family })[] {
  try {
    const range = parseRange(text);
    const skip = range.family === "IPv6" ? subnetRouters(range, text) : avoidsBuggy ? BUGGY : NOTHING;
    return [{ ...range, skip }];
  } catch (error) {
    // Told by the condition Valid; the other ranges are still there to find the pool of what is held.
    if (error instanceof AddressError) return [];
    throw error;
  }
}

export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

/** Which part of spec.serviceAllocation keeps the Service out; undefined if nothing does. */
export function excludes(
  pool: Pool,
  service: Pick<AllocationRequest, "namespace" | "labels">,
  labelsOf: NamespaceLabels,
): "namespaces" | "serviceSelectors" | undefined {
  const hasNamespaceRule = pool.namespaces.length + pool.namespaceSelectors.length > 0;
  if (hasNamespaceRule && !pool.namespaces.includes(service.namespace)) {
    const labels = labelsOf(service.namespace) ?? {};
    if (!pool.namespaceSelectors.some((selector) => selects(selector, labels))) return "namespaces";
  }
  if (pool.serviceSelectors.length > 0) {
    if (!pool.serviceSelectors.some((selector) => selects(selector, service.labels)))
      return "serviceSelectors";
  }
  return undefined;
}

/** The order in which pools are asked: pinned ones first, then by priority, then by name. */
function byPreference(a: Pool, b: Pool): number {
  if (a.isPinned !== b.isPinned) return a.isPinned ? -1 : 1;
  const rank = (pool: Pool): number => (pool.priority === 0 ? Number.POSITIVE_INFINITY : pool.priority);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

interface PoolRange {
  readonly first: bigint;
  readonly last: bigint;
  readonly pool: Pool;
}

/** All pools of one configuration. Immutable. */
export class PoolSet {
  readonly labelsOf: NamespaceLabels;
  readonly #byName: ReadonlyMap<string, Pool>;
  readonly #ordered: readonly Pool[];
  readonly #open: Readonly<Record<Family, readonly PoolRange[]>>;
  readonly #closed: readonly Pool[];

  constructor(pools: readonly Pool[], labelsOf: NamespaceLabels = () => undefined) {
    this.labelsOf = labelsOf;
    this.#byName = new Map(pools.map((pool) => [pool.name, pool]));
    this.#ordered = pools.toSorted(byPreference);
    this.#closed = this.#ordered.filter((pool) => !pool.isOpen);
    this.#open = { IPv4: this.#rangesOf("IPv4"), IPv6: this.#rangesOf("IPv6") };
  }

  get(name: string): Pool | undefined {
    return this.#byName.get(name);
  }

  /** In the order in which they are asked. */
  list(): readonly Pool[] {
    return this.#ordered;
  }

  /** The pool that has the address; one whose configuration is valid before one whose is not. */
  poolOf(family: Family, address: bigint): Pool | undefined {
    const has = (pool: Pool): boolean => pool.spaces[family].indexOf(address) !== undefined;
    const pool = this.#openAt(family, address);
    return pool !== undefined && has(pool) ? pool : this.#closed.find(has);
  }

  /** For an address of no pool: the pool in whose ranges it lies and is left out, and why. */
  leavesOut(family: Family, address: bigint): { readonly pool: Pool; readonly why: LeftOut } | undefined {
    const open = this.#openAt(family, address);
    for (const pool of open === undefined ? this.#closed : [open, ...this.#closed]) {
      const why = pool.spaces[family].leftOut(address);
      if (why !== undefined) return { pool, why };
    }
    return undefined;
  }

  /** The last valid pool with a range that begins at the address or before it. */
  #openAt(family: Family, address: bigint): Pool | undefined {
    const ranges = this.#open[family];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = ranges[middle];
      if (range !== undefined && range.first <= address) low = middle + 1;
      else high = middle;
    }
    return ranges[low - 1]?.pool;
  }

  /** Valid pools don't overlap (admission), so one sorted list finds the pool of an address. */
  #rangesOf(family: Family): readonly PoolRange[] {
    return this.#ordered
      .filter((pool) => pool.isOpen)
      .flatMap((pool) => pool.spaces[family].spans().map((span) => ({ ...span, pool })))
      .sort((a, b) => (a.first < b.first ? -1 : 1));
  }
}

/** `IPv4`, `IPv4 and IPv6` or `no`: the families that a pool has addresses of, for messages. */
export function familiesOf(pool: Pool): string {
  return FAMILIES.filter((family) => pool.spaces[family].size > 0n).join(" and ") || "no";
}
