/**
 * The kernel as forwarding sees it: three tables of entries that Services need, and the skeleton that all of them stand
 * on. A table can be read whole, part by part, or by key, and can be written. test/fakes/forwarding-kernel.ts is a
 * kernel in memory.
 */

import type { Encapsulation, Tunnel } from "#speaker/forwarding/encapsulation.ts";
import type {
  Change,
  Element,
  ForwardingPlan,
  SyncInput,
  SyncTrouble,
  TunnelTrouble,
} from "#speaker/forwarding/types.ts";
import type { NetlinkError } from "#speaker/netlink/error.ts";
import type {
  MarkService,
  Operation,
  ReadDestination,
  RefusedOperation,
  ServiceKey,
} from "#speaker/netlink/ipvs.ts";
import type { SetElement } from "#speaker/netlink/nftables.ts";

/** IPVS services that are found by mark. Requests throw NoFamilyError where the kernel has no IPVS. */
export interface ServerTable {
  /** Makes the kernel load IPVS. */
  load(): void;
  /** All of them, part by part, so that other work may come between two parts. */
  walk(): Iterable<readonly MarkService[]>;
  /** In the order of the keys; undefined where there is none. */
  find(keys: readonly ServiceKey[]): (MarkService | undefined)[];
  /** An empty list if the service is not there. */
  destinations(key: ServiceKey): readonly ReadDestination[];
  /**
   * Later operations run even if earlier ones were refused. Refusals may get lost, so only reading back shows what is
   * there.
   */
  write(operations: readonly Operation[]): RefusedOperation[];
}

/** Sets and maps of our nftables table. */
export interface ElementTable {
  /** Whether our table is there. */
  exists(): boolean;
  /** Names of its sets and maps. */
  sets(): string[];
  /** All elements of a set, part by part. None if the set is not there. */
  walk(set: string): Iterable<readonly SetElement[]>;
  /** In the order of the keys; undefined where there is none. */
  find(set: string, keys: readonly Pick<Element, "key" | "keyEnd">[]): (SetElement | undefined)[];
  /** One transaction, in which removals come before additions. If it throws NetlinkError, nothing has changed. */
  change(changes: {
    readonly remove: ReadonlyMap<string, readonly Element[]>;
    readonly add: ReadonlyMap<string, readonly Element[]>;
  }): void;
  /** A number that changes when anything in nftables was changed in another way than by `change`. */
  epoch(): number;
  /** Counts of packets, by name of the counter. */
  counters(): ReadonlyMap<string, number>;
}

/** A route that the kernel refused. */
export interface RefusedRoute {
  readonly vip: string;
  readonly error: NetlinkError;
}

/** `local` routes of our own table, by address in canonical text. */
export interface RouteTable {
  walk(): Iterable<readonly string[]>;
  /** Whether it is there, in the order of the addresses. */
  find(vips: readonly string[]): boolean[];
  /** It is no error if a route is there already, or is gone already. */
  write(changes: { readonly add: readonly string[]; readonly remove: readonly string[] }): RefusedRoute[];
}

/** What the skeleton depends on. */
export interface SkeletonInput extends Pick<ForwardingPlan, "settings" | "nodeAddresses" | "knowsMembers"> {
  /** Absent: connections are not shared. */
  readonly sync?: SyncInput;
  /** How nodes should send to each other's pods. */
  readonly tunnel: Tunnel;
  /** Milliseconds, monotonic. */
  readonly now: number;
  /** Some remote pods. The way to them decides the segment size. */
  readonly remoteEndpoints: readonly string[];
  /**
   * Elements of those sets that would turn somebody away while they are empty, by set; of those that succeed one of an older
   * build with the marks that it had.
   */
  readonly admitting: () => ReadonlyMap<string, readonly Element[]>;
  /** Writes such elements, before rules are loaded that look into those sets. */
  readonly fill: (add: Map<string, readonly Element[]>) => void;
}

/**
 * What all Services need: devices, policy rules, the table with its chains, settings. skeleton.ts does it with a real
 * kernel.
 */
export interface Skeleton {
  /** Returns what was not as wanted and was put right. Throws ForwardingError, NetlinkError. */
  ensure(wanted: SkeletonInput): Promise<Change[]>;
  /** Why connections are not shared, as of the last `ensure`. */
  readonly syncTrouble: SyncTrouble | undefined;
  /** Tunnels beside ipip that end here as asked, and why not, as of the last `ensure`. */
  readonly offered: readonly Encapsulation[];
  readonly tunnelTrouble: TunnelTrouble | undefined;
  /**
   * When this process began to take in connections, by `SkeletonInput.now`; undefined: an earlier one did, or forwarded
   * without: nothing is missing that was there before.
   */
  readonly syncStartedAt: number | undefined;
  /**
   * Binds connections that other nodes told of to what is in the lists now, in pieces, each of which wants a moment's rest.
   * False: not all of them, and `syncTrouble` says why.
   */
  bindTold(): Generator<undefined, boolean>;
  /** Removes the policy rules, so that no packet sees our routes any more. This is the first step of a removal. */
  closeWay(): void;
  /** Removes all the rest, and puts back the settings that were found. */
  remove(): void;
}

export interface ForwardingKernel {
  readonly servers: ServerTable;
  readonly elements: ElementTable;
  readonly routes: RouteTable;
  readonly skeleton: Skeleton;
  /** How much was written: messages, child processes, settings. */
  readonly counter: { readonly written: number };
  close(): void;
}
