/**
 * Keeps our Lease renewed, watches all speakers' Leases, takes part in gossip, and calls back when the judgement about who
 * is alive changes.
 */
import { firstOf } from "#api/and-more.ts";
import { ANNOTATION_SPEAKER_STATE, LABEL_SPEAKER_LEASE, speakerLease } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { type Lease, leases } from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { Store } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import type { Trouble } from "../apply.ts";
import type { GossipThread, GossipWanted } from "../gossip/gossip.ts";
import type { Unusable } from "../known/usable.ts";
import type { SpeakerState } from "../known/view.ts";
import { Acquaintance } from "./acquaintance.ts";
import { combine, unheard } from "./combine.ts";
import { type NamedRecord, projectLease } from "./lease-record.ts";
import { type Judgement, type LeaseRecord, LIVENESS_TIMES, Liveness } from "./liveness.ts";

export interface MembershipOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly namespace: string;
  /** Names this process: the pod's name. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly gossip: Pick<GossipThread, "view" | "configure" | "leave">;
  /** Nodes are asked whether they claim what others told of them. */
  readonly isAsking?: () => boolean;
  readonly onChange: (judgement: Judgement) => void;
}

/** The members of gossip, this node among them, and the keys; why there is none where there is not. */
export type Roster = Omit<GossipWanted, "label"> | { readonly why: string };

