/** BGPPeers, BFDProfiles, advertisements and password Secrets as the API server sends them -> what plans use. Pure. */
import { type LargeCommunity, parseCommunity } from "#api/community.ts";
import { parseDuration } from "#api/duration.ts";
import { DEFAULT_BFD_INTERVAL_MS } from "#api/names.ts";
import type { AddressPool, BFDProfile, BGPPeer, Secret } from "#common/kube/resource.ts";
import type { AdvertisementView, PeerView, ProfileView } from "./view.ts";

type RawAdvertisement = NonNullable<AddressPool["spec"]["bgpAdvertisements"]>[number];

export function projectAdvertisement(raw: RawAdvertisement): AdvertisementView {
  const standard = new Set<number>();
  const large = new Map<string, LargeCommunity>();
  for (const text of raw.communities ?? []) {
    const community = parseCommunity(text);
    if (community?.kind === "standard") standard.add(community.value);
    if (community?.kind === "large") large.set(community.value.join(), community.value);
  }
  return {
    aggregation: { IPv4: raw.aggregationLength ?? 32, IPv6: raw.aggregationLengthV6 ?? 128 },
    ...(raw.localPref === undefined ? {} : { localPref: raw.localPref }),
    communities: [...standard],
    largeCommunities: [...large.values()],
    peers: raw.peers ?? [],
    nodeSelectors: raw.nodeSelectors ?? [],
  };
}

export function projectPeer({ metadata, spec }: BGPPeer): PeerView {
  return {
    name: metadata.name,
    port: spec.peerPort ?? 179,
    localAsn: spec.localASN ?? spec.myASN,
    peerAsn: spec.peerASN ?? spec.dynamicASN ?? "external",
    nodeSelectors: spec.nodeSelectors ?? [],
    isMultihop: spec.ebgpMultiHop ?? false,
    gracefulRestart: spec.enableGracefulRestart ?? false,
    isDualStack: spec.dualStackAddressFamily ?? false,
    ...present({
      address: spec.peerAddress,
      link: spec.interface,
      routerId: spec.routerID,
      holdTimeMs: positive(spec.holdTime),
      keepaliveTimeMs: positive(spec.keepaliveTime),
      connectTimeMs: positive(spec.connectTime),
      sourceAddress: spec.sourceAddress,
      password: spec.password === "" ? undefined : spec.password,
      passwordSecret: spec.passwordSecret?.name,
      ttlSecurityHops: spec.ttlSecurityHops,
      bfdProfile: spec.bfdProfile === "" ? undefined : spec.bfdProfile,
    }),
  };
}

export function projectProfile({ metadata, spec }: BFDProfile): ProfileView {
  return {
    name: metadata.name,
    receiveIntervalMs: spec.receiveInterval ?? DEFAULT_BFD_INTERVAL_MS,
    transmitIntervalMs: spec.transmitInterval ?? DEFAULT_BFD_INTERVAL_MS,
    detectMultiplier: spec.detectMultiplier ?? 3,
    echoMode: spec.echoMode ?? false,
    echoIntervalMs: spec.echoInterval ?? 50,
    passive: spec.passiveMode ?? false,
    ...present({ minimumTtl: spec.minimumTtl }),
  };
}

/** The password of a Secret of type kubernetes.io/basic-auth; undefined where it has none. */
export function projectPassword({ data }: Secret): string | undefined {
  const encoded = data?.password;
  if (encoded === undefined) return undefined;
  const password = Buffer.from(encoded, "base64").toString("utf8");
  return password === "" ? undefined : password;
}

/** Zero, which old manifests have for "unset", is undefined. */
function positive(text: string | undefined): number | undefined {
  const milliseconds = text === undefined ? undefined : parseDuration(text);
  return milliseconds === undefined || milliseconds === 0 ? undefined : milliseconds;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
