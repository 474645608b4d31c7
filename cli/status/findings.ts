/** What is not as it should be, one finding each, with what to do about it. Pure. */

import { LOADBALANCER_NAME } from "#api/names.ts";
import type { AnyConditionType, Condition } from "#api/v1beta1/conditions.ts";
import { ServiceConditionType } from "#api/v1beta1/conditions.ts";
import type { Meaning } from "#api/v1beta1/reasons/meaning.ts";
import { REASONS } from "#api/v1beta1/reasons.ts";
import { balancerOf, conditionsOf, isOurs } from "#cli/ours.ts";
import type { Snapshot } from "#cli/read.ts";
import { type Speakers, speakersOf } from "#cli/speakers.ts";
import { OTHER_FINDINGS } from "#cli/status/other-findings.ts";
import type { LoadBalancer, SpeakerStatus } from "#common/kube/resource.ts";
import { type KubeObject, keyOf } from "#common/kube/wire.ts";

export interface Finding {
  readonly kind: string;
  /** `namespace/name`, or the name alone of what is in the install namespace. */
  readonly name: string;
  /** Type of the condition that says so; undefined where none does. */
  readonly condition?: string;
  readonly reason: string;
  readonly message: string;
  readonly advice: string;
}

/** What is read for it. */
export type StatusSnapshot = Snapshot<
  "loadBalancers" | "pools" | "peers" | "profiles" | "speakers" | "leases" | "services"
>;

/**
 * Condition -> its status where all is well. Not among them: Progressing and Removed, which say what goes on, and
 * Upgradeable, which follows from the others.
 */
const WELL: Partial<Record<AnyConditionType, "True" | "False">> = {
  Available: "True",
  Degraded: "False",
  Contested: "False",
  Valid: "True",
  Established: "True",
  ForwardingReady: "True",
  AnnouncingReady: "True",
  AllServed: "True",
  InputsUsable: "True",
  FirewallOpen: "True",
  MembersHeard: "True",
  PathsClear: "True",
  HostSound: "True",
  [ServiceConditionType.AddressAllocated]: "True",
};

/** A node that is meant to do nothing does nothing: that is well. */
const MEANT: readonly string[] = ["NodeNotSelected", "LoadBalancerAbsent", "LoadBalancerDeleted"];

/** A Service that is younger may just not have been looked at yet. */
const JUDGED_WITHIN_MS = 10_000;

export function findingsOf(snapshot: StatusSnapshot): readonly Finding[] {
  const speakers = speakersOf(snapshot.leases, snapshot.at);
  const ofSpeakers = snapshot.speakers.flatMap((status) => ofSpeaker(status, speakers));
  const balancer = balancerOf(snapshot.loadBalancers);
  return [
    ...ofLoadBalancers(snapshot, balancer, ofSpeakers.length > 0),
    ...snapshot.pools.flatMap((pool) => ofConfiguration("AddressPool", pool, pool.status?.conditions)),
    ...snapshot.peers.flatMap((peer) => ofConfiguration("BGPPeer", peer, peer.status?.conditions)),
    ...snapshot.profiles.flatMap((profile) =>
      ofConfiguration("BFDProfile", profile, profile.status?.conditions),
    ),
    ...ofSpeakers,
    ...(balancer === undefined ? [] : ofServices(snapshot, balancer)),
  ];
}

function ofLoadBalancers(
  { loadBalancers, namespace }: StatusSnapshot,
  balancer: LoadBalancer | undefined,
  isToldBySpeakers: boolean,
): Finding[] {
  const ofEach = loadBalancers.flatMap((one) =>
    ofConfiguration("LoadBalancer", one, one.status?.conditions)
      // The speakers' own words follow, each with its node.
      .filter(({ reason }) => !(isToldBySpeakers && reason === "SpeakerTrouble")),
  );
  if (balancer !== undefined) return ofEach;
  return [
    other("LoadBalancer", LOADBALANCER_NAME, "NoLoadBalancer", `namespace ${namespace} has none`),
    ...ofEach,
  ];
}

/** Of an object that somebody writes and a controller judges. */
function ofConfiguration(kind: string, object: KubeObject, conditions: readonly Condition[] = []): Finding[] {
  const { name, generation = 0 } = object.metadata;
  const judged = conditions.find(({ type }) => type === "Valid");
  const behind = (judged?.observedGeneration ?? 0) < generation;
  return [
    ...(behind ? [other(kind, name, "NotJudged", `nobody has judged generation ${generation} yet`)] : []),
    ...ofConditions(kind, name, conditions),
  ];
}

function ofConditions(kind: string, name: string, conditions: readonly Condition[]): Finding[] {
  return conditions
    .filter(({ type, status, reason }) => {
      const well = WELL[type as AnyConditionType];
      return well !== undefined && status !== well && !MEANT.includes(reason);
    })
    .map(({ type: condition, reason, message }) => ({
      kind,
      name,
      condition,
      reason,
      message,
      advice: adviceOf(reason),
    }));
}

const adviceOf = (reason: string): string =>
  (REASONS as Readonly<Record<string, Meaning>>)[reason]?.advice ?? OTHER_FINDINGS.UnknownReason.advice;

function ofSpeaker({ metadata: { name }, status }: SpeakerStatus, speakers: Speakers): Finding[] {
  const kind = "SpeakerStatus";
  const conditions = status?.conditions ?? [];
  const silence = speakers.silentFor.get(name);
  if (silence !== undefined)
    return [
      other(kind, name, "SpeakerSilent", `its speaker was last heard ${Math.round(silence / 1_000)} s ago`),
    ];
  const fault = speakers.faults.get(name);
  const isMeant = conditions.some(({ type, reason }) => type === "Ready" && MEANT.includes(reason));
  const isRemoved = conditions.some(({ type, status: is }) => type === "Removed" && is === "True");
  return [
    ...(fault === undefined ? [] : [other(kind, name, "LeaseUnusable", fault)]),
    ...(fault !== undefined || isMeant || isRemoved || speakers.live.includes(name)
      ? []
      : [other(kind, name, "SpeakerGone", "its speaker has ended, and no other one has begun")]),
    ...(status?.lastError === undefined ? [] : [other(kind, name, "PassFailed", status.lastError)]),
    ...(status?.bgpSessions ?? []).flatMap(({ peer, warning }) =>
      warning === undefined ? [] : [other(kind, name, "RouterWarning", `peer ${peer}: ${warning}`)],
    ),
    ...ofConditions(kind, name, conditions),
  ];
}

function ofServices({ services, at }: StatusSnapshot, { spec }: LoadBalancer): Finding[] {
  return services
    .filter((service) => isOurs(service, spec?.loadBalancerClass))
    .flatMap((service) => {
      const key = keyOf(service);
      const found = ofConditions("Service", key, conditionsOf(service));
      const hasAddress = (service.status?.loadBalancer?.ingress ?? []).length > 0;
      const age = at.getTime() - Date.parse(service.metadata.creationTimestamp ?? "");
      const isForgotten = found.length === 0 && !hasAddress && age > JUDGED_WITHIN_MS;
      return isForgotten
        ? [other("Service", key, "NoAddressYet", "it has no address, and no condition says why")]
        : found;
    });
}

function other(kind: string, name: string, reason: keyof typeof OTHER_FINDINGS, message: string): Finding {
  return { kind, name, reason, message, advice: OTHER_FINDINGS[reason].advice };
}
