/**
 * One node: what its speaker is to do by the plan that all speakers work out alike, beside what it reports that it does; and
 * what a drain of it would move. Pure.
 */
import { addressesOf, type OwnerRow } from "#cli/list/owners.ts";
import { bgpSessionsOf } from "#cli/list/sessions.ts";
import { advertisedBy } from "#cli/prefixes.ts";
import type { World, WorldSnapshot } from "#cli/world.ts";

export interface PlannedAddress {
  readonly address: string;
  readonly services: readonly string[];
  readonly protocol: string;
  /** By the plan this node attracts it. */
  readonly isPlanned: boolean;
  /** It reports that it answers for it; absent where nodes do not report that: of BGP, and past a thousand addresses. */
  readonly isReported?: boolean;
  readonly differs: boolean;
}

export interface PlannedPeer {
  readonly peer: string;
  readonly state: string;
  readonly isUp: boolean;
  /** Prefixes that the peer is to hear, and those that it was told. */
  readonly planned: number;
  readonly advertised: number;
}

export interface Drained {
  /** Addresses of layer 2 and where each goes; undefined: no other node may have it. */
  readonly moves: readonly { readonly address: string; readonly to?: string }[];
  /** More than are shown. */
  readonly movesLeftOut: number;
  /** What routers hear no more from this node: a number of prefixes each. */
  readonly withdrawn: readonly { readonly peer: string; readonly prefixes: number }[];
  /** Pods of this node that get connections now. */
  readonly pods: number;
}

/** All addresses of ours, as speakers plan them. */
export type Plans = ReturnType<typeof addressesOf>;

export interface NodeParts {
  readonly world: World;
  readonly plans: Plans;
  readonly owners: readonly OwnerRow[];
  readonly snapshot: Pick<WorldSnapshot, "speakers" | "leases" | "at" | "namespace">;
}

/** Every speaker reports so many addresses at most (speaker/report/status.ts). */
const MAX_REPORTED = 1_000;
const MOST_MOVES = 100;

/** What differs comes first. */
export function plannedAddresses(
  node: string,
  { world, owners, snapshot }: NodeParts,
): readonly PlannedAddress[] {
  const status = world.speakers.live.includes(node)
    ? snapshot.speakers.find(({ metadata }) => metadata.name === node)?.status
    : undefined;
  const reported = new Map((status?.addresses ?? []).map((one) => [one.address, one.service]));
  const isCut = (status?.ownedCount ?? 0) > MAX_REPORTED;
  const planned = owners
    .filter(({ nodes, unowned }) => unowned === undefined && nodes.includes(node))
    .map(({ address, services, protocol }): PlannedAddress => {
      const isReported = reported.has(address);
      const isSaid = protocol !== "bgp" && (isReported || !isCut);
      const differs = isSaid && !isReported;
      return { address, services, protocol, isPlanned: true, ...(isSaid && { isReported }), differs };
    });
  const known = new Set(planned.map(({ address }) => address));
  const others = [...reported]
    .filter(([address]) => !known.has(address))
    .map(
      ([address, service]): PlannedAddress => ({
        ...{ address, services: service === undefined ? [] : [service], protocol: "layer2" },
        ...{ isPlanned: false, isReported: true, differs: true },
      }),
    );
  const all = [...others, ...planned];
  return [...all.filter(({ differs }) => differs), ...all.filter(({ differs }) => !differs)];
}

export function plannedPeers(node: string, parts: NodeParts): readonly PlannedPeer[] {
  const planned = new Map(
    prefixesOf(node, parts.world, parts.plans).map((told) => [told.peer, told.prefixes]),
  );
  const sessions = bgpSessionsOf(parts.snapshot).filter((session) => session.node === node);
  return sessions.map(({ peer, state, advertised = 0, isSpeakerSilent }) => ({
    ...{ peer, state, advertised },
    isUp: state === "Established" && !isSpeakerSilent,
    planned: planned.get(peer)?.length ?? 0,
  }));
}

function prefixesOf(node: string, world: World, plans: Plans) {
  return advertisedBy(
    world,
    node,
    plans.filter(({ pool }) => world.pools.get(pool)?.protocol === "bgp"),
  );
}

/** As if the node's pods were gone and its speaker had said goodbye: what `genkan plan --drain` says of its addresses. */
export function drainOf(node: string, { world, plans, owners }: NodeParts): Drained {
  const after = new Map(addressesOf(without(world, node)).map(({ vip, owner }) => [vip, owner]));
  const moves = owners
    .filter(
      ({ protocol, nodes, unowned }) => protocol === "layer2" && unowned === undefined && nodes[0] === node,
    )
    .map(({ address }) => ({ address, to: after.get(address) }))
    // Where nobody may have it is what somebody has to know.
    .sort((a, b) => Number(a.to !== undefined) - Number(b.to !== undefined))
    .map(({ address, to }) => ({ address, ...(to !== undefined && { to }) }));
  let pods = 0;
  for (const slices of world.slices.values())
    for (const { endpoints } of slices)
      for (const endpoint of endpoints) if (endpoint.node === node && endpoint.isReady) pods += 1;
  return {
    moves: moves.slice(0, MOST_MOVES),
    movesLeftOut: Math.max(0, moves.length - MOST_MOVES),
    withdrawn: prefixesOf(node, world, plans).map(({ peer, prefixes }) => ({
      peer,
      prefixes: prefixes.length,
    })),
    pods,
  };
}

function without(world: World, node: string): World {
  const { speakers, states, slices, reporters } = world;
  const isOther = (name: string): boolean => name !== node;
  return {
    ...world,
    speakers: {
      ...speakers,
      live: speakers.live.filter(isOther),
      dead: speakers.dead.filter(isOther),
    },
    states: new Map([...states].filter(([name]) => isOther(name))),
    reporters: new Map([...reporters].map(([vip, nodes]) => [vip, nodes.filter(isOther)])),
    slices: new Map(
      [...slices].map(([service, list]) => [
        service,
        list.map((slice) => ({
          ...slice,
          endpoints: slice.endpoints.filter((endpoint) => endpoint.node !== node),
        })),
      ]),
    ),
  };
}
