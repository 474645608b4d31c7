/** One pass after another: what is known -> view -> plan -> kernel and announcements -> what is reported. */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import type { Logger } from "#common/log.ts";
import { BUILD } from "#common/version.ts";
import { type Applied, Applier, type Forwarder, NOTHING_WANTED, type Trouble } from "./apply.ts";
import { type BgpPlan, planBgp } from "./bgp/plan.ts";
import type { SessionReport } from "./bgp/types.ts";
import type { ForwardingInput, Refusal } from "./forwarding/types.ts";
import { endOnNode } from "./known/departure.ts";
import { MemberStates } from "./known/members.ts";
import { type LinkMonitor, publishedLinks } from "./known/node-links.ts";
import type { Sources } from "./known/sources.ts";
import type { ClusterView, LoadBalancerView, SpeakerState } from "./known/view.ts";
import type { Announcer, Wanted } from "./layer2/announcer.ts";
import type { Conflict } from "./layer2/messages.ts";
import type { Membership } from "./membership/membership.ts";
import type { AddressPlan } from "./plan/addresses.ts";
import type { LeftOut } from "./plan/claims.ts";
import { type Plan, Planner } from "./plan/plan.ts";
import { routedRanges, tunnelSources } from "./plan/reach.ts";
import { type Role, roleOf } from "./plan/role.ts";
import { rulesFor } from "./plan/rules.ts";
import { SpeakerEvents } from "./report/events.ts";
import { refusedByKernel } from "./report/left-out.ts";
import type { Reporter } from "./report/reporter.ts";
import { statusOf } from "./report/status.ts";
import type { Routing } from "./routing.ts";
import { type Addresses, ringAfter, type SelfProbe } from "./selfprobe/selfprobe.ts";

export interface SpeakerOptions {
  readonly node: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sources: Sources;
  readonly membership: Membership;
  readonly monitor: LinkMonitor;
  readonly announcer: Announcer;
  readonly routing: Routing;
  readonly forwarder: Forwarder;
  readonly reporter: Reporter;
  readonly probe: Pick<SelfProbe, "set" | "trouble">;
  readonly events: EventRecorder;
  /** Why frames cannot be sent at all; undefined if they can. Looked at in each pass. */
  readonly cannotSend: () => Trouble | undefined;
  /** Addresses taken over or given up, for metrics. */
  readonly onOwnership: (direction: "taken" | "released", count: number) => void;
  /** Asks for another pass. */
  readonly trigger: () => void;
  /** Another number whenever something that a plan depends on may have changed. */
  readonly version: () => number;
}

