/** The rules of BGPPeers, one function each; every one looks at one thing and names field, value, other object. */
import { parseAddress } from "#api/address.ts";
import { parseDuration } from "#api/duration.ts";
import { groupedBy } from "#api/v1beta1/admission/growing.ts";
import { NEXT_HOP_RULES, nextHopWarnings } from "#api/v1beta1/admission/peer-next-hop.ts";
import {
  addressesAreHosts,
  bfdWhereItIsSpoken,
  nameOf,
  onePeerPerRouter,
  oneWayToPeer,
  onlyWithListenRange,
  otherThan,
  rangeIsOfHosts,
  sourceIsOfPeersFamily,
  vrfIsNotOfGateway,
} from "#api/v1beta1/admission/peer-place.ts";
import { selectorsOnce, selectorsValid } from "#api/v1beta1/admission/selectors.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { BFDProfile, BGPPeer } from "#api/v1beta1/generated/types.ts";

type Rule = (peer: BGPPeer, view: AdmissionView) => Fault[];

/** The longest hold time that an OPEN can say (RFC 4271 section 4.2), and the shortest but 0. */
const LONGEST_HOLD_MS = 65_535_000;
const SHORTEST_HOLD_MS = 3_000;

/** Milliseconds; undefined where it is unset, 0, or no duration at all (which the schema says). */
const setDuration = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseDuration(text) || undefined;

/** Whether the session is iBGP as the configuration says it: the peer has the AS number that we show to it. */
export function isInternal({ spec }: BGPPeer): boolean {
  return spec.dynamicASN === "internal" || spec.peerASN === (spec.localASN ?? spec.myASN);
}

function oneAsnOfPeer({ spec }: BGPPeer): Fault[] {
  if ((spec.peerASN === undefined) !== (spec.dynamicASN === undefined)) return [];
  return spec.peerASN === undefined
    ? [fault("spec.peerASN", "neither it nor spec.dynamicASN is set: exactly one of them must be")]
    : [
        fault(
          "spec.dynamicASN",
          `"${spec.dynamicASN}" beside spec.peerASN ${spec.peerASN}: exactly one of them must be set`,
        ),
      ];
}

/** RFC 6286 section 2.1: any number but 0; written as an IPv4 address. */
export function routerIdIsOne({ spec }: BGPPeer): Fault[] {
  const { routerID } = spec;
  if (routerID === undefined) return [];
  const address = parseAddress(routerID);
  if (address?.family === "IPv4" && address.value !== 0n) return [];
  return [fault("spec.routerID", `"${routerID}" is not an IPv4 address other than 0.0.0.0`)];
}

function holdTimeInRange({ spec }: BGPPeer): Fault[] {
  const hold = setDuration(spec.holdTime);
  if (hold === undefined || (hold >= SHORTEST_HOLD_MS && hold <= LONGEST_HOLD_MS)) return [];
  return [fault("spec.holdTime", `${spec.holdTime} must be 0s or at least 3s, and at most 65535s`)];
}

function keepaliveNeedsHoldTime({ spec }: BGPPeer): Fault[] {
  if (setDuration(spec.keepaliveTime) === undefined || setDuration(spec.holdTime) !== undefined) return [];
  return [fault("spec.keepaliveTime", `${spec.keepaliveTime} needs spec.holdTime`)];
}

function keepaliveBelowHoldTime({ spec }: BGPPeer): Fault[] {
  const keepalive = setDuration(spec.keepaliveTime);
  const hold = setDuration(spec.holdTime);
  if (keepalive === undefined || hold === undefined || keepalive < hold) return [];
  return [
    fault("spec.keepaliveTime", `${spec.keepaliveTime} must be less than spec.holdTime ${spec.holdTime}`),
  ];
}

function connectTimeInWholeSeconds({ spec }: BGPPeer): Fault[] {
  const connect = setDuration(spec.connectTime);
  if (connect === undefined) return [];
  if (connect >= 1_000 && connect <= LONGEST_HOLD_MS && Math.trunc(connect) % 1_000 === 0) return [];
  return [fault("spec.connectTime", `${spec.connectTime} must be 0s, or 1s to 65535s in whole seconds`)];
}

