/**
 * What a speaker's pass works with, as narrow as it uses it: whoever tests a pass gives it fakes of these
 * (test/fakes/speaker-parts.ts). Types only.
 */
import type { ReadStore } from "#common/kube/store.ts";
import type { BgpPlan } from "./bgp/plan.ts";
import type { Drains } from "./drains.ts";
import type { Encapsulation } from "./forwarding/encapsulation.ts";
import type { ForwardingCounts, ForwardingInput, Reconciled } from "./forwarding/types.ts";
import type { Health } from "./health/health.ts";
import type { NodeLink } from "./known/node-links.ts";
import type { Password } from "./known/password.ts";
import type { Pools } from "./known/pools.ts";
import type { ReceiverSecret } from "./known/receiver-secrets.ts";
import type { TakersView } from "./known/takers.ts";
import type { Unusable } from "./known/usable.ts";
import type {
  ClaimsView,
  LoadBalancerView,
  NodeView,
  PeerView,
  ProfileView,
  ServiceView,
  SliceView,
  SpeakerState,
} from "./known/view.ts";
import type { WaysTo } from "./known/ways.ts";
import type { Announcement, Conflict, LinkIdentity, LinkProblem, Rules } from "./layer2/messages.ts";
import type { Judgement } from "./membership/liveness.ts";
import type { Membership, Roster } from "./membership/membership.ts";
import type { Notifier } from "./notice/notifier.ts";
import type { Owners } from "./ownership/owners.ts";
import type { Tenure } from "./ownership/ownership.ts";
import type { RoutingReport } from "./routing.ts";

/** What is known of the cluster; known/sources.ts is the real one. */
export interface Knowledge {
  loadBalancer(): LoadBalancerView | undefined;
  readonly nodes: Pick<ReadStore<NodeView>, "get" | "entries">;
  readonly pools: { current(): Pools };
  readonly services: { get(key: string): ServiceView | undefined; keys(): Iterable<string> };
  /** Services to look at again since the last time that it was asked. */
  readonly changed: { take(): ReadonlySet<string> };
  /** By whom kube-proxy takes addresses for itself. */
  readonly takers: TakersView;
  slicesOf(service: string): readonly SliceView[];
  readonly peers: { list(): readonly PeerView[] };
  readonly profiles: { list(): readonly ProfileView[] };
  password(secret: string): Password | undefined;
  /** What signs calls about owners; undefined: it is not known, or cannot be used. */
  receiverSecret(secret: string): ReceiverSecret | undefined;
  /** Keys of gossip, the one to write with first; undefined: none is known. */
  gossipKeys(): readonly Uint8Array[] | undefined;
  /** What others wrote that is left out. */
  unusable(): readonly Unusable[];
}

/** Who is alive; membership/membership.ts is the real one. */
export interface Members {
  readonly judgement: Judgement;
  publish(state: SpeakerState): void;
  /** Whom to gossip with. */
  meet(roster: Roster): void;
  readonly gossipTrouble: Membership["gossipTrouble"];
  /** This node does not know yet what others claim, and takes nothing over. */
  readonly isCatchingUp: boolean;
  /** This node hears what others claim, or there is nobody else. */
  readonly hearsClaims: boolean;
  unusable(): readonly Unusable[];
}

/** Who claims which address; ownership/owners.ts is the real one. */
export interface Claiming {
  takeView(): ClaimsView;
  settle(input: Parameters<Owners["settle"]>[0]): void;
  tenureOf(vip: string): Tenure | undefined;
  epochOf(vip: string): number | undefined;
}

/** Tells a receiver outside of the cluster who owns what; notice/notifier.ts is the real one. */
export type Noticing = Pick<Notifier, "set" | "standing">;

/** Checks endpoints; health/health.ts is the real one. */
export type Checking = Pick<Health, "takeView" | "set" | "describe">;

/** Knows when endpoints have ended for their Service; drains.ts is the real one. */
export type Ending = Pick<Drains, "takeView" | "set">;

/** This node's links; known/node-links.ts is the real one. */
export interface Links {
  links(): readonly NodeLink[];
  readonly waysTo: WaysTo;
}

/** What to announce: addresses by name of link. */
export type Wanted = ReadonlyMap<string, ReadonlySet<string>>;

/** Layer 2: answers for addresses; layer2/announcer.ts is the real one. */
export interface Attractor {
  /** Links that the last update could not open. */
  readonly problems: readonly LinkProblem[];
  /** What is announced now. */
  held(): Wanted;
  withdrawOthers(wanted: Wanted): Promise<Announcement[]>;
  set(links: readonly LinkIdentity[], wanted: Wanted): Promise<Announcement[]>;
  rule(rules: Rules): void;
  /** Addresses that foreign stations use at present. */
  contested(): Conflict[];
}

/** BGP and BFD; routing.ts is the real one. */
export interface Router {
  withdrawOthers(plan: BgpPlan): Promise<void>;
  reconcile(plan: BgpPlan): void;
  /** Sessions that are not up get their prefixes only after `ms`. */
  hold(ms: number): void;
  stop(mode: "restart" | "leave"): Promise<void>;
  report(): RoutingReport;
}

/** Finds out whether the host firewall drops what other nodes tunnel; selfprobe/selfprobe.ts is the real one. */
export interface FirewallProbe {
  set(own: NodeView["addresses"], others: readonly NodeView["addresses"][], kind?: Encapsulation): void;
}

/** A part of /debug/plan. */
export interface Comparison {
  readonly wanted: unknown;
  readonly actual: unknown;
  readonly difference: unknown;
}

/** Programs the kernel; forwarder.ts is the real one. */
export interface Forwarder {
  /** `isDue`: whether another pass is asked for; this one then ends soon, and says how far it came. */
  reconcile(input: ForwardingInput, isDue?: () => boolean): Promise<Reconciled>;
  /** Takes away everything that is ours, and puts back the sysctls; does nothing where nothing is. */
  remove(): Promise<void>;
  counts(): ForwardingCounts;
  /** Whose a mark in the kernel is; undefined: nobody's. */
  serviceOf(mark: number): string | undefined;
  /** What in the kernel is not as wanted at present, for people; undefined where nothing was forwarded yet. */
  difference(): unknown;
  /** Leaves what is in the kernel, and looks after it no more. */
  close(): void;
}
