/** Which prefixes a node's speaker advertises to which peer, by its own planner (speaker/bgp/plan.ts). Pure. */
import type { World } from "#cli/world.ts";
import { planBgp } from "#speaker/bgp/plan.ts";
import { Password } from "#speaker/known/password.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";

/** Secrets are not read here. A session without one is withheld: its state says so, and not what would be told. */
const SOME_PASSWORD = new Password("unknown");

export interface Told {
  readonly peer: string;
  /** Sorted. */
  readonly prefixes: readonly string[];
}

/** To peers that hear nothing of these addresses nothing is told: they are left out. */
export function advertisedBy(world: World, node: string, addresses: readonly AddressPlan[]): readonly Told[] {
  const own = world.nodes.get(node);
  if (own === undefined) return [];
  const { sessions } = planBgp({
    node: own,
    addresses: addresses.filter(({ candidates }) => candidates.includes(node)),
    labelsOf: (service) => world.services.get(service)?.labels,
    pools: world.pools,
    peers: world.peers,
    profiles: world.profiles,
    password: () => SOME_PASSWORD,
  });
  return [...sessions]
    .map(([peer, { advertisements }]) => ({
      peer,
      prefixes: advertisements.map(({ prefix }) => prefix).sort(),
    }))
    .filter(({ prefixes }) => prefixes.length > 0);
}
