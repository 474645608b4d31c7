/**
 * Who attracts which address. The answer for an address is kept while neither its Services' usable endpoints nor its
 * place nor its claim changes.
 */
import { familyOf } from "#api/address.ts";
import type { ClaimsView } from "../known/view.ts";
import { elect, reelect, type Turnover, turnoverOf } from "./elect.ts";
import type { ServiceEndpoints } from "./endpoints.ts";
import type { GivenAddresses } from "./given.ts";
import type { Place, Places } from "./places.ts";
import type { Services } from "./services.ts";
import { placeOf, sameItems, withKeys } from "./sorted-keys.ts";

/** The reason why nobody attracts an address. */
export type Unowned = "NoUsableEndpoint" | "NoCandidate";

/** One address given to Services. */
export interface AddressPlan {
  readonly vip: string;
  /** `namespace/name`, sorted. Several Services may share an address. */
  readonly services: readonly string[];
  readonly pool: string;
  /** Layer 2: nodes that may attract the address. BGP: nodes that all attract it. */
  readonly candidates: readonly string[];
  /** Layer 2 only. */
  readonly owner?: string;
  readonly unowned?: Unowned;
  /** This node's links to announce on. Empty if another node is the owner. */
  readonly links: readonly string[];
  /** This node advertises it by BGP. */
  readonly isAdvertised: boolean;
  /** If it does so only because it has pods of its own for the address: how many. */
  readonly localPods?: number;
}

/** Whether this node announces the address by now, on any of its links. `held`: link -> addresses. */
export function isHeld(
  { vip, links }: Pick<AddressPlan, "vip" | "links">,
  held: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  return links.some((link) => held.get(link)?.has(vip) === true);
}

interface Kept {
  readonly place: Place;
  /** Only nodes with a usable endpoint may attract it, so the candidates are fewer than the place's. */
  readonly isLocal: boolean;
  /** It was elected, and not found by its claim. */
  readonly isElected: boolean;
  readonly plan: AddressPlan;
}

/** A candidate, and whether it was elected or claims the address. */
interface Owner {
  readonly name: string;
  readonly isElected: boolean;
}

export interface AddressesInput {
  readonly node: string;
  readonly services: Services;
  readonly given: GivenAddresses;
  /** Addresses that have to be looked at again even if their place is the same. */
  readonly changed: ReadonlySet<string>;
  readonly places: Places;
  readonly claims: ClaimsView;
}

const NONE: readonly string[] = [];

export class Addresses {
  readonly #kept = new Map<string, Kept>();
  #places: Places | undefined;
  #vips: readonly string[] = [];
  #list: readonly AddressPlan[] = [];

  /** The plans of all our addresses, sorted. It is the same list while nothing in it changes. */
  get list(): readonly AddressPlan[] {
    return this.#list;
  }

  /** Sorted. It is the same list while no address comes or goes. */
  get vips(): readonly string[] {
    return this.#vips;
  }

