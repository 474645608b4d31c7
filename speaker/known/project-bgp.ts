/** BGPPeers, BFDProfiles, advertisements and password Secrets as the API server sends them -> what plans use. Pure. */
import { AddressError, type Family, formatPrefix, parsePrefix } from "#api/address.ts";
import { type LargeCommunity, parseCommunity } from "#api/community.ts";
import { parseDuration } from "#api/duration.ts";
import { DEFAULT_BFD_INTERVAL_MS } from "#api/names.ts";
import { ROLES } from "#api/role.ts";
import { AO_ALGORITHMS, type TcpAo } from "#api/tcp-ao.ts";
import { LONGEST_PASSWORD } from "#api/v1beta1/admission/bgppeer.ts";
import { canBeNextHop } from "#api/v1beta1/admission/peer-next-hop.ts";
import type { BFDProfile, BGPPeer, Secret } from "#common/kube/resource.ts";
import { Password } from "./password.ts";
import {
  address,
  fields,
  flag,
  integer,
  list,
  optional,
  port,
  type Reader,
  selector,
  text,
  UnusableError,
  word,
} from "./usable.ts";
import type { AdvertisementView, NextHopChoice, PeerView, ProfileView } from "./view.ts";

const MAX_32 = 0xffff_ffff;
const asn = integer(1, MAX_32);
const no = optional(flag, false);
/** The schema's limit: networks refuse long paths. */
const MAX_PREPEND = 16;
/** The most prefixes that a speaker can be asked to count one by one. */
const MAX_PREFIXES = 100_000;
/** The most routers that may connect by one BGPPeer. */
const MAX_SESSIONS = 64;
/** This is longer than any interval of the schema and shorter than any timer's limit. */
const interval = integer(1, 3_600_000);

/** An entry of a pool's bgpAdvertisements. */
export const projectAdvertisement: Reader<AdvertisementView> = (value, field) => {
  const read = fields(value, field);
  const standard = new Set<number>();
  const large = new Map<string, LargeCommunity>();
  for (const one of optional(list(text), [])(read.communities, `${field}.communities`)) {
    const community = parseCommunity(one);
    if (community?.kind === "standard") standard.add(community.value);
    if (community?.kind === "large") large.set(community.value.join(), community.value);
  }
  const length = (name: string, width: number): number =>
    optional(integer(0, width), width)(read[name], `${field}.${name}`);
  return {
    aggregation: { IPv4: length("aggregationLength", 32), IPv6: length("aggregationLengthV6", 128) },
    ...present({
      localPref: optional(integer(0, MAX_32))(read.localPref, `${field}.localPref`),
      prepend: optional(integer(0, MAX_PREPEND))(read.asPathPrepend, `${field}.asPathPrepend`),
      med: optional(integer(0, MAX_32))(read.med, `${field}.med`),
    }),
    ...(optional(text)(read.weighting, `${field}.weighting`) === "LocalPods" && {
      weighsPods: true as const,
    }),
    communities: [...standard],
    largeCommunities: [...large.values()],
    peers: optional(list(text), [])(read.peers, `${field}.peers`),
    nodeSelectors: optional(list(selector), [])(read.nodeSelectors, `${field}.nodeSelectors`),
    serviceSelectors: optional(list(selector), [])(read.serviceSelectors, `${field}.serviceSelectors`),
  };
};

export function projectPeer({ metadata, spec }: BGPPeer): PeerView {
  const given = fields(spec, "spec");
  const read = <T>(reader: Reader<T>, name: keyof BGPPeer["spec"]): T => reader(given[name], `spec.${name}`);
  const secret = optional(fields, {})(given.passwordSecret, "spec.passwordSecret").name;
  return {
    name: text(metadata.name, "metadata.name"),
    port: read(optional(port, 179), "peerPort"),
    localAsn: read(optional(asn), "localASN") ?? read(asn, "myASN"),
    peerAsn:
      read(optional(asn), "peerASN") ??
      read(optional(word("internal", "external"), "external"), "dynamicASN"),
    nodeSelectors: read(optional(list(selector), []), "nodeSelectors"),
    isMultihop: read(no, "ebgpMultiHop"),
    gracefulRestart: read(no, "enableGracefulRestart"),
    isDualStack: read(no, "dualStackAddressFamily"),
    ...present({
      address: read(optional(address()), "peerAddress"),
      link: read(optional(text), "interface"),
      gateway: read(optional(word("IPv4", "IPv6")), "defaultGateway"),
      range: read(optional(prefix), "listenRange"),
      maximumSessions: read(optional(integer(1, MAX_SESSIONS)), "maximumSessions"),
      vrf: read(optional(text), "vrf"),
      routerId: read(optional(address("IPv4")), "routerID"),
      holdTimeMs: read(duration, "holdTime"),
      keepaliveTimeMs: read(duration, "keepaliveTime"),
      connectTimeMs: read(duration, "connectTime"),
      restartTimeMs: read(duration, "gracefulRestartTime"),
      maximumPrefixes: read(optional(integer(1, MAX_PREFIXES)), "maximumPrefixes"),
      sourceAddress: read(optional(address()), "sourceAddress"),
      nextHop: nextHopOf({
        IPv4: read(nextHop("IPv4"), "nextHop"),
        IPv6: read(nextHop("IPv6"), "nextHopV6"),
      }),
      password: passwordOf(read(optional(secretText), "password") ?? ""),
      passwordSecret: optional(text)(secret, "spec.passwordSecret.name"),
      tcpAo: read(optional(tcpAo), "tcpAO"),
      ttlSecurityHops: read(optional(integer(1, 254)), "ttlSecurityHops"),
      bfdProfile: read(optional(text), "bfdProfile") || undefined,
      role: read(optional(word(...ROLES)), "role"),
      bfdMultihop: read(optional(flag), "bfdMultiHop"),
    }),
  };
}

