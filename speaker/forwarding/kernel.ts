/**
 * The kernel as forwarding sees it: three tables of entries that Services need, which can be read whole part by part, read
 * by key, and written; and the skeleton that all of them stand on. test/fakes/forwarding-kernel.ts is another one.
 */

import type { Change, Element, ForwardingPlan } from "#speaker/forwarding/types.ts";
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
  /** All of them, part by part: other work may come between two parts. */
  walk(): Iterable<readonly MarkService[]>;
  /** In the order of the keys; undefined where there is none. */
  find(keys: readonly ServiceKey[]): (MarkService | undefined)[];
  /** None of a service that is not there. */
  destinations(key: ServiceKey): readonly ReadDestination[];
  /** Later operations run though earlier ones were refused. Refusals may get lost: only reading back shows what is there. */
  write(operations: readonly Operation[]): RefusedOperation[];
}

/** Sets and maps of our nftables table. */
export interface ElementTable {
  /** Whether our table is there. */
  exists(): boolean;
  /** Names of its sets and maps. */
  sets(): string[];
  /** All elements of a set, part by part; none of a set that is not there. */
  walk(set: string): Iterable<readonly SetElement[]>;
  /** In the order of the keys; undefined where there is none. */
  find(set: string, keys: readonly Pick<Element, "key" | "keyEnd">[]): (SetElement | undefined)[];
  /** One transaction, what goes before what comes. Throws NetlinkError, and then nothing has changed. */
  change(changes: {
    readonly remove: ReadonlyMap<string, readonly Element[]>;
    readonly add: ReadonlyMap<string, readonly Element[]>;
  }): void;
  /** Another number once anything in nftables was changed but by `change`. */
  epoch(): number;
  /** Packets, by name of the counter. */
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
  /** What is there already stays, and what is gone already is gone. */
  write(changes: { readonly add: readonly string[]; readonly remove: readonly string[] }): RefusedRoute[];
}

/** What the skeleton is made of. */
export interface SkeletonInput extends Pick<ForwardingPlan, "settings" | "nodeAddresses" | "knowsMembers"> {
  /** Some remote pods: the way to them decides the segment size. */
  readonly remoteEndpoints: readonly string[];
  /** Elements of sets whose being empty turns somebody away, by set. */
  readonly admitting: () => ReadonlyMap<string, readonly Element[]>;
  /** Writes such elements: before rules come that look into those sets. */
  readonly fill: (add: Map<string, readonly Element[]>) => void;
}

/** What all Services need: devices, policy rules, the table with its chains, settings. skeleton.ts is the real one. */
export interface Skeleton {
  /** What was not as wanted. Throws ForwardingError, NetlinkError. */
  ensure(wanted: SkeletonInput): Promise<Change[]>;
  /** The policy rules away: no packet sees our routes any more. Begins a removal. */
  closeWay(): void;
  /** All the rest away, and what was found put back. */
  remove(): void;
}

export interface ForwardingKernel {
  readonly servers: ServerTable;
  readonly elements: ElementTable;
  readonly routes: RouteTable;
  readonly skeleton: Skeleton;
  /** What was written to all of them: messages, child processes, settings. */
  readonly counter: { readonly written: number };
  close(): void;
}
