/** One pass after another: what is known -> view -> plan -> kernel and announcements -> what is reported. */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { Applier, NOTHING_WANTED, type Trouble } from "./apply.ts";
import type { SessionReport } from "./bgp/types.ts";
import { type DebugPlan, debugPlanOf } from "./debug-plan.ts";
import { FormerSessions } from "./former-sessions.ts";
import { type ForwardingInput, GATHER_MS } from "./forwarding/types.ts";
import { KubeProxyHandover } from "./handover.ts";
import { endOnNode } from "./known/departure.ts";
import type { NodeLink } from "./known/node-links.ts";
import { rosterOf } from "./known/roster.ts";
import type { LoadBalancerView, SpeakerState } from "./known/view.ts";
import type { Conflict } from "./layer2/messages.ts";
import { receiverWanted } from "./noticing.ts";
import type {
  Attractor,
  Checking,
  Claiming,
  Ending,
  FirewallProbe,
  Forwarder,
  Knowledge,
  Links,
  Members,
  Noticing,
  Router,
} from "./parts.ts";
import { isHeld } from "./plan/addresses.ts";
import { type Role, roleOf } from "./plan/role.ts";
import { isSharedBy } from "./plan/sharing.ts";
import { Planning } from "./planning.ts";
import { Readiness } from "./readiness.ts";
import type { Reporting, Work } from "./reporting.ts";
import { probeFirewall } from "./selfprobe/targets.ts";
import type { PassResult, ServiceTraces } from "./trace/service-traces.ts";

export interface SpeakerParts {
  /** Name of this node. */
  readonly node: string;
  readonly log: Logger;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly knowledge: Knowledge;
  readonly members: Members;
  readonly owners: Claiming;
  readonly health: Checking;
  readonly drains: Ending;
  readonly monitor: Links;
  readonly attractor: Attractor;
  readonly router: Router;
  readonly forwarder: Forwarder;
  readonly reporting: Reporting;
  readonly notifier: Noticing;
  readonly probe: FirewallProbe;
  readonly traces: Pick<ServiceTraces, "planned" | "passed">;
  /** Why frames cannot be sent at all; undefined if they can. Looked at in each pass. */
  readonly cannotSend: () => Trouble | undefined;
  /** Asks for another pass. */
  readonly trigger: () => void;
  /** Whether another pass was asked for, and waits for the present one to give way. */
  readonly isDue: () => boolean;
}

const RECHECK_MS = 2_000;
/**
 * From the begin of one pass to that of the next. Who lives, or is ready to take over, is urgent. Many changes a second are
 * written in parts that are worth a pass.
 */
export const PASS_INTERVALS = { minIntervalMs: 50, urgentIntervalMs: 20, patienceMs: 300 } as const;
const NOT_MET = { why: "this node takes no part in it" };
const NOT_READY: SpeakerState = { isReady: false, links: [] };

export class Speaker {
  readonly #parts: SpeakerParts;
  readonly #planning: Planning;
  readonly #applier: Applier;
  readonly #readiness = new Readiness();
  readonly #former = new FormerSessions();
  readonly #handover = new KubeProxyHandover();
  #role: Role = "Active";
  /** Before the first pass nothing is known that could be reported. */
  #hasPassed = false;
  #lastError: string | undefined;
  #isRemoved = false;
  /** All that was known at the end of a pass was in the kernel, since this node began to forward by IPVS. */
  #isProgrammed = false;
  /** Peers were told what is wanted: before that there are no sessions. */
  #hasAdvertised = false;
  /** Sessions are being ended for the speaker that comes after this one. */
  #isEnding = false;

  constructor(parts: SpeakerParts) {
    this.#parts = parts;
    this.#planning = new Planning(parts);
    this.#applier = new Applier(parts);
  }

