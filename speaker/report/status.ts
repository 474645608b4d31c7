/** What this node does, as the status of its SpeakerStatus. Pure. */
import { andMore } from "#api/and-more.ts";
import { type Condition, ConditionType, type NewCondition, setCondition } from "#api/v1beta1/conditions.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { Trouble } from "../apply.ts";
import type { Withheld } from "../bgp/plan.ts";
import type { SessionReport } from "../bgp/types.ts";
import type { ForwardingCounts } from "../forwarding/types.ts";
import type { HostTrouble } from "../host/host-watch.ts";
import type { NodeLink } from "../known/node-links.ts";
import type { Unusable } from "../known/usable.ts";
import type { Conflict } from "../layer2/messages.ts";
import type { Standing } from "../notice/notifier.ts";
import type { Tenure } from "../ownership/ownership.ts";
import type { PathTrouble } from "../paths/path-probe.ts";
import type { AddressPlan } from "../plan/addresses.ts";
import type { LeftOut } from "../plan/claims.ts";
import type { Role } from "../plan/role.ts";
import type { RoutingReport } from "../routing.ts";
import { conflictTrouble } from "./conflict.ts";
import type { Sharing } from "./sharing.ts";
import { tenureText } from "./tenure.ts";
import type { Tunnelling } from "./tunnelling.ts";

export type Status = NonNullable<SpeakerStatus["status"]>;

export interface StatusInput {
  readonly node: string;
  /** Which build of the speaker runs. */
  readonly build: string;
  readonly generation: number;
  readonly role: Role;
  readonly mode: "IPVS" | "KubeProxy";
  readonly owned: readonly AddressPlan[];
  /** How this node came to own an address. */
  readonly tenureOf: (vip: string) => Tenure | undefined;
  /** Addresses that this node advertises by BGP. */
  readonly advertised: number;
  readonly routing: RoutingReport;
  /** Peers of sessions that an earlier speaker had, and that are not back. */
  readonly formerSessions: readonly string[];
  readonly links: readonly NodeLink[];
  readonly counts: ForwardingCounts;
  readonly lastWrites: number;
  /** All that was known at the end of a pass was in the kernel, since this node began to forward by IPVS. */
  readonly isProgrammed: boolean;
  /** Pods reached with source address translation. */
  readonly translated: number;
  readonly forwardingTrouble: Trouble | undefined;
  readonly announcingTrouble: Trouble | undefined;
  /** Addresses in Services' status for which this node does nothing. */
  readonly leftOut: readonly LeftOut[];
  /** Objects of the API that cannot be used, and why. */
  readonly unusable: readonly Unusable[];
  /** Addresses that foreign stations use as well. */
  readonly conflicts: readonly Conflict[];
  /** What other nodes send and the host firewall drops. */
  readonly firewallTrouble: Trouble<"FirewallDrops"> | undefined;
  /** Whom gossip does not hear. */
  readonly gossipTrouble: Trouble<"GossipFailed" | "MembersUnheard"> | undefined;
  /** What the network between nodes loses. */
  readonly pathTrouble: PathTrouble | undefined;
  /** What on the node itself is in the way. */
  readonly hostTrouble: HostTrouble | undefined;
  /** How it stands with connections that nodes share; undefined: not looked at yet. */
  readonly sharing: Sharing | undefined;
  /** Whether the receiver of calls about owners is told; undefined: there is none. */
  readonly standing: Standing | undefined;
  /** How nodes send to each other's pods; undefined: by ipip, or not looked at yet. */
  readonly tunnelling: Tunnelling | undefined;
  /** Everything of ours is out of the kernel, and nothing is announced. */
  readonly isRemoved: boolean;
  readonly lastError: string | undefined;
  readonly conditions: readonly Condition[];
  readonly now: Date;
}

/** The schema's limits. */
const MAX_ADDRESSES = 1_000;
const MAX_LINKS = 64;
const MAX_ERROR = 4_096;
const MAX_SESSIONS = 128;
const MAX_SESSION_ERROR = 1_024;
const MAX_WORDS = 256;

export function statusOf(input: StatusInput): Status {
  const { owned, links, counts } = input;
  return {
    node: input.node,
    build: input.build,
    observedGeneration: input.generation,
    ownedCount: owned.length,
    addresses: owned.slice(0, MAX_ADDRESSES).map((plan) => addressOf(plan, input.tenureOf(plan.vip))),
    links: links
      .filter(({ prefixes }) => prefixes.length > 0)
      .slice(0, MAX_LINKS)
      .map(({ name, isUp }) => ({ name, hasCarrier: isUp })),
    forwarding: {
      mode: input.mode,
      virtualServers: counts.virtualServers,
      realServers: counts.realServers,
      lastWrites: input.lastWrites,
      ...(input.isProgrammed && { programmed: true }),
      ...(input.mode === "IPVS" && counts.digest !== undefined && { digest: counts.digest }),
    },
    ...(hasRouting(input) ? routingOf(input) : {}),
    ...(input.formerSessions.length > 0 && { formerSessions: input.formerSessions.slice(0, MAX_SESSIONS) }),
    ...(input.lastError === undefined ? {} : { lastError: input.lastError.slice(0, MAX_ERROR) }),
    conditions: conditionsOf(input),
  };
}