const RECHECK_MS = 2_000;
const NO_PLAN: Plan = {
  addresses: [],
  ports: [],
  vips: [],
  leftOut: [],
  translated: 0,
  poolsWithoutLink: [],
};
const NO_PEERS: BgpPlan = { sessions: new Map(), bfd: [], withheld: [] };
const NOT_READY: SpeakerState = { isReady: false, links: [] };

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #planner = new Planner();
  readonly #applier: Applier;
  readonly #events: SpeakerEvents;
  readonly #memberStates = new MemberStates();
  #plan = NO_PLAN;
  #bgpPlan = NO_PEERS;
  #reach: Pick<ForwardingInput, "members" | "routed"> = { members: [] };
  #plannedFor = "";
  #role: Role = "Active";
  /** The kernel was programmed and read back, and frames can be sent. */
  #isReady = false;
  /** The plan is made with this node among those that live: not before its Lease came back from the API server. */
  #isCounted = false;
  #forwardingTrouble: Trouble | undefined;
  #announcingTrouble: Trouble | undefined;
  /** What the kernel did not take of single Services, as of the last pass that could be made. */
  #refused: readonly Refusal[] = [];
  #lastWrites = 0;
  #lastError: string | undefined;
  #isRemoved = false;
  /** Mode KubeProxy: what is to be forwarded is not ours to read back. */
  #isLeftToKubeProxy = false;

  constructor(options: SpeakerOptions, inherited: readonly string[]) {
    this.#options = options;
    const { forwarder, announcer, log, sources } = options;
    this.#events = new SpeakerEvents(
      { ...options, uidOf: (service) => sources.services.get(service)?.uid },
      inherited,
    );
    this.#applier = new Applier({ forwarder, attractor: announcer, log });
  }

  async pass(): Promise<{ retryAfterMs?: number } | undefined> {
    const { sources, node } = this.#options;
    const loadBalancer = sources.loadBalancer();
    this.#setRole(roleOf(loadBalancer, sources.nodes.get(node)));
    try {
      if (this.#role !== "Active" || loadBalancer === undefined) await this.#leave();
      else await this.#work(loadBalancer);
      this.#lastError = undefined;
    } catch (error) {
      this.#lastError = errorText(error);
      throw error;
    } finally {
      this.#report(loadBalancer);
    }
    const isTroubled = this.#forwardingTrouble !== undefined || this.#announcingTrouble !== undefined;
    return isTroubled ? { retryAfterMs: RECHECK_MS } : undefined;
  }

  get role(): Role {
    return this.#role;
  }

  /**
   * Why the next node's speaker should not be replaced yet: this one does not do its work, and may come to do it.
   * Undefined when it does, and when it has said why it cannot: waiting would not help.
   */
  get unsettled(): string | undefined {
    if (this.#role !== "Active" || this.#forwardingTrouble !== undefined) return undefined;
    if (this.#announcingTrouble !== undefined) return undefined;
    if (!this.#isReady) return "the kernel is not programmed yet";
    return this.#isCounted ? undefined : "this node's Lease has not come back from the API server yet";
  }

  /**
   * The process is replaced: withdraws everything, but for what BGP peers keep over a graceful restart; what is in the
   * kernel stays. Throws AnnouncerError.
   */
  async pause(): Promise<void> {
    const { routing, sources, node } = this.#options;
    await routing.stop(endOnNode(sources.nodes.get(node)));
    await this.#withdraw();
  }

  async #withdraw(): Promise<void> {
    const withdrawn = await this.#options.announcer.withdrawOthers(NOTHING_WANTED);
    this.#events.withdrawn(withdrawn.map(({ vip }) => vip));
  }

  /** Withdraws everything and empties the kernel, whatever the role was until now. */
  async leaveAs(role: Role): Promise<void> {
    this.#setRole(role);
    await this.#leave();
    this.#report(this.#options.sources.loadBalancer());
  }

  /** A session came up or was lost. */
  tellSession(report: SessionReport): void {
    this.#events.session(report);
  }

  /** How it stands with addresses of this node that foreign stations use. */
  tellConflicts(conflicts: readonly Conflict[]): void {
    const services = new Map(this.#plan.addresses.map((address) => [address.vip, address.services]));
    for (const conflict of conflicts) this.#events.contested(conflict, services.get(conflict.vip) ?? []);
    this.refreshReport();
  }

  /** Reports anew what has changed outside of passes. */
  refreshReport(): void {
    this.#report(this.#options.sources.loadBalancer());
  }

  describe(): unknown {
    const { announcer, routing, membership, monitor, forwarder } = this.#options;
    return {
      role: this.#role,
      isReady: this.#isReady,
      plan: this.#plan,
      announced: announcer.held(),
      routing: { plan: this.#bgpPlan, ...routing.report() },
      links: monitor.links(),
      members: membership.judgement,
      forwarding: { ...forwarder.counts(), difference: forwarder.difference() },
      forwardingTrouble: this.#forwardingTrouble,
      announcingTrouble: this.#announcingTrouble,
      lastError: this.#lastError,
    };
  }

  async #work(loadBalancer: LoadBalancerView): Promise<void> {
    const { membership, monitor, routing, trigger } = this.#options;
    this.#isRemoved = false;
    const state = this.#ownState();
    if (this.#isReady) membership.publish(state);
    this.#replan(loadBalancer, state);
    this.#isCounted ||= membership.judgement.live.includes(this.#options.node);
    const wanted = this.#withoutNews(wantedOf(this.#plan));
    const links = monitor.links().filter(({ name }) => wanted.has(name));
    routing.withdrawOthers(this.#bgpPlan);
    const input = this.#forwardingInput(loadBalancer);
    this.#isLeftToKubeProxy = input === undefined;
    const applied = await this.#applier.apply(wanted, links, input);
    this.#forwardingTrouble = applied.forwardingTrouble ?? conflictOf(applied);
    this.#announcingTrouble = this.#findAnnouncingTrouble();
    if (applied.forwardingTrouble === undefined) this.#refused = applied.reconciled?.refused ?? [];
    const writes = applied.reconciled?.writes ?? 0;
    if (writes > 0) this.#lastWrites = writes;
    this.#tell(applied);
    this.#probeFirewall(loadBalancer);
    const cannotSend = this.#options.cannotSend() !== undefined;
    const wasReady = this.#isReady;
    // A fault of one moment takes readiness from nobody who had it.
    this.#isReady = !cannotSend && !applied.isUnable && (applied.forwardingTrouble === undefined || wasReady);
    // Until this node was found ready and alive its plan advertises nothing, and a peer that still has our routes from
    // before a restart would take that for all. What the kernel was not read back with is told to nobody.
    if (this.#isReady && wasReady && this.#isCounted) routing.reconcile(this.#forwardedPlan());
    membership.publish(this.#ownState());
    if (this.#isReady !== wasReady) trigger();
    const troubles = [this.#forwardingTrouble, this.#announcingTrouble];
    this.#events.troubled(troubles.filter((trouble) => trouble !== undefined));
    this.#events.leftOut(this.#leftOut());
  }

  /** Of the plan what the kernel was read back with: after a pass that failed, what an earlier one had made. */
  #forwardedPlan(): BgpPlan {
    const isForwarded = ({ vip, isAdvertised }: AddressPlan): boolean =>
      !isAdvertised || this.#isLeftToKubeProxy || this.#applier.isForwarded(vip);
    if (this.#plan.addresses.every(isForwarded)) return this.#bgpPlan;
    return this.#planPeers(this.#plan.addresses.filter(isForwarded));
  }

  #leftOut(): LeftOut[] {
    return [...this.#plan.leftOut, ...refusedByKernel(this.#refused)];
  }

  /**
   * Cut off, or with the API server away, owners stay: a node whose link comes back must not claim what others may
   * have taken meanwhile.
   */
  #withoutNews(wanted: Wanted): Wanted {
    if (!this.#options.membership.judgement.isFrozen) return wanted;
    const held = this.#options.announcer.held();
    const kept = [...wanted].map(([link, vips]): [string, Set<string>] => [
      link,
      new Set([...vips].filter((vip) => held.get(link)?.has(vip))),
    ]);
    return new Map(kept.filter(([, vips]) => vips.size > 0));
  }

  /**
   * Tunnels are there with mode IPVS only, between the nodes whose speakers are alive and ready, and end here only once
   * our rules are loaded: what is not would be taken for a firewall's work.
   */
  #probeFirewall({ mode }: LoadBalancerView): void {
    const { probe, sources, node, membership } = this.#options;
    const addressesOf = (name: string): Addresses => sources.nodes.get(name)?.addresses ?? {};
    if (mode === "IPVS" && this.#forwardingTrouble === undefined)
      probe.set(addressesOf(node), ringAfter(node, membership.judgement.live).map(addressesOf));
    else probe.set({}, []);
  }

  async #leave(): Promise<void> {
    this.#options.probe.set({}, []);
    this.#plan = NO_PLAN;
    this.#bgpPlan = NO_PEERS;
    this.#plannedFor = "";
    this.#refused = [];
    this.#isReady = false;
    this.#announcingTrouble = undefined;
    this.#options.membership.publish(NOT_READY);
    try {
      await this.#options.routing.stop("leave");
      await this.#withdraw();
      await this.#applier.remove();
      this.#forwardingTrouble = undefined;
      this.#isRemoved = true;
    } catch (error) {
      this.#isRemoved = false;
      this.#forwardingTrouble = { reason: "NotRemoved", message: errorText(error) };
      throw error;
    }
  }

  #setRole(role: Role): void {
    if (role === this.#role) return;
    this.#options.log.info("what this node has to do has changed", { from: this.#role, to: role });
    this.#role = role;
  }

  #ownState(): SpeakerState {
    const named = new Set(
      this.#options.sources.pools
        .current()
        .list()
        .flatMap(({ interfaces }) => interfaces),
    );
    return { isReady: this.#isReady, links: publishedLinks(this.#options.monitor.links(), named) };
  }

  #view(loadBalancer: LoadBalancerView, own: SpeakerState): ClusterView {
    const { sources, node } = this.#options;
    return {
      node,
      loadBalancer,
      nodes: new Map(sources.nodes.entries()),
      pools: sources.pools.current(),
      services: sources.services,
      changed: sources.changed.take(),
      slicesOf: (service) => sources.slicesOf(service),
      members: this.#memberStates.members(this.#options.membership.judgement, node, own),
    };
  }

  /** A pass that only looks after the kernel goes by the plan that there is. */
  #replan(loadBalancer: LoadBalancerView, state: SpeakerState): void {
    const reason = JSON.stringify([this.#options.version(), state]);
    if (reason === this.#plannedFor) return;
    const view = this.#view(loadBalancer, state);
    this.#options.announcer.rule(rulesFor(view, this.#options.monitor.links()));
    this.#plan = this.#planner.plan(view);
    this.#bgpPlan = this.#planPeers(this.#plan.addresses);
    this.#reach = { members: tunnelSources(view), routed: routedRanges(view.pools.list(), state) };
    this.#plannedFor = reason;
  }

  #planPeers(addresses: readonly AddressPlan[]): BgpPlan {
    const { sources, node } = this.#options;
    const own = sources.nodes.get(node);
    if (own === undefined || sources.peers.list().length === 0) return NO_PEERS;
    return planBgp({
      node: own,
      addresses: addresses.filter(({ isAdvertised }) => isAdvertised),
      pools: sources.pools.current(),
      peers: sources.peers.list(),
      profiles: new Map(sources.profiles.list().map((profile) => [profile.name, profile])),
      password: (secret) => sources.password(secret),
    });
  }

  #forwardingInput(loadBalancer: LoadBalancerView): ForwardingInput | undefined {
    if (loadBalancer.mode === "KubeProxy") return undefined;
    const { sources, node } = this.#options;
    const nodeAddresses = sources.nodes.get(node)?.addresses ?? {};
    return { nodeAddresses, ports: this.#plan.ports, vips: this.#plan.vips, ...this.#reach };
  }

  #findAnnouncingTrouble(): Trouble | undefined {
    const cannotSend = this.#options.cannotSend();
    if (cannotSend !== undefined) return cannotSend;
    const [problem] = this.#options.announcer.problems;
    if (problem !== undefined) {
      const reason = problem.code === "EPERM" ? "NotPermitted" : "LinkFailed";
      return { reason, message: `link ${problem.link}: ${problem.message}` };
    }
    const { poolsWithoutLink } = this.#plan;
    if (poolsWithoutLink.length === 0) return undefined;
    return { reason: "NoLink", message: `no link that is up for pool ${poolsWithoutLink.join(", ")}` };
  }

  #owned(): AddressPlan[] {
    const held = this.#options.announcer.held();
    return this.#plan.addresses.filter(({ vip, links }) => links.some((link) => held.get(link)?.has(vip)));
  }

  #tell({ withdrawn, added }: Applied): void {
    const still = new Set(this.#owned().map(({ vip }) => vip));
    this.#events.withdrawn(withdrawn.map(({ vip }) => vip).filter((vip) => !still.has(vip)));
    const news = new Set(added.map(({ vip }) => vip));
    this.#events.announced(this.#plan.addresses.filter(({ vip }) => news.has(vip)));
  }

  #report(loadBalancer: LoadBalancerView | undefined): void {
    const { node, reporter, monitor, forwarder, clock } = this.#options;
    reporter.report(
      statusOf({
        node,
        build: BUILD,
        generation: loadBalancer?.generation ?? 0,
        role: this.#role,
        mode: loadBalancer?.mode ?? "IPVS",
        owned: this.#owned(),
        advertised: this.#plan.addresses.filter(({ isAdvertised }) => isAdvertised).length,
        routing: this.#options.routing.report(),
        links: monitor.links(),
        counts: forwarder.counts(),
        lastWrites: this.#lastWrites,
        translated: this.#plan.translated,
        forwardingTrouble: this.#forwardingTrouble,
        announcingTrouble: this.#announcingTrouble,
        firewallTrouble: this.#options.probe.trouble,
        leftOut: this.#leftOut(),
        unusable: [...this.#options.sources.unusable(), ...this.#options.membership.unusable()],
        conflicts: this.#options.announcer.contested(),
        isRemoved: this.#isRemoved,
        lastError: this.#lastError,
        conditions: reporter.conditions,
        now: clock.date(),
      }),
    );
  }
}

/** A conflict that blocks only some ports leaves the node ready. */
function conflictOf({ reconciled }: Applied): Trouble | undefined {
  const [first, ...others] = reconciled?.conflicts ?? [];
  if (first === undefined) return undefined;
  const more = others.length === 0 ? "" : `, and ${others.length} more`;
  return {
    reason: "ForeignService",
    message: `${first}${more}: their ports are not forwarded by this node until it is gone (ipvsadm -Ln shows it)`,
  };
}

/** Pure: link -> addresses to announce there. */
export function wantedOf(plan: Plan): Wanted {
  const wanted = new Map<string, Set<string>>();
  for (const { vip, links } of plan.addresses) {
    for (const link of links) {
      const vips = wanted.get(link);
      if (vips === undefined) wanted.set(link, new Set([vip]));
      else vips.add(vip);
    }
  }
  return wanted;
}
