/**
 * BGP and BFD of this node, as passes use them: withdraw what is not wanted any more, then, when the kernel forwards,
 * advertise the rest. A session whose path BFD finds broken goes down with it. Nothing runs before there is a peer.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Bfd, BfdPeer, BfdReport, BfdScheduling } from "./bfd/types.ts";
import type { Bgp } from "./bgp/bgp.ts";
import { differenceOf } from "./bgp/list-difference.ts";
import type { BgpPlan, Withheld } from "./bgp/plan.ts";
import type { SessionReport, WantedSession } from "./bgp/types.ts";

export interface RoutingOptions {
  readonly clock: Clock;
  readonly openBgp: (onChange: () => void) => Bgp;
  readonly openBfd: () => Bfd;
  /** Reports may say something else now. */
  readonly onChange: () => void;
  /** A session came up or was lost. */
  readonly onSession: (report: SessionReport) => void;
}

export interface RoutingReport {
  readonly sessions: readonly SessionReport[];
  readonly withheld: readonly Withheld[];
  readonly bfd: readonly BfdReport[];
  readonly scheduling: BfdScheduling | undefined;
  /** Why peers cannot connect to this node. */
  readonly listenTrouble: string | undefined;
}

const NOTHING: BgpPlan = { sessions: new Map(), bfd: [], withheld: [] };

export class Routing {
  readonly #options: RoutingOptions;
  #bgp: Bgp | undefined;
  #bfd: Bfd | undefined;
  /** What was asked for last. */
  #wanted: BgpPlan = NOTHING;
  /** What BGP and BFD were given of it last. */
  #applied: BgpPlan = NOTHING;
  /** For now only the sessions in `up` get prefixes. */
  #held: { readonly up: ReadonlySet<string>; readonly end: Cancel } | undefined;
  /** What BFD was last given. */
  #watched: readonly BfdPeer[] = [];
  /** Peer and address -> the state as last reported to onSession. */
  readonly #states = new Map<string, SessionReport["state"]>();

  constructor(options: RoutingOptions) {
    this.#options = options;
  }

  /**
   * Sessions that are not in the plan end; prefixes that are not in it are withdrawn. Nothing new is advertised. Resolves
   * when the last withdrawal is on its way.
   */
  withdrawOthers(plan: BgpPlan): Promise<void> {
    const kept = new Map<string, WantedSession>();
    for (const [name, applied] of this.#applied.sessions) {
      const wanted = plan.sessions.get(name);
      if (wanted === undefined) continue;
      const advertisements = differenceOf(applied.advertisements, wanted.advertisements).common;
      kept.set(name, { settings: applied.settings, advertisements });
    }
    if (!isSame(kept, this.#applied.sessions)) {
      this.#wanted = { ...this.#applied, sessions: kept };
      this.#reconcile(this.#wanted);
    }
    return this.#bgp?.withdrawn() ?? Promise.resolve();
  }

  /** Sessions and prefixes exactly as planned, but for those that are held. */
  reconcile(plan: BgpPlan): void {
    if (plan === this.#wanted) return;
    this.#wanted = plan;
    this.#reconcile(this.#withoutHeld(plan));
  }

  /**
   * Sessions that are not up now get their prefixes only after `ms`, however soon they are up. One that is up goes on: its
   * router has sent its packets here all the time.
   */
  hold(ms: number): void {
    this.#held?.end();
    const up = new Set(
      this.#bgp
        ?.sessions()
        .filter(({ state }) => state === "Established")
        .map(({ peer }) => peer),
    );
    this.#held = { up, end: this.#options.clock.after(ms, () => this.#release()) };
    this.#reconcile(this.#withoutHeld(this.#wanted));
  }

  /** The node's default gateway is another one. */
  relocate(): void {
    this.#bgp?.relocate();
    this.#changed();
  }

  /** `restart`: peers keep our routes while this process is replaced, where they can. */
  async stop(mode: "restart" | "leave"): Promise<void> {
    const [bgp, bfd] = [this.#bgp, this.#bfd];
    this.#bgp = undefined;
    this.#bfd = undefined;
    this.#held?.end();
    this.#held = undefined;
    this.#wanted = NOTHING;
    this.#applied = NOTHING;
    this.#watched = [];
    this.#states.clear();
    // First: else the peer takes our going for a broken path, and drops what it should keep (RFC 5882 section 4.3.2.2).
    await bfd?.adminDown();
    await bgp?.stop({ mode });
    await bfd?.stop();
  }

  report(): RoutingReport {
    return {
      sessions: this.#bgp?.sessions() ?? [],
      withheld: this.#applied.withheld,
      bfd: this.#bfd?.sessions() ?? [],
      scheduling: this.#bfd?.scheduling,
      listenTrouble: this.#bgp?.listenTrouble(),
    };
  }

  #release(): void {
    this.#held = undefined;
    this.#reconcile(this.#wanted);
  }

  #withoutHeld(plan: BgpPlan): BgpPlan {
    const up = this.#held?.up;
    if (up === undefined) return plan;
    const sessions = [...plan.sessions].map(([name, session]): [string, WantedSession] => [
      name,
      up.has(name) ? session : { ...session, advertisements: [] },
    ]);
    return { ...plan, sessions: new Map(sessions) };
  }

  #reconcile(plan: BgpPlan): void {
    this.#applied = plan;
    if (plan.sessions.size > 0) this.#bgp ??= this.#options.openBgp(() => this.#changed());
    this.#bgp?.reconcile(plan.sessions);
    this.#watch();
    this.#changed();
  }

