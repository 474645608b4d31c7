/** The way from a Service's addresses to its pods, as the console draws it. Pure. */
import type { OwnerRow } from "#cli/list/owners.ts";
import type { World, WorldSnapshot } from "#cli/world.ts";
import type { NodeRates, Traffic } from "#console/traffic.ts";

export interface Way {
  readonly addresses: readonly {
    readonly address: string;
    readonly protocol: string;
    /** That attract it. */
    readonly nodes: readonly string[];
    /** Why none does. */
    readonly unowned?: string;
  }[];
  /** Of nodes that advertise an address. */
  readonly sessions: readonly { readonly node: string; readonly peer: string; readonly isUp: boolean }[];
  readonly pods: readonly { readonly address: string; readonly node: string; readonly isReady: boolean }[];
  /** What comes in for it, node by node. */
  readonly traffic: readonly NodeRates[];
  /** More than a picture has room for. */
  readonly podsLeftOut: number;
}

/** A picture with more than these helps nobody. */
const MOST_PODS = 24;
const MOST_SESSIONS = 48;

export function wayOf(
  service: string,
  world: World,
  {
    owners,
    speakers,
    traffic,
  }: {
    readonly owners: readonly OwnerRow[];
    readonly speakers: WorldSnapshot["speakers"];
    readonly traffic: Traffic;
  },
): Way {
  const own = owners.filter(({ services }) => services.includes(service));
  const advertising = new Set(
    own.filter(({ protocol }) => protocol === "bgp").flatMap(({ nodes, unowned }) => (unowned ? [] : nodes)),
  );
  const pods = new Map(
    (world.slices.get(service) ?? []).flatMap(({ endpoints }) =>
      endpoints.map(({ address, node, isReady }) => [address, { address, node, isReady }] as const),
    ),
  );
  // Who is not ready is what somebody looks for.
  const sorted = [...pods.values()].sort((a, b) => Number(a.isReady) - Number(b.isReady));
  return {
    addresses: own.map(({ address, protocol, nodes, unowned }) => ({
      address,
      protocol,
      nodes: unowned === undefined ? nodes : [],
      ...(unowned !== undefined && { unowned }),
    })),
    sessions: speakers
      .filter(({ metadata }) => advertising.has(metadata.name))
      .flatMap(({ metadata, status }) =>
        (status?.bgpSessions ?? []).map(({ peer, state }) => ({
          node: metadata.name,
          peer,
          isUp: state === "Established",
        })),
      )
      .slice(0, MOST_SESSIONS),
    traffic: traffic.byService.get(service) ?? [],
    pods: sorted.slice(0, MOST_PODS),
    podsLeftOut: Math.max(0, sorted.length - MOST_PODS),
  };
}
