/** All ports that this node forwards. A Service's ports are kept while nothing about it changes. */
import type { ForwardedPort } from "../forwarding/types.ts";
import { ignoredAffinity, keptAll, unusableAnnotations, unusableEndpoints } from "../report/left-out.ts";
import { Claims, type LeftOut } from "./claims.ts";
import {
  type ForwardedService,
  type ForwardingContext,
  forwardService,
  type IsFailing,
  type IsOver,
  isTouchedBy,
} from "./forward.ts";
import type { GivenAddresses } from "./given.ts";
import type { ServiceChanges, Services } from "./services.ts";
import { placeOf, sortedValues, withKeys } from "./sorted-keys.ts";
import type { Holding } from "./taken.ts";

export interface PortsInput {
  readonly changes: ServiceChanges;
  /** Services of which an address came to be ours, or stopped being so. */
  readonly affected: ReadonlySet<string>;
  readonly services: Services;
  readonly given: GivenAddresses;
  readonly context: ForwardingContext;
  readonly isFailing: IsFailing;
  readonly isOver: IsOver;
  /** Services of which an endpoint began to fail its checks, or does so no longer, or has had its time to end. */
  readonly checked: ReadonlySet<string>;
}

export class Ports {
  readonly #piece: number;
  readonly #kept = new Map<string, ForwardedService>();
  readonly #claims = new Claims();
  readonly #badEndpoints = new Map<string, LeftOut>();
  readonly #badAnnotations = new Map<string, LeftOut>();
  readonly #losing = new Map<string, LeftOut>();
  readonly #allFailing = new Map<string, LeftOut>();
  #context: ForwardingContext | undefined;
  #keys: readonly string[] = [];
  /** Where in the list each Service's ports begin, and the list's end. */
  #begins: readonly number[] = [0];
  #list: readonly ForwardedPort[] = [];
  #translated = 0;

  /** `piece`: Services that are looked at in one go. */
  constructor(piece: number) {
    this.#piece = piece;
  }

  /** By Service, then in the Service's order. It is the same list while nothing in it changes. */
  get list(): readonly ForwardedPort[] {
    return this.#list;
  }

  /** Endpoints that are reached with source address translation. */
  get translated(): number {
    return this.#translated;
  }

