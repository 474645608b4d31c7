import { type BgpPlanInput, planBgp } from "#speaker/bgp/plan.ts";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { Password } from "#speaker/known/password.ts";
import type { AdvertisementView, PeerView, PoolView } from "#speaker/known/view.ts";
import { normalise, type Route } from "./route.ts";
import { mainAddress, numberOf, type RouterKind, type Session } from "./session.ts";

export const FEATURES = ["gracefulRestart", "communities", "aggregation", "localPref"] as const;
export type Feature = (typeof FEATURES)[number];

/** What cannot be seen at a router, and why: these cells are not expected. */
export const EXCLUDED: readonly {
  readonly router: RouterKind;
  readonly feature: Feature;
  readonly reason: string;
}[] = [
  { router: "exabgp", feature: "gracefulRestart", reason: "it keeps no table, so nothing could be kept" },
];

export const isExcluded = (router: RouterKind, feature: Feature): boolean =>
  EXCLUDED.some((one) => one.router === router && one.feature === feature);

const LOCAL_PREF = 250;
const DEFAULT_LOCAL_PREF = 100;
const COMMUNITIES = ["65010:77", "65535:65281"];
const LARGE_COMMUNITIES: readonly [number, number, number][] = [
  [4_200_000_100, 1, 2],
  [64_512, 0, 4_294_967_295],
];
/** The two addresses below one aggregate, and the aggregate. */
const AGGREGATION = { IPv4: 26, IPv6: 64 } as const;
const WHOLE = { IPv4: 32, IPv6: 128 } as const;

interface Announced {
  readonly feature: "plain" | Exclude<Feature, "gracefulRestart">;
  readonly addresses: readonly string[];
  readonly prefix: string;
  readonly advertisement: Partial<AdvertisementView>;
  readonly expected: Pick<Route, "communities" | "largeCommunities"> & { readonly localPref: number };
}

/** A /24 or /48 of each session's own, so that routers have no choice between sessions. */
function networkOf({ router, number, family }: Session): {
  host: (last: number) => string;
  aggregated: string[];
  aggregate: string;
} {
  const own = numberOf(router) * 16 + number;
  if (family === "IPv4") {
    return {
      host: (last) => `198.18.${own}.${last}`,
      aggregated: [`198.18.${own}.65`, `198.18.${own}.127`],
      aggregate: `198.18.${own}.64/26`,
    };
  }
  return {
    host: (last) => `2001:db8:${own}::${last}`,
    aggregated: [`2001:db8:${own}:1::1`, `2001:db8:${own}:1:ffff::2`],
    aggregate: `2001:db8:${own}:1::/64`,
  };
}

function announcedOf(session: Session): Announced[] {
  const { host, aggregated, aggregate } = networkOf(session);
  const width = WHOLE[session.family];
  const none = { communities: [], largeCommunities: [], localPref: DEFAULT_LOCAL_PREF };
  const single = (last: number) => ({ addresses: [host(last)], prefix: `${host(last)}/${width}` });
  return [
    { feature: "plain", ...single(1), advertisement: {}, expected: none },
    {
      feature: "communities",
      ...single(2),
      advertisement: { communities: COMMUNITIES.map(community), largeCommunities: LARGE_COMMUNITIES },
      expected: {
        ...none,
        communities: COMMUNITIES,
        largeCommunities: LARGE_COMMUNITIES.map((parts) => parts.join(":")),
      },
    },
    {
      feature: "localPref",
      ...single(3),
      advertisement: { localPref: LOCAL_PREF },
      expected: { ...none, localPref: LOCAL_PREF },
    },
    {
      feature: "aggregation",
      addresses: aggregated,
      prefix: aggregate,
      advertisement: { aggregation: { ...WHOLE, ...AGGREGATION } },
      expected: none,
    },
  ];
}

function community(text: string): number {
  const [high = 0, low = 0] = text.split(":").map(Number);
  return high * 65_536 + low;
}

/** What the router must show for a feature's addresses (or those of none). */
export function expectedRoutes(session: Session, feature: Announced["feature"]): Route[] {
  const isInternal = session.relation === "iBGP";
  return announcedOf(session)
    .filter((one) => one.feature === feature)
    .map(({ prefix, expected: { localPref, ...rest } }) =>
      normalise({
        prefix,
        nextHop: session.device.address,
        asPath: isInternal ? [] : [session.device.asn],
        localPref: isInternal ? localPref : undefined,
        ...rest,
      }),
    );
}

export const allExpected = (session: Session): Route[] =>
  sorted(
    (["plain", "communities", "localPref", "aggregation"] as const).flatMap((one) =>
      expectedRoutes(session, one),
    ),
  );

export const sorted = (routes: readonly Route[]): Route[] =>
  [...routes].sort((a, b) => (a.prefix < b.prefix ? -1 : 1));

export function peerView(session: Session): PeerView {
  return {
    name: session.name,
    address: session.peer.address,
    port: 179,
    localAsn: session.device.asn,
    peerAsn: session.peer.asn,
    routerId: mainAddress.IPv4(0),
    holdTimeMs: 9_000,
    connectTimeMs: 2_000,
    sourceAddress: session.device.address,
    nodeSelectors: [],
    isMultihop: session.transport === "multihop",
    gracefulRestart: true,
    isDualStack: false,
    ...(session.password !== undefined && { password: new Password(session.password) }),
  };
}

const NODE: BgpPlanInput["node"] = {
  name: "device",
  labels: {},
  addresses: { IPv4: mainAddress.IPv4(0), IPv6: mainAddress.IPv6(0) },
  own: [],
};

const EMPTY: BgpPlanInput = {
  node: NODE,
  addresses: [],
  labelsOf: () => undefined,
  pools: new Map(),
  peers: [],
  profiles: new Map(),
  password: () => undefined,
};

/** Sessions with nothing to announce yet. */
export function planOf(peers: readonly PeerView[]): ReadonlyMap<string, WantedSession> {
  return planBgp({ ...EMPTY, peers }).sessions;
}

/** What a speaker plans for these sessions, by the speaker's own planner. */
export function wantedOf(sessions: readonly Session[]): ReadonlyMap<string, WantedSession> {
  const pools = new Map<string, PoolView>();
  const addresses: BgpPlanInput["addresses"][number][] = [];
  for (const session of sessions) {
    for (const { feature, addresses: vips, advertisement } of announcedOf(session)) {
      const name = `${session.name}-${feature}`;
      const own: AdvertisementView = {
        aggregation: WHOLE,
        communities: [],
        largeCommunities: [],
        nodeSelectors: [],
        serviceSelectors: [],
        ...advertisement,
        peers: [session.name],
      };
      pools.set(name, {
        name,
        addresses: [],
        protocol: "bgp",
        nodeSelectors: [],
        interfaces: [],
        advertisements: [own],
      });
      addresses.push(...vips.map((vip) => ({ vip, pool: name, services: [] })));
    }
  }
  const peers = sessions.map(peerView);
  return planBgp({ ...EMPTY, addresses, pools, peers }).sessions;
}