  update(input: AddressesInput): void {
    const added = new Set<string>();
    const removed = new Set<string>();
    const turnovers = new Turnovers();
    const others: AddressPlan[] = [];
    const look = (vip: string): void => {
      const before = this.#kept.get(vip);
      const place = input.given.isOurs(vip) ? input.places.of(vip) : undefined;
      if (place === undefined) {
        if (this.#kept.delete(vip)) removed.add(vip);
        return;
      }
      const isSame = before?.place === place && !input.claims.changed.has(vip);
      if (isSame && !input.changed.has(vip)) return;
      const next = keptOf(vip, place, { before, input, turnovers });
      if (before === undefined) added.add(vip);
      if (next.plan !== before?.plan) others.push(next.plan);
      this.#kept.set(vip, next);
    };
    for (const vip of input.changed.union(input.claims.changed)) look(vip);
    if (input.places !== this.#places) for (const vip of input.given.vips()) look(vip);
    this.#places = input.places;
    this.#vips = withKeys(this.#vips, added, removed);
    if (added.size > 0 || removed.size > 0) this.#list = this.#whole();
    else if (others.length > 0) this.#list = this.#with(others);
  }

  #whole(): AddressPlan[] {
    const list: AddressPlan[] = [];
    for (const vip of this.#vips) {
      const kept = this.#kept.get(vip);
      if (kept !== undefined) list.push(kept.plan);
    }
    return list;
  }

  #with(others: readonly AddressPlan[]): AddressPlan[] {
    const list = [...this.#list];
    for (const plan of others) list[placeOf(this.#vips, plan.vip)] = plan;
    return list;
  }
}

/**
 * Many addresses have the same place before and the same one after. The difference of two places is worked out once.
 */
class Turnovers {
  readonly #known = new Map<Place, Map<Place, Turnover>>();

  between(before: Place, now: Place): Turnover {
    const ofBefore = this.#known.get(before) ?? new Map<Place, Turnover>();
    this.#known.set(before, ofBefore);
    let turnover = ofBefore.get(now);
    if (turnover === undefined) {
      turnover = turnoverOf(before.candidates, now.candidates);
      ofBefore.set(now, turnover);
    }
    return turnover;
  }
}

interface Pass {
  readonly before: Kept | undefined;
  readonly input: AddressesInput;
  readonly turnovers: Turnovers;
}

function keptOf(vip: string, place: Place, pass: Pass): Kept {
  const { before, input } = pass;
  if (before?.plan.owner !== undefined && !before.isLocal && !input.changed.has(vip)) {
    const moved = movedOf(before, place, pass);
    if (moved !== undefined) return moved;
  }
  const keys = input.given.sharing(vip) ?? new Set<string>();
  const sharing = [...keys].flatMap((key) => input.services.get(key) ?? []);
  // With Local, a node attracts the address only if it has a usable pod of its own, of any Service that shares the
  // address.
  const isLocal = sharing.every(({ service }) => service.isLocal);
  let isElected = false;
  const owner = (candidates: readonly string[]): string | undefined => {
    const isFew = isLocal || before?.isLocal === true;
    const found = ownerOf(vip, { place, candidates }, isFew ? { ...pass, before: undefined } : pass);
    isElected = found?.isElected === true;
    return found?.name;
  };
  const services = keys.size === 1 ? [...keys] : [...keys].sort();
  const plan = planAddress({ vip, services, sharing, isLocal, place, node: input.node, owner });
  const isSame = before !== undefined && isSamePlan(before.plan, plan);
  return { place, isLocal, isElected, plan: isSame ? before.plan : plan };
}

/** Only nodes came or went, so that all but the owner is known: with thousands of addresses this is what a death costs. */
function movedOf(before: Kept, place: Place, pass: Pass): Kept | undefined {
  const { plan, place: from } = before;
  const { candidates } = place;
  if (place.pool !== from.pool || place.isAdvertised || candidates.length === 0) return undefined;
  const owner = ownerOf(plan.vip, { place, candidates }, pass);
  if (owner === undefined) return undefined;
  const { name, isElected } = owner;
  if (place === from && name === plan.owner) return { ...before, isElected };
  const links = name === pass.input.node ? place.links : NONE;
  const { vip, services, pool, isAdvertised } = plan;
  return {
    place,
    isLocal: false,
    isElected,
    plan: { vip, services, pool, candidates, links, isAdvertised, owner: name },
  };
}

/**
 * The candidate that claims the address; else the one that is elected. Of an earlier election among the place's
 * candidates (`before`) only the difference is looked at.
 */
function ownerOf(
  vip: string,
  { place, candidates }: { readonly place: Place; readonly candidates: readonly string[] },
  { before, input, turnovers }: Pass,
): Owner | undefined {
  const claimant = place.isSticky ? input.claims.claimantOf(vip) : undefined;
  if (claimant !== undefined && candidates.includes(claimant)) return { name: claimant, isElected: false };
  const winner = before?.isElected === true ? before.plan.owner : undefined;
  const name =
    before === undefined || winner === undefined
      ? elect({ vip, candidates })
      : reelect(vip, winner, turnovers.between(before.place, place), candidates);
  return name === undefined ? undefined : { name, isElected: true };
}

function planAddress(of: {
  readonly vip: string;
  readonly services: readonly string[];
  readonly sharing: readonly ServiceEndpoints[];
  readonly isLocal: boolean;
  readonly place: Place;
  readonly node: string;
  readonly owner: (candidates: readonly string[]) => string | undefined;
}): AddressPlan {
  const { vip, services, sharing, isLocal, place, node } = of;
  const family = familyOf(vip);
  const base = { vip, services, pool: place.pool, candidates: NONE, links: NONE, isAdvertised: false };
  if (sharing.every(({ usableNodes }) => usableNodes[family].size === 0))
    return { ...base, unowned: "NoUsableEndpoint" };
  const hasEndpoint = (name: string): boolean =>
    sharing.some(({ usableNodes }) => usableNodes[family].has(name));
  const candidates = isLocal ? localCandidates(place, hasEndpoint) : place.candidates;
  if (candidates.length === 0) return { ...base, unowned: "NoCandidate" };
  if (place.isAdvertised) {
    const isAdvertised = candidates.includes(node);
    const localPods = sharing.reduce((sum, { usableNodes }) => sum + (usableNodes[family].get(node) ?? 0), 0);
    return { ...base, candidates, isAdvertised, ...(isLocal && isAdvertised && { localPods }) };
  }
  const owner = of.owner(candidates);
  if (owner === undefined) return { ...base, unowned: "NoCandidate" };
  return { ...base, candidates, owner, links: owner === node ? place.links : NONE };
}

/** A node that goes away attracts what only its own pods can serve. */
function localCandidates(
  { candidates, reserve }: Place,
  hasEndpoint: (name: string) => boolean,
): readonly string[] {
  const local = candidates.filter(hasEndpoint);
  return local.length > 0 ? local : reserve.filter(hasEndpoint);
}

function isSamePlan(a: AddressPlan, b: AddressPlan): boolean {
  return (
    a.owner === b.owner &&
    a.unowned === b.unowned &&
    a.pool === b.pool &&
    a.isAdvertised === b.isAdvertised &&
    a.localPods === b.localPods &&
    sameItems(a.links, b.links) &&
    sameItems(a.services, b.services) &&
    sameItems(a.candidates, b.candidates)
  );
}