  async pass(): Promise<{ retryAfterMs?: number } | undefined> {
    const { knowledge, node } = this.#parts;
    const loadBalancer = knowledge.loadBalancer();
    this.#setRole(roleOf(loadBalancer, knowledge.nodes.get(node)));
    this.#hasPassed = true;
    let againMs: number | undefined;
    try {
      if (this.#role !== "Active" || loadBalancer === undefined) await this.#leave();
      else againMs = await this.#workByTurns(loadBalancer);
      this.#lastError = undefined;
    } catch (error) {
      this.#lastError = errorText(error);
      throw error;
    } finally {
      this.refreshReport();
    }
    const recheckMs = this.#readiness.troubles.length > 0 ? RECHECK_MS : Number.POSITIVE_INFINITY;
    const retryAfterMs = Math.min(recheckMs, againMs ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(retryAfterMs) ? { retryAfterMs } : undefined;
  }

  get role(): Role {
    return this.#role;
  }

  /** Why the next node's speaker should not be replaced yet (readiness.ts); undefined if it may be. */
  get unsettled(): string | undefined {
    const reason = this.#readiness.unsettled(this.#role);
    const missing = this.#role === "Active" ? this.#missing() : [];
    if (reason !== undefined || missing.length === 0) return reason;
    return `BGP sessions that this node had are not back yet: ${missing.join(", ")}`;
  }

  /**
   * These links are back. What others told of connections meanwhile did not come, so routers that have given this node up
   * are to send it packets again only when it has heard of each flow that is in use.
   */
  linksReturned(links: readonly NodeLink[]): void {
    const { knowledge, router } = this.#parts;
    const { mode, connectionSync = false } = knowledge.loadBalancer() ?? {};
    if (mode !== "IPVS" || !connectionSync || this.#planning.isAlone) return;
    // Then nothing is heard by that link in any case.
    const code = this.#readiness.syncTrouble?.code;
    if (code === "SyncUnheard" || code === "ForeignSync") return;
    if (!isSharedBy(links, this.#parts)) return;
    this.#parts.log.info("routers that lost this node hear of no routes for now", {
      ...{ links: links.map(({ name }) => name), ms: GATHER_MS },
      why: "connections that began on other nodes meanwhile have to be known first",
    });
    router.hold(GATHER_MS);
  }

  /** Peers with which an earlier speaker of this node had sessions. */
  inheritSessions(peers: readonly string[]): void {
    this.#former.expect(peers, this.#parts.clock.now());
  }

  /**
   * The process is replaced: withdraws everything, but for what BGP peers keep over a graceful restart; what is in the
   * kernel stays. Throws AnnouncerError.
   */
  async pause(): Promise<void> {
    const { router, knowledge, node } = this.#parts;
    const had = router.report().sessions.filter(({ state }) => state === "Established");
    this.inheritSessions([...this.#missing(), ...had.map(({ peer }) => peer)]);
    this.#isEnding = true;
    this.#parts.notifier.set(undefined);
    await router.stop(endOnNode(knowledge.nodes.get(node)));
    await this.#withdraw();
    this.refreshReport();
  }

  /** Withdraws everything and empties the kernel, whatever the role was until now. */
  async leaveAs(role: Role): Promise<void> {
    this.#setRole(role);
    await this.#leave();
    this.refreshReport();
  }

  /** A session came up or was lost. */
  onSession(report: SessionReport): void {
    this.#parts.reporting.events.session(report);
  }

  /** Foreign stations use addresses of this node, or do so no longer. */
  onConflicts(conflicts: readonly Conflict[]): void {
    const { addresses } = this.#planning.attraction;
    const services = new Map(addresses.map((address) => [address.vip, address.services]));
    const { events } = this.#parts.reporting;
    for (const conflict of conflicts) events.contested(conflict, services.get(conflict.vip) ?? []);
    this.refreshReport();
  }

  /** Reports anew what has changed outside of passes. */
  refreshReport(): void {
    if (this.#hasPassed) this.#parts.reporting.report(this.#workNow());
  }

  /** For /debug/plan. */
  describe(): DebugPlan {
    const { attractor, router, members, monitor, forwarder, health } = this.#parts;
    const { attraction, ports } = this.#planning;
    return debugPlanOf({
      health: health.describe(),
      role: this.#role,
      isReady: this.#readiness.isReady,
      attraction,
      ports,
      wanted: this.#planning.wanted(),
      held: attractor.held(),
      peers: this.#planning.peers(),
      routing: router.report(),
      forwarder,
      forwarded: this.#applier.forwarded,
      links: monitor.links(),
      members: members.judgement,
      refused: this.#readiness.refused,
      troubles: this.#readiness.troubles,
      lastError: this.#lastError,
    });
  }

  /** Returns after how many milliseconds another pass has something to do. */
  async #workByTurns(configured: LoadBalancerView): Promise<number | undefined> {
    const { knowledge, clock } = this.#parts;
    const isForwarding = this.#applier.forwarded.set.size > 0;
    const { services } = knowledge;
    const { loadBalancer, againMs } = this.#handover.judge(configured, {
      ...{ services, isForwarding },
      now: clock.now(),
    });
    await this.#work(loadBalancer);
    return againMs;
  }

  async #work(loadBalancer: LoadBalancerView): Promise<void> {
    const { members, monitor, router, attractor, node, owners } = this.#parts;
    const [planning, readiness] = [this.#planning, this.#readiness];
    this.#isRemoved = false;
    const wasReady = readiness.isReady;
    const own = planning.ownState(readiness);
    // A link that went must not wait for the kernel: the others take over by what we publish.
    if (wasReady) members.publish(own);
    attractor.rule(planning.attract(loadBalancer, own));
    this.#parts.traces.planned();
    readiness.count(members.judgement.live.includes(node));
    const { isFrozen, live, dead } = members.judgement;
    const isHolding = isFrozen || members.isCatchingUp;
    const mayClaim = !isHolding && readiness.isReady && readiness.isCounted;
    const rebalance = loadBalancer.keepsOwners ? loadBalancer.rebalance : undefined;
    owners.settle({ addresses: planning.attraction.addresses, live, dead, mayClaim, rebalance });
    const wanted = isHolding ? planning.stillWanted(attractor.held()) : planning.wanted();
    const withdrawn = router.withdrawOthers(planning.peers());
    // Addresses move by layer 2 meanwhile; the kernel forwards until the last router has heard.
    if (loadBalancer.mode !== "IPVS") await withdrawn;
    const applied = await this.#applier.apply({
      wanted,
      links: monitor.links().filter(({ name }) => wanted.has(name)),
      forwarding:
        loadBalancer.mode === "IPVS"
          ? async () => {
              await withdrawn;
              return this.#forwarding(loadBalancer);
            }
          : undefined,
    });
    this.#parts.notifier.set(receiverWanted(loadBalancer, planning.attraction.addresses, this.#parts));
    if (loadBalancer.mode === "KubeProxy") await planning.planPorts();
    this.#parts.health.set(planning.ports.checks);
    this.#parts.drains.set(planning.ports.draining);
    const { poolsWithoutLink } = planning.attraction;
    const { problems } = attractor;
    if (loadBalancer.mode === "KubeProxy") this.#isProgrammed = false;
    else this.#isProgrammed ||= applied.isComplete && applied.reconciled !== undefined;
    readiness.found(applied, { cannotSend: this.#parts.cannotSend(), problems, poolsWithoutLink });
    this.#parts.reporting.emit(this.#workNow(), applied);
    probeFirewall(this.#parts, loadBalancer, readiness);
    if (wasReady) this.#advertise(loadBalancer);
    const { knowledge } = this.#parts;
    members.meet(
      rosterOf({ node, nodes: knowledge.nodes.entries(), loadBalancer, keys: knowledge.gossipKeys() }),
    );
    this.#publishNews(wasReady);
    this.#parts.traces.passed(() => this.#passResult(loadBalancer));
  }

  #passResult({ mode }: LoadBalancerView): PassResult {
    const addresses = new Map(this.#planning.attraction.addresses.map((plan) => [plan.vip, plan]));
    const held = this.#parts.attractor.held();
    const { isReady, isCounted } = this.#readiness;
    return {
      mode,
      forwarded: this.#applier.forwarded.set,
      attracts: (vip) => {
        const { isAdvertised = false, links = [] } = addresses.get(vip) ?? {};
        return isAdvertised || links.length > 0;
      },
      tells: (vip) => {
        const plan = addresses.get(vip);
        if (plan === undefined) return false;
        return (plan.isAdvertised && isReady && isCounted) || isHeld(plan, held);
      },
    };
  }

  /** What was not published at the start of the pass. */
  #publishNews(wasReady: boolean): void {
    const { isReady } = this.#readiness;
    if (isReady && wasReady) return;
    this.#parts.members.publish(this.#planning.ownState(this.#readiness));
    if (isReady !== wasReady) this.#parts.trigger();
  }

  /** Asked for when what can be taken over at once was: so routes go out first, too. */
  #forwarding(loadBalancer: LoadBalancerView): Promise<ForwardingInput | undefined> {
    this.#advertise(loadBalancer);
    return this.#planning.forwarding(loadBalancer, this.#parts.isDue);
  }

  /**
   * Until this node was found ready and alive its plan advertises nothing, and a peer that still has our routes from
   * before a restart would take that for all. Addresses that the kernel was not read back with are advertised to nobody.
   */
  #advertise({ mode }: LoadBalancerView): void {
    const { isReady, isCounted } = this.#readiness;
    if (!isReady || !isCounted) return;
    const { forwarded } = this.#applier;
    this.#parts.router.reconcile(this.#planning.peers(mode === "IPVS" ? forwarded.set : undefined));
    this.#hasAdvertised = true;
  }

  async #withdraw(): Promise<void> {
    const { attractor, reporting } = this.#parts;
    const withdrawn = await attractor.withdrawOthers(NOTHING_WANTED);
    reporting.events.withdrawn(withdrawn.map(({ vip }) => vip));
  }