/** RFC 4724 section 3: 12 bits of seconds. */
const LONGEST_RESTART_MS = 4_095_000;

function restartTimeInWholeSeconds({ spec }: BGPPeer): Fault[] {
  const restart = setDuration(spec.gracefulRestartTime);
  if (restart === undefined) return [];
  if (restart >= 1_000 && restart <= LONGEST_RESTART_MS && Math.trunc(restart) % 1_000 === 0) return [];
  return [
    fault(
      "spec.gracefulRestartTime",
      `${spec.gracefulRestartTime} must be 0s, or 1s to 4095s in whole seconds`,
    ),
  ];
}

function onePassword({ spec }: BGPPeer): Fault[] {
  const { password = "", passwordSecret } = spec;
  if (password === "" || passwordSecret === undefined) return [];
  return [
    fault("spec.passwordSecret", `"${passwordSecret.name}" beside spec.password: they exclude each other`),
  ];
}

function tcpAoNeedsPassword({ spec }: BGPPeer): Fault[] {
  const { password = "", passwordSecret, tcpAO } = spec;
  if (tcpAO === undefined || password !== "" || passwordSecret !== undefined) return [];
  return [fault("spec.tcpAO", "needs spec.passwordSecret or spec.password, which is its key")];
}

function secretInOurNamespace({ spec }: BGPPeer, view: AdmissionView): Fault[] {
  const { namespace = "" } = spec.passwordSecret ?? {};
  if (namespace === "" || namespace === view.namespace) return [];
  return [
    fault("spec.passwordSecret.namespace", `"${namespace}": Secrets are read in "${view.namespace}" alone`),
  ];
}

function multihopOnlyWithEbgp(peer: BGPPeer): Fault[] {
  const { spec } = peer;
  if (spec.ebgpMultiHop !== true || !isInternal(peer)) return [];
  const why =
    spec.peerASN === undefined
      ? "spec.dynamicASN is internal"
      : `spec.peerASN ${spec.peerASN} is our own AS number`;
  return [fault("spec.ebgpMultiHop", `true: not with iBGP (${why})`)];
}

/** RFC 9234 section 4.1: within one AS nobody is anybody's customer. */
function roleOnlyWithEbgp(peer: BGPPeer): Fault[] {
  const { role } = peer.spec;
  if (role === undefined || !isInternal(peer)) return [];
  return [fault("spec.role", `${role}: only a router of another AS has one, and this one is of our own`)];
}

function hopLimitWithoutMultihop({ spec }: BGPPeer): Fault[] {
  if (spec.ttlSecurityHops === undefined || spec.ebgpMultiHop !== true) return [];
  return [
    fault(
      "spec.ttlSecurityHops",
      `${spec.ttlSecurityHops} beside spec.ebgpMultiHop true: they exclude each other`,
    ),
  ];
}

/** The first peer, other than `peer`, of the groups with another key. */
function otherOf(
  peer: BGPPeer,
  groups: ReadonlyMap<string, readonly BGPPeer[]>,
  key: string,
): BGPPeer | undefined {
  for (const [each, peers] of groups) {
    const other = each === key ? undefined : otherThan(peer, peers);
    if (other !== undefined) return other;
  }
  return undefined;
}

/** Octets of a key of TCP MD5 and of TCP-AO (TCP_MD5SIG_MAXKEYLEN, TCP_AO_MAXKEYLEN of linux/tcp.h). */
export const LONGEST_PASSWORD = 80;

function passwordFits({ spec }: BGPPeer): Fault[] {
  const octets = Buffer.byteLength(spec.password ?? "", "utf8");
  if (octets <= LONGEST_PASSWORD) return [];
  return [fault("spec.password", `${octets} octets are more than ${LONGEST_PASSWORD}`)];
}