  /**
   * Stops after each small piece of work, so that the caller can let others have their turn. Nothing changes for
   * readers before its end.
   */
  *update(input: PortsInput): Generator<undefined, void> {
    const { changes, services, context, isFailing, isOver, checked } = input;
    const added = new Set<string>();
    const removed = new Set<string>();
    const others = new Set<string>();
    const { hasNewClaims, claimed } = this.#claim(input);
    const look = (key: string): void => {
      const endpoints = services.get(key);
      const before = this.#kept.get(key);
      const next =
        endpoints === undefined ? undefined : forwardService(endpoints, context, before, isFailing, isOver);
      if (next === before) return;
      others.add(key);
      this.#translated += (next?.translated ?? 0) - (before?.translated ?? 0);
      this.#noteLosing(key, next?.losesClients);
      if (next === undefined || next.allFailing.length === 0) this.#allFailing.delete(key);
      else this.#allFailing.set(key, keptAll(key, next.allFailing));
      if (next === undefined) this.#kept.delete(key);
      else this.#kept.set(key, next);
      if (before === undefined) added.add(key);
      if (next === undefined) removed.add(key);
    };
    let looked = 0;
    for (const key of [...changes.keys(), ...checked]) {
      look(key);
      if (++looked % this.#piece === 0) yield;
    }
    const moved = movedNodes(this.#context, context);
    this.#context = context;
    if (moved === undefined || moved.size > 0) {
      for (const [key, endpoints] of services.entries()) {
        if (moved === undefined || isTouchedBy(endpoints, moved)) look(key);
        if (++looked % this.#piece === 0) yield;
      }
    }
    // Of an update that was gone on with late, one may have been looked at before its claims were.
    for (const key of claimed) if (this.#kept.has(key)) others.add(key);
    this.#keys = withKeys(this.#keys, added, removed);
    if (hasNewClaims || added.size > 0 || removed.size > 0 || !this.#replace(others)) this.#listAll();
  }

  #noteLosing(key: string, scheduler: string | undefined): void {
    if (scheduler === undefined) this.#losing.delete(key);
    else this.#losing.set(key, ignoredAffinity(key, scheduler));
  }

  #held(key: string): readonly ForwardedPort[] {
    return this.#claims.held(key, this.#kept.get(key)?.ports ?? []);
  }

  /**
   * Puts the new ports of these Services in the place of the old ones. False if they have more or fewer ports than
   * before.
   */
  #replace(keys: ReadonlySet<string>): boolean {
    let list: ForwardedPort[] | undefined;
    for (const key of keys) {
      const at = placeOf(this.#keys, key);
      const [begin = 0, end = 0] = [this.#begins[at], this.#begins[at + 1]];
      const held = this.#held(key);
      if (held.length !== end - begin) return false;
      for (const [offset, port] of held.entries()) {
        if (this.#list[begin + offset] === port) continue;
        list ??= [...this.#list];
        list[begin + offset] = port;
      }
    }
    this.#list = list ?? this.#list;
    return true;
  }

  #listAll(): void {
    const list: ForwardedPort[] = [];
    const begins: number[] = [];
    for (const key of this.#keys) {
      begins.push(list.length);
      for (const port of this.#held(key)) list.push(port);
    }
    this.#list = list;
    this.#begins = [...begins, list.length];
  }

  /** Who holds which address and port. */
  get holding(): Holding {
    return this.#claims;
  }

  /** What two Services claim, annotations and endpoints that nobody can use, and checks that all endpoints fail. */
  get leftOut(): readonly LeftOut[] {
    const kept = [this.#badAnnotations, this.#badEndpoints, this.#allFailing, this.#losing].flatMap(
      sortedValues,
    );
    return [...kept, ...this.#claims.leftOut];
  }

  /**
   * Returns whether a Service holds other ports than before, since others claim them or do no more; and whose claims were set
   * anew. Endpoints do not matter.
   */
  #claim({ changes, affected, services, given }: PortsInput): {
    readonly hasNewClaims: boolean;
    readonly claimed: ReadonlySet<string>;
  } {
    const claimed = new Set(affected);
    const isOurs = (vip: string): boolean => given.isOurs(vip);
    for (const [key, before] of changes) {
      const endpoints = services.get(key);
      const bad = endpoints === undefined ? undefined : unusableEndpoints(endpoints);
      if (bad === undefined) this.#badEndpoints.delete(key);
      else this.#badEndpoints.set(key, bad);
      const faults = endpoints?.service.faults ?? [];
      if (faults.length === 0) this.#badAnnotations.delete(key);
      else this.#badAnnotations.set(key, unusableAnnotations(key, faults));
      if (endpoints === undefined || before?.service !== endpoints.service) claimed.add(key);
    }
    for (const key of claimed) this.#claims.set(key, services.get(key)?.service, isOurs);
    return { hasNewClaims: this.#claims.settle().size > 0 || affected.size > 0, claimed };
  }
}

/** Nodes about which something changed. Undefined means that everything may have changed. */
function movedNodes(
  before: ForwardingContext | undefined,
  now: ForwardingContext,
): ReadonlySet<string> | undefined {
  if (before === now) return new Set();
  if (before === undefined || before.node !== now.node) return undefined;
  if (before.scheduler !== now.scheduler || before.translates !== now.translates) return undefined;
  if (before.tunnel !== now.tunnel || before.prefersLocal !== now.prefersLocal) return undefined;
  const moved = new Set<string>();
  for (const which of ["forwardingNodes", "deadNodes", "tunnelNodes"] as const) {
    for (const name of before[which].symmetricDifference(now[which])) moved.add(name);
  }
  return moved;
}
