/**
 * What this node tells which peer: addresses that it advertises, pools' advertisements and peers -> sessions with their
 * prefixes. Pure. Equal inputs give equal outputs, so that the Adj-RIB-Out finds nothing to send.
 */
import { FAMILIES, type Family, familyOf, WIDTH } from "#api/address.ts";
import { selectsAny } from "#common/kube/selector.ts";
import type { BfdPeer } from "#speaker/bfd/types.ts";
import type { Pools } from "#speaker/known/pools.ts";
import { attempt, type Unusable } from "#speaker/known/usable.ts";
import type { AdvertisementView, NodeView, PeerView, ProfileView } from "#speaker/known/view.ts";
import type { Password } from "../known/password.ts";
import { canonicalAddress } from "./address.ts";
import { type AdvertisedAddress, Advertisements, type LabelsOf } from "./advertisements.ts";
import { asGoing } from "./shutdown.ts";
import type { Advertisement, ChosenNextHops, PeerSettings, WantedSession } from "./types.ts";

export interface BgpPlanInput {
  readonly node: NodeView;
  readonly addresses: readonly AdvertisedAddress[];
  readonly labelsOf: LabelsOf;
  readonly pools: Pick<Pools, "get">;
  readonly peers: readonly PeerView[];
  readonly profiles: ReadonlyMap<string, ProfileView>;
  /** Of a Secret; undefined where there is none. */
  readonly password: (secret: string) => Password | undefined;
}

/** A session that this node should hold and cannot try. */
export interface Withheld {
  readonly peer: string;
  readonly reason: "SecretMissing" | "ProfileMissing" | "NoRouterId" | "RouterTaken" | "Unusable";
  readonly message: string;
}

export interface BgpPlan {
  /** By name of the BGPPeer. */
  readonly sessions: ReadonlyMap<string, WantedSession>;
  /** Of sessions with a profile; the key is the BGPPeer's name. */
  readonly bfd: readonly BfdPeer[];
  readonly withheld: readonly Withheld[];
}

/** What is used where the BGPPeer says nothing; the hold time is the one that RFC 4271 section 10 suggests. */
const HOLD_TIME_MS = 90_000;
/** Section 10 suggests 120 s. A router that comes back shall not wait for us so long: Services wait with it. */
const CONNECT_TIME_MS = 10_000;
/** Of routers of a range. */
const SESSIONS = 16;

export function planBgp(input: BgpPlanInput): BgpPlan {
  const sessions = new Map<string, WantedSession>();
  const bfd: BfdPeer[] = [];
  const withheld: Withheld[] = [];
  const advertisements = new Advertisements(input.addresses, input.labelsOf);
  const peers = input.peers.filter(({ nodeSelectors }) => selectsAny(nodeSelectors, input.node.labels));
  const routers = new Routers();
  for (const peer of [...peers].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const obstacle = routers.take(peer) ?? obstacleOf(peer, input);
    if (obstacle !== undefined) {
      withheld.push(obstacle);
      continue;
    }
    const profile = peer.bfdProfile === undefined ? undefined : input.profiles.get(peer.bfdProfile);
    const unusable: Unusable[] = [];
    const planned = attempt(unusable, peer.name, () => ({
      settings: settingsOf(peer, input),
      advertisements: told(
        advertisements.to(familiesOf(peer), (pool) => advertisementsOf(pool, peer, input)),
        input.node,
      ),
      bfd: profile === undefined ? [] : [bfdPeerOf(peer, profile)],
    }));
    withheld.push(
      ...unusable.map(({ why }): Withheld => ({ peer: peer.name, reason: "Unusable", message: why })),
    );
    if (planned === undefined) continue;
    sessions.set(peer.name, { settings: planned.settings, advertisements: planned.advertisements });
    bfd.push(...planned.bfd);
  }
  return { sessions, bfd, withheld };
}

/**
 * Of BGPPeers that mean one router on this node, the first by name has the session: two would end each other's. Admission
 * sees it only where selectors surely meet.
 */
class Routers {
  /** Where routers are -> the BGPPeer. */
  readonly #taken = new Map<string, string>();

  take({ name, address, link, gateway, range, vrf }: PeerView): Withheld | undefined {
    const one = gateway ?? range ?? (address === undefined ? "" : canonicalAddress(address));
    const place = [one, link ?? "", vrf ?? ""].join("%");
    const other = this.#taken.get(place);
    if (other === undefined) this.#taken.set(place, name);
    else {
      const where = address ?? (gateway === undefined ? range : `of the ${gateway} default route`);
      return {
        peer: name,
        reason: "RouterTaken",
        message: `the router ${where ?? `on link ${link ?? ""}`} is that of BGPPeer ${other} on this node: nodeSelectors of the two must not meet`,
      };
    }
  }
}

const GOING = new WeakMap<readonly Advertisement[], readonly Advertisement[]>();

/**
 * A node that goes says so first (RFC 8326): routers prefer what other nodes advertise, and keep to this one where there
 * is no other.
 */
function told(advertisements: readonly Advertisement[], { departure }: NodeView): readonly Advertisement[] {
  if (departure === undefined) return advertisements;
  const going = GOING.get(advertisements) ?? asGoing(advertisements);
  GOING.set(advertisements, going);
  return going;
}

function obstacleOf(peer: PeerView, input: BgpPlanInput): Withheld | undefined {
  const { passwordSecret, bfdProfile, routerId } = peer;
  if (passwordSecret !== undefined && input.password(passwordSecret) === undefined) {
    const message = `Secret ${passwordSecret}: not there, not of type kubernetes.io/basic-auth, or without a password`;
    return { peer: peer.name, reason: "SecretMissing", message };
  }
  if (bfdProfile !== undefined && !input.profiles.has(bfdProfile)) {
    return { peer: peer.name, reason: "ProfileMissing", message: `BFDProfile ${bfdProfile} is not there` };
  }
  if (routerId === undefined && input.node.addresses.IPv4 === undefined) {
    const message = "a node without an IPv4 address needs spec.routerID";
    return { peer: peer.name, reason: "NoRouterId", message };
  }
  return undefined;
}