const byMyAsn = groupedBy<BGPPeer>(({ spec }) => String(spec.myASN));

function sameMyAsn(peer: BGPPeer, view: AdmissionView): Fault[] {
  const { myASN } = peer.spec;
  const other = otherOf(peer, byMyAsn(view.peers), String(myASN));
  if (other === undefined) return [];
  return [
    fault(
      "spec.myASN",
      `${myASN} differs from ${other.spec.myASN} of ${nameOf(other)}: all have the same; spec.localASN shows one peer another`,
    ),
  ];
}

const byRouterId = groupedBy<BGPPeer>(({ spec }) => spec.routerID);

function sameRouterId(peer: BGPPeer, view: AdmissionView): Fault[] {
  const { routerID } = peer.spec;
  if (routerID === undefined) return [];
  const other = otherOf(peer, byRouterId(view.peers), routerID);
  if (other === undefined) return [];
  return [
    fault(
      "spec.routerID",
      `${routerID} differs from ${other.spec.routerID} of ${nameOf(other)}: all that set one have the same`,
    ),
  ];
}

function nodesValidAndNotTwice({ spec }: BGPPeer): Fault[] {
  const field = "spec.nodeSelectors";
  return [...selectorsValid(field, spec.nodeSelectors), ...selectorsOnce(field, spec.nodeSelectors)];
}

/** Those that compare with other peers. */
export const BGPPEER_RULES_AMONG: readonly Rule[] = [onePeerPerRouter, sameMyAsn, sameRouterId];

export const BGPPEER_RULES: readonly Rule[] = [
  oneAsnOfPeer,
  oneWayToPeer,
  addressesAreHosts,
  rangeIsOfHosts,
  onlyWithListenRange,
  bfdWhereItIsSpoken,
  vrfIsNotOfGateway,
  sourceIsOfPeersFamily,
  ...NEXT_HOP_RULES,
  routerIdIsOne,
  holdTimeInRange,
  keepaliveNeedsHoldTime,
  keepaliveBelowHoldTime,
  connectTimeInWholeSeconds,
  restartTimeInWholeSeconds,
  onePassword,
  passwordFits,
  tcpAoNeedsPassword,
  secretInOurNamespace,
  multihopOnlyWithEbgp,
  hopLimitWithoutMultihop,
  roleOnlyWithEbgp,
  ...BGPPEER_RULES_AMONG,
  nodesValidAndNotTwice,
];

const profilesByName = groupedBy<BFDProfile>(({ metadata }) => metadata.name);

/** Settings that are admitted although part of them has no effect. */
export function peerWarnings(peer: BGPPeer, view: AdmissionView): string[] {
  const { holdTime, bfdProfile = "", interface: link, defaultGateway, listenRange, ebgpMultiHop } = peer.spec;
  const hold = setDuration(holdTime);
  const warnings: string[] = [];
  if (hold !== undefined && hold % 1_000 !== 0) {
    warnings.push(
      `spec.holdTime: ${holdTime}: BGP counts whole seconds: ${Math.trunc(hold / 1_000)}s is used`,
    );
  }
  if (bfdProfile !== "" && !profilesByName(view.profiles).has(bfdProfile)) {
    warnings.push(
      `spec.bfdProfile: there is no BFDProfile "${bfdProfile}" yet: the session waits until there is`,
    );
  }
  if (link !== undefined && ebgpMultiHop === true) {
    warnings.push("spec.ebgpMultiHop: has no effect with spec.interface: the peer is one hop away");
  }
  if (defaultGateway !== undefined && ebgpMultiHop === true) {
    warnings.push("spec.ebgpMultiHop: has no effect with spec.defaultGateway: the peer is one hop away");
  }
  if (listenRange !== undefined && peer.spec.connectTime !== undefined) {
    warnings.push("spec.connectTime: has no effect with spec.listenRange: its routers connect to the nodes");
  }
  return [...warnings, ...nextHopWarnings(peer)];
}