export function projectProfile({ metadata, spec }: BFDProfile): ProfileView {
  const given = fields(spec, "spec");
  const read = <T>(reader: Reader<T>, name: keyof BFDProfile["spec"]): T =>
    reader(given[name], `spec.${name}`);
  return {
    name: text(metadata.name, "metadata.name"),
    receiveIntervalMs: read(optional(interval, DEFAULT_BFD_INTERVAL_MS), "receiveInterval"),
    transmitIntervalMs: read(optional(interval, DEFAULT_BFD_INTERVAL_MS), "transmitInterval"),
    detectMultiplier: read(optional(integer(1, 255), 3), "detectMultiplier"),
    echoMode: read(no, "echoMode"),
    echoIntervalMs: read(optional(interval, 50), "echoInterval"),
    passive: read(no, "passiveMode"),
    ...present({ minimumTtl: read(optional(integer(1, 254)), "minimumTtl") }),
  };
}

const tcpAo: Reader<TcpAo> = (value, field) => {
  const read = fields(value, field);
  return {
    sendId: integer(0, 255)(read.sendID, `${field}.sendID`),
    receiveId: integer(0, 255)(read.receiveID, `${field}.receiveID`),
    algorithm: optional(word(...AO_ALGORITHMS), "HMAC-SHA-1-96")(read.algorithm, `${field}.algorithm`),
  };
};

const nextHop =
  (family: Family): Reader<NextHopChoice | undefined> =>
  (value, field) => {
    if (value === undefined || value === null || value === "self") return undefined;
    if (value === "InternalIP") return value;
    const text = address(family)(value, field);
    if (canBeNextHop(text)) return { address: text };
    throw new UnusableError(field, value, "an address that routers send to");
  };

function nextHopOf(chosen: Readonly<Record<Family, NextHopChoice | undefined>>): PeerView["nextHop"] {
  const given = present(chosen);
  return Object.keys(given).length === 0 ? undefined : given;
}

/** In one spelling, without host bits. */
const prefix: Reader<string> = (value, field) => {
  try {
    return formatPrefix(parsePrefix(text(value, field)));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new UnusableError(field, value, "a prefix such as 10.0.0.0/24");
  }
};

/** A password is never part of an error's words. */
export const secretText: Reader<string> = (value, field) => {
  if (typeof value === "string" && value.length <= 1_024) return value;
  throw new UnusableError(field, {}, "a text");
};

/** The password of a Secret of type kubernetes.io/basic-auth; undefined where it has none. */
export function projectPassword({ data }: Secret): Password | undefined {
  const encoded = optional(secretText)(optional(fields, {})(data, "data").password, "data.password");
  const password = Buffer.from(encoded ?? "", "base64");
  if (password.length > LONGEST_PASSWORD)
    throw new UnusableError("data.password", {}, `of at most ${LONGEST_PASSWORD} octets`);
  return passwordOf(password.toString("utf8"));
}

/** An empty password means none: old manifests write it so. */
const passwordOf = (text: string): Password | undefined => (text === "" ? undefined : new Password(text));

/** Milliseconds. Zero gives undefined, because old manifests write it for "unset". */
const duration: Reader<number | undefined> = (value, field) => {
  if (value === undefined || value === null) return undefined;
  const milliseconds = parseDuration(text(value, field));
  if (milliseconds === undefined) throw new UnusableError(field, value, "a duration such as 90s");
  return milliseconds === 0 ? undefined : milliseconds;
};

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