function settingsOf(peer: PeerView, input: BgpPlanInput): PeerSettings {
  const { IPv4, IPv6 } = input.node.addresses;
  const password = peer.passwordSecret === undefined ? peer.password : input.password(peer.passwordSecret);
  return {
    name: peer.name,
    port: peer.port,
    localAsn: peer.localAsn,
    peerAsn: peer.peerAsn,
    routerId: peer.routerId ?? IPv4 ?? "",
    holdTimeMs: peer.holdTimeMs ?? HOLD_TIME_MS,
    connectTimeMs: peer.connectTimeMs ?? CONNECT_TIME_MS,
    ttl: ttlOf(peer),
    gracefulRestart: peer.gracefulRestart,
    families: familiesOf(peer),
    // The node's InternalIPs are in the main routing table, where a router of a VRF does not find them.
    nextHops:
      peer.vrf === undefined
        ? { ...(IPv4 === undefined ? {} : { IPv4 }), ...(IPv6 === undefined ? {} : { IPv6 }) }
        : {},
    ...(peer.address === undefined ? {} : { address: canonicalAddress(peer.address) }),
    ...(peer.link === undefined ? {} : { link: peer.link }),
    ...(peer.gateway === undefined ? {} : { gateway: peer.gateway }),
    ...(peer.range === undefined
      ? {}
      : { range: peer.range, maximumSessions: peer.maximumSessions ?? SESSIONS }),
    ...(peer.vrf === undefined ? {} : { vrf: peer.vrf }),
    ...(peer.restartTimeMs === undefined ? {} : { restartTimeMs: peer.restartTimeMs }),
    ...(peer.maximumPrefixes === undefined ? {} : { maximumPrefixes: peer.maximumPrefixes }),
    ...(peer.role === undefined ? {} : { role: peer.role }),
    ...(peer.keepaliveTimeMs === undefined ? {} : { keepaliveTimeMs: peer.keepaliveTimeMs }),
    ...(peer.sourceAddress === undefined ? {} : { sourceAddress: canonicalAddress(peer.sourceAddress) }),
    ...(peer.nextHop === undefined ? {} : { chosenNextHops: chosenNextHops(peer.nextHop, input.node) }),
    ...(password === undefined ? {} : { password }),
    ...(peer.tcpAo === undefined ? {} : { tcpAo: peer.tcpAo }),
  };
}

function chosenNextHops(nextHop: NonNullable<PeerView["nextHop"]>, { addresses }: NodeView): ChosenNextHops {
  const chosen = FAMILIES.flatMap((family): [Family, string | null][] => {
    const choice = nextHop[family];
    if (choice === undefined) return [];
    const address = choice === "InternalIP" ? addresses[family] : choice.address;
    return [[family, address === undefined ? null : canonicalAddress(address)]];
  });
  return Object.fromEntries(chosen);
}

/** iBGP may cross routers, eBGP does not unless it is told so (RFC 4271 section 5.1.3 keeps next hops one hop away). */
function ttlOf(peer: PeerView): PeerSettings["ttl"] {
  if (peer.ttlSecurityHops !== undefined) return { kind: "gtsm", hops: peer.ttlSecurityHops };
  const isInternal = peer.peerAsn === "internal" || peer.peerAsn === peer.localAsn;
  return isInternal || peer.isMultihop ? { kind: "multihop" } : { kind: "direct" };
}

function familiesOf(peer: PeerView): readonly Family[] {
  if (peer.isDualStack) return FAMILIES;
  if (peer.address !== undefined) return [familyOf(canonicalAddress(peer.address))];
  if (peer.range !== undefined) return [familyOf(peer.range)];
  return peer.gateway === undefined ? FAMILIES : [peer.gateway];
}

/** iBGP and GTSM over several hops leave open whether a router lies between; BFD's two kinds do not meet. */
function distanceOf(peer: PeerView): BfdPeer["multihop"] {
  if (peer.bfdMultihop !== undefined) return peer.bfdMultihop;
  if (peer.isMultihop) return true;
  const ttl = ttlOf(peer);
  const mayBeFar = ttl.kind === "multihop" || (ttl.kind === "gtsm" && ttl.hops > 1);
  return mayBeFar ? "unlessConnected" : false;
}

function bfdPeerOf(peer: PeerView, profile: ProfileView): BfdPeer {
  const { name: _, ...timers } = profile;
  return {
    key: peer.name,
    address: canonicalAddress(peer.address ?? ""),
    multihop: distanceOf(peer),
    profile: timers,
    ...(peer.link === undefined ? {} : { link: peer.link }),
    ...(peer.sourceAddress === undefined ? {} : { sourceAddress: peer.sourceAddress }),
  };
}

const PLAIN: AdvertisementView = {
  aggregation: WIDTH,
  communities: [],
  largeCommunities: [],
  peers: [],
  nodeSelectors: [],
  serviceSelectors: [],
};

function advertisementsOf(
  poolName: string,
  peer: PeerView,
  input: BgpPlanInput,
): readonly AdvertisementView[] {
  const all = input.pools.get(poolName)?.advertisements ?? [];
  if (all.length === 0) return [PLAIN];
  return all.filter(
    ({ peers, nodeSelectors }) =>
      (peers.length === 0 || peers.includes(peer.name)) && selectsAny(nodeSelectors, input.node.labels),
  );
}
