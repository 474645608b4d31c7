/** The rules of BFDProfiles. The schema has the ranges of their fields; these rules look at the peers that use them. */
import { parseAddress } from "#api/address.ts";
import { isInternal } from "#api/v1beta1/admission/bgppeer.ts";
import { groupedBy } from "#api/v1beta1/admission/growing.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { BFDProfile, BGPPeer } from "#api/v1beta1/generated/types.ts";

const byProfile = groupedBy<BGPPeer>(({ spec }) => spec.bfdProfile);

/** Peers that name the profile, but for those that are being deleted. */
function usersOf(profile: BFDProfile, view: AdmissionView): readonly BGPPeer[] {
  const users = byProfile(view.peers).get(profile.metadata.name) ?? [];
  return users.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

const namesOf = (peers: readonly BGPPeer[]): string =>
  peers.map(({ metadata }) => `"${metadata.name}"`).join(", ");

export function notDeletedWhileNamed(profile: BFDProfile, view: AdmissionView): Fault[] {
  const users = usersOf(profile, view);
  if (users.length === 0) return [];
  return [
    fault(
      "metadata.name",
      `BFDProfile "${profile.metadata.name}" is named by spec.bfdProfile of BGPPeer ${namesOf(users)}: change that first`,
    ),
  ];
}

/** More than one hop away: over several routers there is no echo (RFC 5883 section 3). */
const isFar = (peer: BGPPeer): boolean =>
  peer.spec.ebgpMultiHop === true || (isInternal(peer) && peer.spec.ttlSecurityHops === undefined);
/** An unnumbered peer is reached at its link-local address. */
const isOverIPv6 = ({ spec }: BGPPeer): boolean =>
  spec.peerAddress === undefined || parseAddress(spec.peerAddress)?.family !== "IPv4";

export function profileWarnings(profile: BFDProfile, view: AdmissionView): string[] {
  const { echoMode = false, echoInterval, minimumTtl } = profile.spec;
  const users = usersOf(profile, view);
  const warnings: string[] = [];
  if (echoInterval !== undefined && !echoMode) {
    warnings.push("spec.echoInterval: has no effect without spec.echoMode");
  }
  const without = users.filter((peer) => isFar(peer) || isOverIPv6(peer));
  if (echoMode && without.length > 0) {
    warnings.push(
      `spec.echoMode: only IPv4 sessions over one hop echo; those of BGPPeer ${namesOf(without)} do without`,
    );
  }
  const near = users.filter((peer) => !isFar(peer));
  if (minimumTtl !== undefined && near.length > 0) {
    warnings.push(
      `spec.minimumTtl: only multihop sessions look at it; those of BGPPeer ${namesOf(near)} do not`,
    );
  }
  return warnings;
}
