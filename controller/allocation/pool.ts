/** AddressPool -> Pool: what it can give, to whom, and in which order pools are asked. Pure. */
import { AddressError, FAMILIES, type Family, parseRange } from "#api/address.ts";
import { NOTHING_RESERVED, type Reserved } from "#api/reserved.ts";
import { type LabelSelector, selects } from "#common/kube/selector.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";
import { BUGGY, type LeftOut, NOTHING, subnetRouters } from "#controller/allocation/skip.ts";
import { AddressSpace, mergeSpans, type Span } from "#controller/allocation/space.ts";

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
  /** What it gives. */
  readonly spaces: Readonly<Record<Family, AddressSpace>>;
  /** What it has and does not give, for the cluster itself uses it. Who holds one already keeps it. */
  readonly reserved: Readonly<Record<Family, AddressSpace>>;
  /** Services of different namespaces may share an address. */
  readonly sharesAcrossNamespaces: boolean;
  readonly quotas: ReadonlyMap<string, Quota>;
}

/** Addresses that do not parse are left out: whether the object is valid is judged elsewhere, and told by `isOpen`. */
export function compilePool(
  name: string,
  spec: PoolSpec,
  isOpen: boolean,
  reserved: Reserved = NOTHING_RESERVED,
): Pool {
  const all = (spec.addresses ?? []).flatMap((text) => readSpan(text, spec.avoidBuggyIPs ?? false));
  const kept = all.map((span) => ({ span, cut: reserved.within(span) }));
  const spans = kept.flatMap(({ span, cut }) => without(span, cut));
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
    spaces: spacesOf(spans),
    reserved: spacesOf(kept.flatMap(({ cut }) => cut)),
    sharesAcrossNamespaces: spec.shareAcrossNamespaces ?? false,
    quotas: new Map((spec.quotas ?? []).map(({ namespace, ...quota }) => [namespace, quota])),
  };
}

type FamilySpan = Span & { readonly family: Family };

function spacesOf(spans: readonly FamilySpan[]): Pool["spaces"] {
  return {
    IPv4: new AddressSpace(spans.filter(({ family }) => family === "IPv4")),
    IPv6: new AddressSpace(spans.filter(({ family }) => family === "IPv6")),
  };
}

/** What is left of a span; `cut`: parts of it, lowest first. */
function without(span: FamilySpan, cut: readonly Span[]): FamilySpan[] {
  const left: FamilySpan[] = [];
  let { first } = span;
  for (const part of cut) {
    if (part.first > first) left.push({ ...span, first, last: part.first - 1n });
    first = part.last + 1n;
  }
  if (first <= span.last) left.push({ ...span, first });
  return left;
}

function readSpan(text: string, avoidsBuggy: boolean): readonly FamilySpan[] {
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
  readonly reserved: Reserved;
  readonly #byName: ReadonlyMap<string, Pool>;
  readonly #ordered: readonly Pool[];
  readonly #open: Readonly<Record<Family, readonly PoolRange[]>>;
  readonly #closed: readonly Pool[];

  constructor(
    pools: readonly Pool[],
    labelsOf: NamespaceLabels = () => undefined,
    reserved: Reserved = NOTHING_RESERVED,
  ) {
    this.labelsOf = labelsOf;
    this.reserved = reserved;
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
    const has = (pool: Pool): boolean =>
      pool.spaces[family].indexOf(address) !== undefined || isReserved(pool, family, address);
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
      .flatMap((pool) =>
        [...pool.spaces[family].spans(), ...pool.reserved[family].spans()].map((span) => ({ ...span, pool })),
      )
      .sort((a, b) => (a.first < b.first ? -1 : 1));
  }
}

/** Whether other addresses of the pools are reserved than when they were compiled: almost never, whatever Nodes come. */
export function isReservedOtherwise(pools: PoolSet, reserved: Reserved): boolean {
  return pools.list().some((pool) =>
    FAMILIES.some((family) => {
      const cut = pool.reserved[family].spans();
      const all = mergeSpans(
        [...pool.spaces[family].spans(), ...cut].map(({ first, last }) => ({ first, last })),
      );
      const now = mergeSpans(all.flatMap((span) => reserved.within({ ...span, family })));
      return (
        now.length !== cut.length ||
        now.some(({ first, last }, at) => first !== cut[at]?.first || last !== cut[at]?.last)
      );
    }),
  );
}

export function isReserved(pool: Pool, family: Family, address: bigint): boolean {
  return pool.reserved[family].indexOf(address) !== undefined;
}

/** `IPv4`, `IPv4 and IPv6` or `no`: the families that a pool has addresses of, for messages. */
export function familiesOf(pool: Pool): string {
  return FAMILIES.filter((family) => pool.spaces[family].size > 0n).join(" and ") || "no";
}