  /**
   * What the plan wants BFD for, with addresses. That of an unnumbered peer is where its session is; one that is not
   * known any more, as with a link that is down, stays the last one, so that BFD tells of the loss.
   */
  #located(): BfdPeer[] {
    const isPlanned = this.#applied.bfd.every(({ address }) => address !== "");
    const found = new Map(
      isPlanned ? [] : this.#bgp?.sessions().map((report) => [report.peer, report] as const),
    );
    const last = new Map(this.#watched.map((peer) => [peer.key, peer]));
    return this.#applied.bfd
      .map((peer) => {
        if (peer.address !== "") return peer;
        const seen = [found.get(peer.key), last.get(peer.key)].find((one) => one?.address);
        const link = peer.link ?? seen?.link;
        return { ...peer, address: seen?.address ?? "", ...(link !== undefined && { link }) };
      })
      .filter(({ address }) => address !== "");
  }

  /** An unnumbered peer is somewhere else than where BFD looks for it, or has only now been found. */
  #hasMoved(): boolean {
    if (this.#applied.bfd.every(({ address }) => address !== "")) return false;
    const watched = new Map(this.#watched.map(({ key, address }) => [key, address]));
    return this.#located().some(({ key, address }) => watched.get(key) !== address);
  }

  /** A session that says goodbye keeps its BFD: some routers take that one's end for a broken path. */
  #watch(): void {
    const wanted = this.#located();
    const leaving = this.#bgp?.leaving() ?? new Set();
    const going = this.#watched.filter(
      ({ key }) => leaving.has(key) && !wanted.some((peer) => peer.key === key),
    );
    const peers = [...wanted, ...going];
    this.#watched = peers;
    if (peers.length > 0 && this.#bfd === undefined) {
      const bfd = this.#options.openBfd();
      this.#bfd = bfd;
      bfd.onState(({ key, isLoss }) => {
        if (isLoss) this.#bgp?.bfdDown(key);
        this.#options.onChange();
      });
    }
    this.#bfd?.reconcile(peers);
  }

  /** A session that was kept for its goodbye has ended. */
  #isOver(key: string): boolean {
    return !this.#applied.bfd.some((peer) => peer.key === key) && this.#bgp?.leaving().has(key) !== true;
  }

  #changed(): void {
    if (this.#watched.some(({ key }) => this.#isOver(key)) || this.#hasMoved()) this.#watch();
    for (const report of this.#bgp?.sessions() ?? []) {
      // Of a range there may be several.
      const key = `${report.peer} ${report.address}`;
      const before = this.#states.get(key);
      this.#states.set(key, report.state);
      if (before === report.state) continue;
      if (before === "Established" || report.state === "Established") this.#options.onSession(report);
    }
    this.#options.onChange();
  }
}

function isSame(
  kept: ReadonlyMap<string, WantedSession>,
  applied: ReadonlyMap<string, WantedSession>,
): boolean {
  if (kept.size !== applied.size) return false;
  return [...kept].every(
    ([name, { advertisements }]) => advertisements.length === applied.get(name)?.advertisements.length,
  );
}
