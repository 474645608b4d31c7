/**
 * Which endpoints this node checks: those of its own node, of Services that ask for it, as many as one node can check in
 * time. Pure. A Service that asks for nothing costs nothing here.
 */
import { protocolOf } from "../known/health-check.ts";
import type { HealthCheck, Place } from "../known/view.ts";
import type { LeftOut } from "./claims.ts";
import { type ServedPort, type ServiceEndpoints, usability } from "./endpoints.ts";
import type { ServiceChanges, Services } from "./services.ts";
import { withKeys } from "./sorted-keys.ts";

export interface CheckedEndpoint {
  readonly key: string;
  /** `namespace/name` */
  readonly service: string;
  readonly address: string;
  /** Where the check connects. */
  readonly port: number;
  readonly check: HealthCheck;
  /** What its result is about. */
  readonly places: readonly Place[];
}

/** Checks that one node begins in a second: 250 endpoints with the default interval. */
const MOST_A_SECOND = 500;
/** Endpoints of one node, however seldom they are checked. */
const MOST_CHECKED = 2_000;
/** Services that are told that not all of their endpoints are checked. */
const MOST_NAMED = 10;
const NONE: readonly CheckedEndpoint[] = [];
const NOBODY: ReadonlySet<string> = new Set();

export class Checks {
  readonly #piece: number;
  /** Services that ask for it -> their endpoints here. */
  readonly #kept = new Map<string, readonly CheckedEndpoint[]>();
  /** Id of a port -> the Services that claim it, of those that ask for it: mostly one. */
  readonly #byId = new Map<number, ReadonlySet<string>>();
  readonly #ids = new Map<string, readonly number[]>();
  /** Namespace -> its Services with endpoints here, sorted. */
  readonly #byNamespace = new Map<string, readonly string[]>();
  /** Endpoints of all of them. */
  #total = 0;
  #list = NONE;
  #unchecked = { count: 0, services: NOBODY };

  /** `piece`: Services that are looked at in one go. */
  constructor(piece: number) {
    this.#piece = piece;
  }

  /** To be checked; the same list while nothing in it changes. */
  get list(): readonly CheckedEndpoint[] {
    return this.#list;
  }

  /** Services that ask for checks and have a port of that id. */
  servicesOf(id: number): ReadonlySet<string> {
    return this.#byId.get(id) ?? NOBODY;
  }

  get leftOut(): readonly LeftOut[] {
    const { count, services } = this.#unchecked;
    if (count === 0) return [];
    const message = `${count} endpoints of this node are not checked: it checks at most ${MOST_A_SECOND} times a second, and ${MOST_CHECKED} endpoints`;
    return [{ reason: "TooManyChecks", message, services: [...services] }];
  }

  /** Stops after each small piece of work. */
  *update(changes: ServiceChanges, services: Services, node: string): Generator<undefined, void> {
    let isSame = true;
    let looked = 0;
    for (const key of changes.keys()) {
      const endpoints = services.get(key);
      const check = endpoints?.service.check;
      const before = this.#kept.get(key);
      if (before === undefined && check === undefined) continue;
      if (++looked % this.#piece === 0) yield;
      this.#forget(key);
      const next =
        endpoints === undefined || check === undefined ? undefined : checkedOf(endpoints, check, node);
      isSame &&= JSON.stringify(before ?? NONE) === JSON.stringify(next ?? NONE);
      if (endpoints !== undefined && next !== undefined)
        this.#keep(
          key,
          next,
          endpoints.ports.flatMap(({ id }) => id ?? []),
        );
    }
    if (!isSame) this.#choose();
  }

  #keep(key: string, own: readonly CheckedEndpoint[], ids: readonly number[]): void {
    this.#kept.set(key, own);
    this.#ids.set(key, ids);
    for (const id of ids) this.#byId.set(id, new Set([...this.servicesOf(id), key]));
    this.#total += own.length;
    if (own.length > 0) this.#place(key, true);
  }

  #forget(key: string): void {
    for (const id of this.#ids.get(key) ?? []) {
      const others = this.servicesOf(id).difference(new Set([key]));
      if (others.size === 0) this.#byId.delete(id);
      else this.#byId.set(id, others);
    }
    this.#total -= this.#kept.get(key)?.length ?? 0;
    this.#place(key, false);
    this.#ids.delete(key);
    this.#kept.delete(key);
  }

  #place(key: string, isThere: boolean): void {
    const [namespace = ""] = key.split("/");
    const [added, removed] = isThere ? [new Set([key]), NOBODY] : [NOBODY, new Set([key])];
    const keys = withKeys(this.#byNamespace.get(namespace) ?? [], added, removed);
    if (keys.length === 0) this.#byNamespace.delete(namespace);
    else this.#byNamespace.set(namespace, keys);
  }

  *#endpointsOf(keys: readonly string[]): Generator<CheckedEndpoint, undefined> {
    for (const key of keys) yield* this.#kept.get(key) ?? NONE;
  }

  /** Namespaces in turn, so that none takes the place of the others. It ends when there is no more room. */
  #choose(): void {
    const inOrder = [...this.#byNamespace].sort(([a], [b]) => (a < b ? -1 : 1));
    let queues = inOrder.map(([, keys]) => this.#endpointsOf(keys));
    const list: CheckedEndpoint[] = [];
    const services = new Set<string>();
    let rate = 0;
    while (queues.length > 0 && services.size === 0) {
      queues = queues.filter((queue) => {
        const { value: endpoint } = queue.next();
        if (endpoint === undefined) return false;
        rate += 1_000 / endpoint.check.intervalMs;
        if (list.length < MOST_CHECKED && rate <= MOST_A_SECOND) list.push(endpoint);
        else if (services.size < MOST_NAMED) services.add(endpoint.service);
        return true;
      });
    }
    this.#list = list;
    this.#unchecked = { count: this.#total - list.length, services };
  }
}

function checkedOf(
  { service, ports }: ServiceEndpoints,
  check: HealthCheck,
  node: string,
): readonly CheckedEndpoint[] {
  const found = new Map<string, { readonly address: string; readonly port: number; places: Place[] }>();
  for (const served of ports) {
    for (const place of placesOf(served, check, node)) {
      const port = check.port ?? place.port;
      const key = `${place.address} ${port}`;
      const known = found.get(key) ?? { address: place.address, port, places: [] };
      found.set(key, known);
      const isThere = known.places.some((one) => one.id === place.id && one.port === place.port);
      if (!isThere) known.places.push(place);
    }
  }
  const how = JSON.stringify(check);
  return [...found].map(([key, { address, port, places }]) => ({
    ...{ key: `${service.key} ${key} ${how}`, service: service.key, address, port, check, places },
  }));
}

/** Only those that may get connections: who is not ready, or ends, gets none anyway. */
function placesOf({ id, port, backends }: ServedPort, check: HealthCheck, node: string): Place[] {
  if (id === undefined || (check.port === undefined && port.protocol !== protocolOf(check.kind))) return [];
  const isUsable = usability(backends);
  return backends
    .filter(({ view }) => view.node === node && view.isReady && isUsable(view))
    .map(({ view, port: own }) => ({ id, address: view.address, port: own }));
}