type Address = NonNullable<Status["addresses"]>[number];

function addressOf({ vip, services: [service], links }: AddressPlan, tenure: Tenure | undefined): Address {
  return {
    address: vip,
    ...(service !== undefined && { service }),
    links: [...links],
    ...(tenure !== undefined && reportOf(tenure)),
  };
}

type TenureReport = Pick<Address, "since" | "reason">;

/** A tenure does not change, and a thousand of them are reported in each pass: each is put into words once. */
const reports = new WeakMap<Tenure, TenureReport>();

function reportOf(tenure: Tenure): TenureReport {
  const known = reports.get(tenure);
  if (known !== undefined) return known;
  const report = { since: seconds(tenure.date.toISOString()), reason: tenureText(tenure) };
  reports.set(tenure, report);
  return report;
}

function hasRouting({ advertised, routing }: StatusInput): boolean {
  return advertised > 0 || routing.sessions.length > 0 || routing.withheld.length > 0;
}

function routingOf({ advertised, routing }: StatusInput): Partial<Status> {
  const { sessions, withheld, bfd, scheduling } = routing;
  const bgpSessions = [...sessions.map(sessionOf), ...withheld.map(withheldOf)];
  return {
    advertisedCount: advertised,
    bgpSessions: bgpSessions.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)).slice(0, MAX_SESSIONS),
    bfdSessions: bfd.slice(0, MAX_SESSIONS).map(({ key, address, state, diagnostic, since, ...report }) => ({
      ...(report.problem !== undefined && { problem: report.problem.slice(0, MAX_WORDS) }),
      peer: key,
      address,
      state,
      diagnostic,
      since: seconds(since),
      detectionTime: Math.round(report.detectionTimeMs),
      losses: report.losses,
    })),
    ...(scheduling === undefined || scheduling.class === "unknown"
      ? {}
      : {
          bfdScheduling: (scheduling.class === "fifo" ? "fifo" : `normal: ${scheduling.reason}`).slice(
            0,
            MAX_WORDS,
          ),
        }),
  };
}

type BgpSession = NonNullable<Status["bgpSessions"]>[number];

/** Of a range of routers there are several of one peer. */
const orderOf = ({ peer, address = "" }: BgpSession): string => `${peer} ${address}`;

function sessionOf(report: SessionReport): BgpSession {
  const { peer, address, state, establishedAt, remoteAsn, holdTimeMs, lastError, lastErrorAt, warning } =
    report;
  return {
    peer,
    ...(address !== "" && { address }),
    state,
    advertised: report.prefixesAdvertised,
    received: report.prefixesReceived,
    ...(report.prefixesKeptBack > 0 && { keptBack: report.prefixesKeptBack }),
    ...(report.prefixesWithoutNextHop > 0 && { withoutNextHop: report.prefixesWithoutNextHop }),
    losses: report.losses,
    ...(establishedAt !== undefined && { since: seconds(establishedAt) }),
    ...(remoteAsn !== undefined && { remoteASN: remoteAsn }),
    ...(holdTimeMs !== undefined && { holdTime: Math.round(holdTimeMs / 1_000) }),
    ...(lastError !== undefined && { lastError: lastError.slice(0, MAX_SESSION_ERROR) }),
    ...(lastErrorAt !== undefined && { lastErrorTime: seconds(lastErrorAt) }),
    ...(warning !== undefined && { warning: warning.slice(0, MAX_SESSION_ERROR) }),
  };
}

function withheldOf({ peer, message }: Withheld): BgpSession {
  return { peer, state: "Withheld", lastError: message.slice(0, MAX_SESSION_ERROR) };
}

/** The API server's times have no fractions. */
function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

function conditionsOf(input: StatusInput): Condition[] {
  const isStale = ({ type }: Condition): boolean =>
    (type === ConditionType.ConnectionsShared && input.sharing === undefined) ||
    (type === ConditionType.ReceiverTold && input.standing === undefined) ||
    (type === ConditionType.TunnelAsAsked && input.tunnelling === undefined);
  let conditions: readonly Condition[] = input.conditions.filter(isCondition).filter((one) => !isStale(one));
  for (const next of wantedConditions(input)) {
    conditions = setCondition(conditions, { ...next, observedGeneration: input.generation }, input.now);
  }
  return [...conditions];
}

/** What an earlier process reported was read back from the API server, so it may be anything. */
function isCondition(value: unknown): value is Condition {
  if (typeof value !== "object" || value === null) return false;
  const { type, status, lastTransitionTime } = value as Partial<Record<keyof Condition, unknown>>;
  return [type, status, lastTransitionTime].every((one) => typeof one === "string");
}

type Wanted = Pick<NewCondition, "type" | "status" | "reason" | "message">;

