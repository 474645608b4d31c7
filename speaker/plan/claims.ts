/**
 * Two Services may claim the same forwarding id, or the same address and port. The controller gives each to one Service
 * only, so this happens when somebody else writes, or for a moment between two writes. The oldest Service wins, and
 * every node decides so. Of the other Services only that port is left out. Claims depend on Services only, and not on
 * their endpoints.
 */
import { familyOf } from "#api/address.ts";
import { idKey } from "#api/forwarding-ids.ts";
import type { ServiceView } from "../known/view.ts";

/** The reason why a part of a Service is not done. */
export interface LeftOut {
  readonly reason:
    | "DuplicateClaim"
    | "NodeAddress"
    | "NoPool"
    | "Unusable"
    | "UnusableEndpoint"
    | "UnusableAnnotation"
    | "AffinityIgnored"
    | "AllFailing"
    | "TooManyChecks"
    | "TakenByKubeProxy"
    | "KernelRefused";
  readonly message: string;
  /** The Service, `namespace/name`. */
  readonly services: readonly string[];
}

/** One forwarded port of a Service: number `at` of its ports that have an id. */
interface Claim {
  readonly service: ServiceView;
  readonly at: number;
  readonly id: number;
  /** `192.0.2.1 TCP/80` */
  readonly place: string;
  readonly port: string;
}

const NONE: ReadonlySet<number> = new Set();

export class Claims {
  readonly #ofService = new Map<string, readonly Claim[]>();
  /** Ports at addresses that are not ours are not in it. */
  readonly #foreign = new Map<string, ReadonlySet<number>>();
  readonly #ids = new Holders<number>();
  readonly #places = new Holders<string>();
  #lost: ReadonlyMap<string, ReadonlySet<number>> = new Map();
  #leftOut: readonly LeftOut[] = [];
  #revision = 0;

  /** Sets the Service's claims; undefined means that it is gone. Ports at addresses that are not ours claim nothing. */
  set(key: string, service: ServiceView | undefined, isOurs: (vip: string) => boolean): void {
    for (const claim of this.#ofService.get(key) ?? []) {
      this.#ids.remove(claim.id, claim);
      this.#places.remove(claim.place, claim);
    }
    this.#revision += 1;
    this.#ofService.delete(key);
    this.#foreign.delete(key);
    if (service === undefined) return;
    const { claims, foreign } = claimsOf(service, isOurs);
    for (const claim of claims) {
      this.#ids.add(claim.id, claim);
      this.#places.add(claim.place, claim);
    }
    this.#ofService.set(key, claims);
    if (foreign.size > 0) this.#foreign.set(key, foreign);
  }

  /** Decides who gets what is claimed more than once. Returns the Services whose ports may have changed. */
  settle(): ReadonlySet<string> {
    const before = this.#lost;
    if (before.size === 0 && this.#ids.contested.size === 0 && this.#places.contested.size === 0)
      return new Set();
    const lost = new Map<string, Set<number>>();
    const said: { readonly claim: Claim; readonly leftOut: LeftOut }[] = [];
    const decide = (rivals: Iterable<Claim>, what: (claim: Claim) => string): void => {
      const [winner, ...losers] = [...rivals].sort(byAge);
      for (const claim of losers) {
        const { key } = claim.service;
        lost.set(key, (lost.get(key) ?? new Set()).add(claim.at));
        const message = `${claim.port} of Service ${key} is not forwarded: ${what(claim)} is of Service ${winner?.service.key}, which is older`;
        said.push({ claim, leftOut: { reason: "DuplicateClaim", message, services: [key] } });
      }
    };
    for (const rivals of this.#ids.contested.values()) decide(rivals, ({ id }) => `forwarding id ${id}`);
    for (const rivals of this.#places.contested.values()) decide(rivals, ({ place }) => place);
    this.#lost = lost;
    said.sort((a, b) => order(a.claim.service.key, b.claim.service.key) || a.claim.at - b.claim.at);
    this.#leftOut = said.map(({ leftOut }) => leftOut);
    return new Set([...before.keys(), ...lost.keys()]);
  }

  /** Changes with every `set`. */
  get revision(): number {
    return this.#revision;
  }

  /** The Service that claims `192.0.2.1 TCP/80`, or one of them. */
  holderOf(place: string): string | undefined {
    return this.#places.holderOf(place)?.service.key;
  }

  /** The answer of the last `settle`. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  /** Those of a Service's ports with an id that the Service holds. */
  held<T>(key: string, ports: readonly T[]): readonly T[] {
    const foreign = this.#foreign.get(key) ?? NONE;
    const lost = this.#lost.get(key) ?? NONE;
    if (foreign.size + lost.size === 0) return ports;
    return ports.filter((_, at) => !foreign.has(at) && !lost.has(at));
  }
}

/** Who claims what. Almost always there is one claim for each. */
class Holders<K> {
  readonly #sole = new Map<K, Claim>();
  /** Ids and places with more than one claim. */
  readonly contested = new Map<K, Set<Claim>>();

  holderOf(key: K): Claim | undefined {
    return this.#sole.get(key) ?? [...(this.contested.get(key) ?? [])].sort(byAge)[0];
  }

  add(key: K, claim: Claim): void {
    const rivals = this.contested.get(key);
    const sole = this.#sole.get(key);
    if (rivals !== undefined) rivals.add(claim);
    else if (sole === undefined) this.#sole.set(key, claim);
    else {
      this.#sole.delete(key);
      this.contested.set(key, new Set([sole, claim]));
    }
  }

  remove(key: K, claim: Claim): void {
    if (this.#sole.get(key) === claim) this.#sole.delete(key);
    const rivals = this.contested.get(key);
    if (rivals?.delete(claim) !== true || rivals.size > 1) return;
    this.contested.delete(key);
    for (const last of rivals) this.#sole.set(key, last);
  }
}

/** In the order in which the Service's ports are forwarded (endpoints.ts). */
function claimsOf(
  service: ServiceView,
  isOurs: (vip: string) => boolean,
): { claims: readonly Claim[]; foreign: ReadonlySet<number> } {
  const claims: Claim[] = [];
  const foreign = new Set<number>();
  let at = 0;
  for (const vip of service.vips) {
    const isForeign = !isOurs(vip);
    for (const { protocol, port: number } of service.ports) {
      const port = `${protocol}/${number}`;
      const id = service.ids[idKey(familyOf(vip), port)];
      if (id === undefined) continue;
      if (isForeign) foreign.add(at);
      else claims.push({ service, at, id, place: `${vip} ${port}`, port });
      at += 1;
    }
  }
  return { claims, foreign };
}

const order = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/** If two Services have the same age, the first by key wins. Ports of one Service are taken in their order. */
function byAge(a: Claim, b: Claim): number {
  const { service: one } = a;
  const { service: other } = b;
  return order(one.createdAt, other.createdAt) || order(one.key, other.key) || a.at - b.at;
}