/** Times the pace of a large cluster (silence.ts). */
const RENEW_MS = 1_000;
/** A renewal that takes so long is given up, because the next one is due. */
const RENEW_TIMEOUT_MS = 1_500;
const JUDGE_MS = 250;
const LOG_FAULT_AGAIN_MS = 300_000;
/** A speaker that lives and is not heard for so long is told of: an upgrade takes its time. */
const UNHEARD_MS = 30_000;
const TOLD_NAMES = 3;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #liveness: Liveness;
  readonly #store = new Store<NamedRecord>();
  readonly #reflector: Reflector<Lease, NamedRecord>;
  #judgement: Judgement;
  /** What this node wants to say, and what it says. */
  #asked: SpeakerState | undefined;
  #state = "";
  readonly #acquaintance = new Acquaintance();
  readonly #published = Promise.withResolvers<void>();
  #isReleased = false;
  /** The renewal that is on its way, settled without an error when it has ended. */
  #renewing: Promise<void> = Promise.resolve();
  #failures = 0;
  /** Node -> when it was last logged that its Lease is unusable. */
  readonly #loggedFaults = new Map<string, number>();
  #wake: (() => void) | undefined;
  #lease: Judgement;
  #roster: Roster = { why: "this node takes no part in it" };

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#liveness = new Liveness(options.node, LIVENESS_TIMES);
    this.#lease = this.#liveness.judge(options.clock.now());
    this.#judgement = this.#lease;
    const { client, clock, random, log, namespace, onSetback } = options;
    this.#reflector = new Reflector<Lease, NamedRecord>({
      client,
      resource: leases,
      store: this.#store,
      project: projectLease,
      clock,
      random,
      log,
      namespace,
      ...(onSetback === undefined ? {} : { onSetback }),
      labelSelector: LABEL_SPEAKER_LEASE,
      backoffMs: { baseMs: 100, capMs: 1_000 },
    });
    this.#store.subscribe((key) => this.#observe(key));
  }

  get judgement(): Judgement {
    return this.#judgement;
  }

  /** Leases that stayed unusable. */
  unusable(): Unusable[] {
    const { namespace } = this.#options;
    return [...this.#judgement.faults].map(([node, why]) => ({
      object: `Lease ${namespace}/${speakerLease(node)}`,
      why,
    }));
  }

  /** Why deaths are noticed by Leases alone, of all nodes or of some; undefined where gossip hears everybody. */
  get gossipTrouble(): Trouble<"GossipFailed" | "MembersUnheard"> | undefined {
    const { gossip, node, clock } = this.#options;
    const { problem, members } = gossip.view;
    if ("why" in this.#roster) return { reason: "GossipFailed", message: this.#roster.why };
    if (problem !== undefined) return { reason: "GossipFailed", message: problem };
    const { port } = this.#roster.own;
    const input = { own: node, now: clock.now(), lease: this.#lease, heard: members };
    const silent = unheard(input, (name) => this.#liveness.knownSince(name), UNHEARD_MS);
    if (silent.length === 0) return undefined;
    const message = `not heard at port ${port} (UDP and TCP): ${firstOf(silent, TOLD_NAMES)}`;
    return { reason: "MembersUnheard", message };
  }

  /** Takes part in gossip as told, once there is something published; a roster without members: not at all. */
  meet(roster: Roster): void {
    this.#roster = roster;
    const { gossip, namespace } = this.#options;
    if (this.#isReleased || this.#asked === undefined) return;
    gossip.configure("why" in roster ? undefined : { ...roster, label: `genkan/${namespace}` });
  }

  /** This node does not know yet what others claim, and takes nothing over. */
  get isCatchingUp(): boolean {
    return this.#acquaintance.isCatchingUp;
  }

  /** This node hears what others claim, or there is nobody else. */
  get hearsClaims(): boolean {
    return this.#acquaintance.hearsClaims;
  }

  /** Gossip thinks otherwise of somebody. */
  reconsider(): void {
    this.#judge();
  }

  get reflector(): Reflector<Lease, NamedRecord> {
    return this.#reflector;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#reflector.start(signal), this.#renewals(signal), this.#judging(signal)]);
  }

  /**
   * Publishes what this node says of itself, at once if it is news. Nothing is renewed before the first call. So a
   * speaker that is restarted while its Lease holds goes on where the last process was, and nobody takes its addresses
   * meanwhile. That it is ready it says once it was told what the others claim.
   */
  publish(state: SpeakerState): void {
    this.#asked = state;
    if (!state.isReady) this.#acquaintance.forget();
    this.meet(this.#roster);
    this.#look();
    this.#say();
  }

  #look(): boolean {
    const before = [this.isCatchingUp, this.hearsClaims];
    const { clock, node: own, gossip, isAsking } = this.#options;
    const peers = "why" in this.#roster ? undefined : this.#roster.peers.length;
    const about = { own, now: clock.now(), gossip: gossip.view, peers, lease: this.#lease };
    const input = { ...about, isAsking: isAsking?.() === true };
    this.#acquaintance.look(input, this.#asked?.isReady === true);
    return this.isCatchingUp !== before[0] || this.hearsClaims !== before[1];
  }

  #say(): void {
    const state = this.#asked;
    if (state === undefined || (state.isReady && !this.#acquaintance.isIntroduced)) return;
    // What it hears may have changed since it was asked to: the others must not follow the election for a moment.
    const { hearsClaims: _, ...rest } = state;
    const text = JSON.stringify({ ...rest, ...(this.hearsClaims && { hearsClaims: true }) });
    if (text === this.#state) return;
    this.#state = text;
    this.#published.resolve();
    this.#wake?.();
  }

  /**
   * Says goodbye, so that the others take over without waiting. Nothing is renewed after it. Throws KubeError,
   * ConnectionError, unless gossip has told somebody.
   */
  async release(): Promise<void> {
    this.#isReleased = true;
    if (this.#state === "") return;
    const hasListeners = [...this.#options.gossip.view.members.values()].some(
      ({ state }) => state === "alive",
    );
    await this.#options.gossip.leave();
    // A renewal that arrives after the goodbye would make us alive again for as long as a Lease holds.
    await this.#renewing;
    try {
      await this.#patch("", 2_000);
    } catch (error) {
      if (!hasListeners) throw error;
      this.#options.log.info("no goodbye by Lease: the others have heard it by gossip", {
        error: errorText(error),
      });
    }
  }

  #observe(key: string): void {
    const { clock } = this.#options;
    const node = nodeOf(key);
    const record = this.#store.get(key)?.record;
    this.#logFault(node, record);
    this.#liveness.observe(node, record, clock.now());
    // Nobody counts on a node without a Lease, so ours is made again without waiting for the next renewal.
    if (record === undefined && node === this.#options.node) this.#wake?.();
    this.#judge();
  }

  /** Each node's once in a while: whoever writes Leases may do so at any rate. */
  #logFault(node: string, record: LeaseRecord | undefined): void {
    const { clock, log } = this.#options;
    if (record === undefined) this.#loggedFaults.delete(node);
    if (record?.fault === undefined) return;
    const loggedAt = this.#loggedFaults.get(node);
    if (loggedAt !== undefined && clock.now() - loggedAt < LOG_FAULT_AGAIN_MS) return;
    this.#loggedFaults.set(node, clock.now());
    log.warn("a speaker's Lease cannot be used: what it said before goes on for a moment", {
      lease: speakerLease(node),
      why: record.fault,
    });
  }

  #judge(): void {
    const before = this.#judgement;
    const now = this.#options.clock.now();
    this.#lease = this.#liveness.judge(now);
    this.#judgement = combine({
      own: this.#options.node,
      now,
      lease: this.#lease,
      renewals: (node) => this.#liveness.renewals(node),
      heard: this.#options.gossip.view.members,
    });
    const isOtherwise = this.#look();
    this.#say();
    const { isFrozen, live, fingerprint } = this.#judgement;
    if (isFrozen !== before.isFrozen) {
      const words = isFrozen
        ? "no word from the API server: owners stay as they are"
        : "judging speakers again";
      this.#options.log.info(words, { live });
    }
    this.#logDeaths(before.dead, this.#judgement.dead);
    if (isOtherwise || fingerprint !== before.fingerprint || isFrozen !== before.isFrozen)
      this.#options.onChange(this.#judgement);
  }

  /** Logs deaths, which explain why addresses move and pods get no new connections. */
  #logDeaths(before: readonly string[], now: readonly string[]): void {
    const { log } = this.#options;
    for (const node of now) {
      if (!before.includes(node))
        log.warn("a speaker fell silent: its node is taken for dead", { silent: node });
    }
    for (const node of before) {
      if (!now.includes(node)) log.info("a silent speaker is heard again, or gone", { silent: node });
    }
  }

  async #judging(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(JUDGE_MS, signal);
      this.#judge();
    }
  }

  async #renewals(signal: AbortSignal): Promise<void> {
    const { clock, log, identity } = this.#options;
    signal.addEventListener("abort", () => this.#published.resolve(), { once: true });
    await this.#published.promise;
    while (!signal.aborted && !this.#isReleased) {
      const began = clock.now();
      const published = this.#state;
      try {
        const renewal = this.#patch(identity, RENEW_TIMEOUT_MS);
        this.#renewing = renewal.catch(() => undefined);
        await renewal;
        if (this.#failures > 0) log.info("the Lease is renewed again", { failures: this.#failures });
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        const words = { error: errorText(error), failures: this.#failures };
        if (this.#failures === 1) log.warn("the Lease was not renewed", words);
        else log.debug("the Lease was not renewed", words);
      }
      if (published === this.#state)
        await this.#rest(began + RENEW_MS * this.#liveness.pace - clock.now(), signal);
    }
  }

  /** Until `ms` passed or there is something to tell. */
  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#options.clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
    this.#wake = undefined;
  }

  async #patch(holderIdentity: string, timeoutMs: number): Promise<void> {
    const { client, node, namespace, clock } = this.#options;
    const name = speakerLease(node);
    const body = {
      metadata: {
        labels: { [LABEL_SPEAKER_LEASE]: node },
        annotations: { [ANNOTATION_SPEAKER_STATE]: this.#state },
      },
      spec: {
        holderIdentity,
        leaseDurationSeconds: Math.ceil((LIVENESS_TIMES.leaseMs * this.#liveness.pace) / 1_000),
        renewTime: clock.date().toISOString().replace("Z", "000Z"),
      },
    };
    try {
      await client.patch(leases, { name, namespace, type: "merge", body, timeoutMs });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { metadata, spec } = body;
      await client.create(leases, { metadata: { ...metadata, name, namespace }, spec }, { timeoutMs });
    }
  }
}

const PREFIX = speakerLease("");

function nodeOf(key: string): string {
  return key.slice(key.indexOf("/") + 1 + PREFIX.length);
}
