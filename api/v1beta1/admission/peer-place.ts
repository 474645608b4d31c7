/** The rules of BGPPeers that are about where the router is, one function each. */
import {
  type Address,
  AddressError,
  familyOf,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
} from "#api/address.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { groupedBy } from "#api/v1beta1/admission/growing.ts";
import { selectorKey } from "#api/v1beta1/admission/selectors.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { BGPPeer } from "#api/v1beta1/generated/types.ts";

/** fe80::/10: the same one may be on each link. */
const isLinkLocal = (address: Address | undefined): boolean =>
  address?.family === "IPv6" && address.value >> 118n === 0x3fan;

export function oneWayToPeer({ spec }: BGPPeer): Fault[] {
  const needsLink = isLinkLocal(addressOf(spec.peerAddress));
  if (needsLink && spec.interface === undefined) {
    return [
      fault("spec.peerAddress", `${spec.peerAddress} is a link-local address, which needs spec.interface`),
    ];
  }
  const set = WAYS.filter((name) => spec[name] !== undefined);
  const isOnLink = needsLink && set.length === 2 && spec.interface !== undefined;
  const [first, second] = set;
  if (first === undefined) {
    const others = WAYS.slice(1).map((name) => `spec.${name}`);
    const why = `neither it nor ${others.slice(0, -1).join(", ")} or ${others.at(-1)} is set: exactly one of them must be`;
    return [fault("spec.peerAddress", why)];
  }
  if (second === undefined || isOnLink) return [];
  return [
    fault(
      `spec.${second}`,
      `"${spec[second]}" beside spec.${first} ${spec[first]}: exactly one of them must be set`,
    ),
  ];
}

/** What says where the router is. */
const WAYS = ["peerAddress", "interface", "defaultGateway", "listenRange"] as const;

/** The prefix; undefined where there is none, or it is no prefix. */
function listenRangeOf({ spec }: BGPPeer): Prefix | undefined {
  if (spec.listenRange === undefined) return undefined;
  try {
    return parsePrefix(spec.listenRange);
  } catch (error) {
    if (error instanceof AddressError) return undefined;
    throw error;
  }
}

/** Routers have addresses of it: it is none of multicast, and none of links, which say not which link is meant. */
export function rangeIsOfHosts(peer: BGPPeer): Fault[] {
  const { listenRange } = peer.spec;
  if (listenRange === undefined) return [];
  const prefix = listenRangeOf(peer);
  if (prefix === undefined) {
    return [fault("spec.listenRange", `"${listenRange}" is not a prefix such as 10.0.0.0/24`)];
  }
  if (formatPrefix(prefix) !== canonicalPrefix(listenRange)) {
    return [
      fault(
        "spec.listenRange",
        `"${listenRange}" has bits behind its length: ${formatPrefix(prefix)} is meant`,
      ),
    ];
  }
  const first = { family: prefix.family, value: prefix.value };
  const isMulticast = prefix.length > 0 && !isHost({ ...first, value: prefix.value | 1n });
  if (!isMulticast && !isLinkLocal(first)) return [];
  return [fault("spec.listenRange", `"${listenRange}" is not a prefix of hosts' own addresses`)];
}

/** The address as it is written, in one spelling. */
function canonicalPrefix(text: string): string {
  const [address = "", length] = text.split("/");
  const parsed = parseAddress(address);
  return parsed === undefined ? text : `${formatAddress(parsed)}/${length}`;
}

export function onlyWithListenRange({ spec }: BGPPeer): Fault[] {
  const { maximumSessions, listenRange, sourceAddress } = spec;
  const faults: Fault[] = [];
  if (maximumSessions !== undefined && listenRange === undefined)
    faults.push(fault("spec.maximumSessions", `${maximumSessions} needs spec.listenRange`));
  if (sourceAddress !== undefined && listenRange !== undefined) {
    const why = `${sourceAddress} beside spec.listenRange: its routers connect to the nodes`;
    faults.push(fault("spec.sourceAddress", why));
  }
  return faults;
}

/** BFD looks for one router at a known address, in the main routing table. */
export function bfdWhereItIsSpoken({ spec }: BGPPeer): Fault[] {
  const { bfdProfile = "", listenRange, vrf } = spec;
  if (bfdProfile === "" || (listenRange === undefined && vrf === undefined)) return [];
  const beside = listenRange === undefined ? `spec.vrf "${vrf}"` : `spec.listenRange ${listenRange}`;
  return [fault("spec.bfdProfile", `"${bfdProfile}" beside ${beside}: BFD is not spoken there`)];
}

export function vrfIsNotOfGateway({ spec }: BGPPeer): Fault[] {
  const { vrf, defaultGateway } = spec;
  if (vrf === undefined || defaultGateway === undefined) return [];
  const why = `"${vrf}" beside spec.defaultGateway ${defaultGateway}, which is that of the main routing table`;
  return [fault("spec.vrf", why)];
}