function wantedConditions(input: StatusInput): Wanted[] {
  const { role, isRemoved, forwardingTrouble, announcingTrouble } = input;
  if (role !== "Active") {
    const idle = (type: ConditionType): Wanted => ({
      type,
      status: "False",
      reason: role,
      message: ROLE_WORDS[role],
    });
    const trouble = forwardingTrouble ?? announcingTrouble;
    return [
      idle(ConditionType.ForwardingReady),
      idle(ConditionType.AnnouncingReady),
      idle(ConditionType.AllServed),
      usableOf(input.unusable),
      idle(ConditionType.FirewallOpen),
      idle(ConditionType.MembersHeard),
      idle(ConditionType.PathsClear),
      idle(ConditionType.HostSound),
      idle(ConditionType.Ready),
      isRemoved
        ? {
            type: ConditionType.Removed,
            status: "True",
            reason: role,
            message: "nothing of ours is left on the node",
          }
        : {
            type: ConditionType.Removed,
            status: "False",
            reason: trouble?.reason ?? "Removing",
            message: trouble?.message ?? "",
          },
    ];
  }
  const forwarding = judged(ConditionType.ForwardingReady, forwardingTrouble, forwardingWords(input));
  const announcing = judged(ConditionType.AnnouncingReady, announcingTrouble, announcingWords(input.routing));
  const ready = judged(ConditionType.Ready, forwardingTrouble ?? announcingTrouble, {
    reason: "Ready",
    message: "",
  });
  const served = judged(
    ConditionType.AllServed,
    leftOutOf(input.leftOut) ?? conflictTrouble(input.conflicts),
    { reason: "Served", message: "" },
  );
  const removed: Wanted = { type: ConditionType.Removed, status: "False", reason: "InUse", message: "" };
  const firewall = judged(ConditionType.FirewallOpen, input.firewallTrouble, {
    reason: "NoDropSeen",
    message: "",
  });
  const heard = judged(ConditionType.MembersHeard, input.gossipTrouble, { reason: "Heard", message: "" });
  const paths = judged(ConditionType.PathsClear, input.pathTrouble, { reason: "NoLossSeen", message: "" });
  const host = judged(ConditionType.HostSound, input.hostTrouble, { reason: "Sound", message: "" });
  const seen = [firewall, heard, paths, host];
  const all = [forwarding, announcing, served, usableOf(input.unusable), ...seen, ready, removed];
  if (input.sharing !== undefined) all.push(sharedOf(input.sharing));
  if (input.standing !== undefined) all.push(toldOf(input.standing));
  if (input.tunnelling !== undefined) all.push(tunnelledOf(input.tunnelling));
  return all;
}

function toldOf(standing: Standing): Wanted {
  return {
    type: ConditionType.ReceiverTold,
    status: standing.reason === "Told" ? "True" : "False",
    ...standing,
  };
}

function sharedOf(sharing: Sharing): Wanted {
  const isShared = sharing.reason === "Sharing";
  return { type: ConditionType.ConnectionsShared, status: isShared ? "True" : "False", ...sharing };
}

function tunnelledOf(tunnelling: Tunnelling): Wanted {
  const isAsAsked = tunnelling.reason === "AsAsked";
  return { type: ConditionType.TunnelAsAsked, status: isAsAsked ? "True" : "False", ...tunnelling };
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  Active: "",
  LoadBalancerAbsent: "there is no LoadBalancer",
  LoadBalancerDeleted: "the LoadBalancer is being deleted",
  NodeNotSelected: "spec.nodeSelector of the LoadBalancer does not select this node",
};

function judged(type: ConditionType, trouble: Trouble<Reason> | undefined, fine: Trouble<Reason>): Wanted {
  return trouble === undefined ? { type, status: "True", ...fine } : { type, status: "False", ...trouble };
}

/** The first in full, and how many more there are. */
function usableOf([first, ...others]: readonly Unusable[]): Wanted {
  const message = `${first?.object} is left out: ${first?.why}${andMore(others.length)}`;
  const trouble: Trouble<Reason> | undefined = first && { reason: "Unusable", message };
  return judged(ConditionType.InputsUsable, trouble, { reason: "Usable", message: "" });
}

/** The first in full, and how many more there are. */
function leftOutOf([first, ...others]: readonly LeftOut[]): Trouble<Reason> | undefined {
  if (first === undefined) return undefined;
  return { reason: first.reason, message: `${first.message}${andMore(others.length)}` };
}

/** Sessions that this node begins are not affected. */
function announcingWords({ listenTrouble }: RoutingReport): Trouble<Reason> {
  if (listenTrouble === undefined) return { reason: "Announcing", message: "" };
  return {
    reason: "NotListening",
    message: `routers cannot begin BGP sessions with this node: ${listenTrouble}`,
  };
}

function forwardingWords({ mode, translated }: StatusInput): Trouble<Reason> {
  if (mode === "KubeProxy") return { reason: "LeftToKubeProxy", message: "kube-proxy forwards" };
  if (translated === 0) return { reason: "Programmed", message: "" };
  const message = `pods on nodes without a ready speaker see this node's address instead of the client's: ${translated}`;
  return { reason: "SourceTranslated", message };
}

/** Whether the status has to be written. If only times of conditions differ, it need not. */
export function isNews(present: Status | undefined, next: Status): boolean {
  return JSON.stringify(present) !== JSON.stringify(next);
}