  async #leave(): Promise<void> {
    const { probe, members, router } = this.#parts;
    this.#hasPassed = true;
    probe.set({}, []);
    this.#parts.health.set([]);
    this.#parts.notifier.set(undefined);
    this.#parts.drains.set([]);
    this.#planning.forget();
    this.#isProgrammed = false;
    const { forwardingTrouble } = this.#readiness;
    this.#readiness.left(forwardingTrouble);
    members.publish(NOT_READY);
    members.meet(NOT_MET);
    try {
      await router.stop("leave");
      await this.#withdraw();
      await this.#applier.remove();
      this.#readiness.left();
      this.#isRemoved = true;
    } catch (error) {
      this.#isRemoved = false;
      this.#readiness.left({ reason: "NotRemoved", message: errorText(error) });
      throw error;
    }
  }

  #missing(): readonly string[] {
    const { router, clock } = this.#parts;
    const isKnown = this.#hasAdvertised && !this.#isEnding;
    return this.#former.missing(isKnown ? router.report().sessions : undefined, clock.now());
  }

  #setRole(role: Role): void {
    if (role === this.#role) return;
    this.#parts.log.info("what this node has to do has changed", { from: this.#role, to: role });
    this.#role = role;
  }

  #workNow(): Work {
    const { attraction, ports, isAlone } = this.#planning;
    const { forwardingTrouble, announcingTrouble, refused, syncTrouble, tunnelTrouble, lastWrites } =
      this.#readiness;
    return {
      loadBalancer: this.#parts.knowledge.loadBalancer(),
      role: this.#role,
      attraction,
      ports,
      forwardingTrouble,
      announcingTrouble,
      refused,
      syncTrouble,
      isAlone,
      tunnelTrouble,
      lastWrites,
      isProgrammed: this.#isProgrammed,
      formerSessions: this.#missing(),
      isRemoved: this.#isRemoved,
      lastError: this.#lastError,
    };
  }
}