const addressOf = (text: string | undefined): Address | undefined =>
  text === undefined ? undefined : parseAddress(text);

/** Of one host: not 0.0.0.0, not ::, not multicast. */
function isHost({ family, value }: Address): boolean {
  if (value === 0n) return false;
  return family === "IPv4" ? value >> 28n !== 0xen && value !== 0xffffffffn : value >> 120n !== 0xffn;
}

function hostOf(text: string): Address | undefined {
  // The rule in the CRD does not take the dotted spelling of IPv6.
  const address = familyOf(text) === "IPv6" && text.includes(".") ? undefined : parseAddress(text);
  return address !== undefined && isHost(address) ? address : undefined;
}

export function addressesAreHosts({ spec }: BGPPeer): Fault[] {
  return (["peerAddress", "sourceAddress"] as const).flatMap((name) => {
    const text = spec[name];
    if (text === undefined || hostOf(text) !== undefined) return [];
    return [fault(`spec.${name}`, `"${text}" is not the IP address of a host`)];
  });
}

export function sourceIsOfPeersFamily({ spec }: BGPPeer): Fault[] {
  const peer = addressOf(spec.peerAddress);
  const source = addressOf(spec.sourceAddress);
  const { defaultGateway } = spec;
  if (source !== undefined && defaultGateway !== undefined && defaultGateway !== source.family) {
    const why = `${spec.sourceAddress} is ${source.family}, spec.defaultGateway is ${defaultGateway}`;
    return [fault("spec.sourceAddress", why)];
  }
  if (peer === undefined || source === undefined || peer.family === source.family) return [];
  return [
    fault(
      "spec.sourceAddress",
      `${spec.sourceAddress} is ${source.family}, spec.peerAddress ${spec.peerAddress} is ${peer.family}`,
    ),
  ];
}

export const nameOf = (peer: BGPPeer): string => `BGPPeer "${peer.metadata.name}"`;

/** The first of `peers` that is another one than `peer`. */
export const otherThan = (peer: BGPPeer, peers: readonly BGPPeer[] = []): BGPPeer | undefined =>
  peers.find(({ metadata }) => metadata.name !== peer.metadata.name);

/** One spelling for each address. */
function endpointOf({ spec }: BGPPeer): string | undefined {
  const address = addressOf(spec.peerAddress);
  return address === undefined ? undefined : formatAddress(address);
}

/** Where the router is: an address, a link, an address on a link, the default route, a prefix; and in which VRF. */
function routerOf(peer: BGPPeer): string | undefined {
  const { interface: link = "", defaultGateway = "", vrf = "" } = peer.spec;
  const range = listenRangeOf(peer);
  const where = [
    endpointOf(peer) ?? "",
    link,
    defaultGateway,
    range === undefined ? "" : formatPrefix(range),
  ];
  return where.every((one) => one === "") ? undefined : canonical([...where, vrf]);
}

const ANYWHERE = canonical([]);
const nodesOf = ({ spec }: BGPPeer): string => canonical((spec.nodeSelectors ?? []).map(selectorKey).sort());
const onNodes = (peer: BGPPeer, nodes: string): string | undefined => {
  const router = routerOf(peer);
  return router === undefined ? undefined : canonical([router, nodes]);
};

const byRouter = groupedBy(routerOf);
const byRouterAndNodes = groupedBy<BGPPeer>((peer) => onNodes(peer, nodesOf(peer)));

/**
 * One node holds one session with a router. The same address, or link, on other nodes may be another router's: selectors
 * that are equal, and none at all, surely meet; of others each node finds out (speaker/bgp/plan.ts).
 */
export function onePeerPerRouter(peer: BGPPeer, view: AdmissionView): Fault[] {
  const router = routerOf(peer);
  if (router === undefined) return [];
  const nodes = nodesOf(peer);
  const among = (where: string) =>
    otherThan(peer, byRouterAndNodes(view.peers).get(onNodes(peer, where) ?? ""));
  const other =
    nodes === ANYWHERE
      ? otherThan(peer, byRouter(view.peers).get(router))
      : (among(nodes) ?? among(ANYWHERE));
  if (other === undefined) return [];
  const { peerAddress, interface: link, defaultGateway, listenRange } = peer.spec;
  const same = `${nameOf(other)} on the same nodes`;
  if (peerAddress !== undefined)
    return [fault("spec.peerAddress", `${peerAddress} is the address of ${same}`)];
  if (link !== undefined) return [fault("spec.interface", `"${link}" is the interface of ${same}`)];
  return defaultGateway === undefined
    ? [fault("spec.listenRange", `${listenRange} is the range of ${same}`)]
    : [fault("spec.defaultGateway", `${defaultGateway} is the default gateway of ${same}`)];
}
