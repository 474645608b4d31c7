/**
 * Speakers as far as they decide who owns what: their planner, their claims and what they know of each other, over the
 * network of gossip's simulation. What they publish by the API all see at once, but for those that are cut off from it.
 */
import { silentLogger } from "#common/log.ts";
import type { Heard } from "#speaker/gossip/gossip.ts";
import { isUp } from "#speaker/gossip/types.ts";
import { Acquaintance } from "#speaker/membership/acquaintance.ts";
import { combine } from "#speaker/membership/combine.ts";
import { judgement } from "#speaker/membership/liveness.ts";
import { SPEAKER_LEASE_MS } from "#speaker/membership/silence.ts";
import { Owners } from "#speaker/ownership/owners.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { endpoint, node, service, slice, state, view } from "#test/fakes/speaker-view.ts";
import { FakeNetwork, type NetworkOptions } from "./network.ts";

interface Speaker {
  readonly planner: Planner;
  readonly owners: Owners;
  readonly acquaintance: Acquaintance;
  readonly heard: Map<string, Heard>;
  contactAt: number | undefined;
  joinedAt: number | undefined;
  /** Addresses that it answers for. */
  held: ReadonlySet<string>;
  whole: Uint8Array;
  isDue: boolean;
}

const PASS_MS = 5;
const TICK_MS = 1_000;
const NONE: ReadonlySet<string> = new Set();

export interface OwnersOptions extends NetworkOptions {
  readonly addresses: number;
}

export class OwnersNetwork extends FakeNetwork {
  readonly vips: readonly string[];
  /** Labelled so that they attract nothing. */
  readonly excluded = new Set<string>();
  /** Speakers of an older release, or without gossip: they follow the election. */
  readonly deaf = new Set<string>();
  keepsOwners = true;
  rebalance: string | undefined;
  /** It hears nothing of the API server. */
  isApiCut: (name: string) => boolean = () => false;
  toldOctets = 0;
  /** Address -> who answers, each time that it changed. */
  readonly moves: { readonly at: number; readonly vip: string; readonly by: readonly string[] }[] = [];
  readonly #speakers = new Map<string, Speaker>();
  /** Speakers that said that they are ready -> when they last renewed their Lease. */
  readonly #leases = new Map<string, number>();

  constructor({ addresses, ...options }: OwnersOptions) {
    super(options);
    this.vips = Array.from({ length: addresses }, (_, at) => `172.30.${16 + (at >> 8)}.${at & 255}`);
    this.wholeOf = (name) => this.#speakers.get(name)?.whole ?? new Uint8Array(0);
    this.onTold = (name, told) => this.#speakers.get(name)?.owners.hear(told);
    this.onJoined = (name) => {
      const speaker = this.#speakers.get(name);
      if (speaker === undefined) return;
      speaker.joinedAt = this.now;
      this.#due(name);
    };
    this.onChange = (name) => this.#hear(name);
  }

  override start(name: string, incarnation?: number): void {
    const speaker = this.#speaker(name);
    this.#speakers.set(name, speaker);
    // Gossip begins when the first pass is done.
    this.#pass(name, speaker);
    super.start(name, incarnation);
    this.#tick(name, speaker);
  }

  override kill(name: string): void {
    super.kill(name);
    const speaker = this.#speakers.get(name);
    if (speaker === undefined) return;
    this.#leases.set(name, this.now);
    this.#hold(speaker, NONE);
    this.#speakers.delete(name);
  }

  /** Something of the API is otherwise: all see it at once. */
  reconsider(): void {
    for (const name of this.#speakers.keys()) this.#due(name);
  }

  answering(vip: string): string[] {
    return [...this.#speakers].filter(([, { held }]) => held.has(vip)).map(([name]) => name);
  }

  get running(): string[] {
    return [...this.#speakers.keys()];
  }

  owners(name: string): Owners {
    const speaker = this.#speakers.get(name);
    if (speaker === undefined) throw new Error(`${name} does not run`);
    return speaker.owners;
  }

  #speaker(name: string): Speaker {
    const clock = {
      now: () => this.now,
      date: () => new Date(this.now),
      after: (ms: number, fn: () => void) => this.after(ms, fn),
    };
    const speaker: Speaker = {
      planner: new Planner(),
      owners: new Owners({
        ...{ node: name, clock, log: silentLogger },
        gossip: {
          tell: ({ news, isUrgent, whole }) => {
            speaker.whole = whole;
            this.toldOctets += news.reduce((sum, { length }) => sum + length, 0);
            if (this.#speakers.get(name) === speaker && news.length > 0)
              this.tell(name, { type: "tell", news, isUrgent });
          },
          say: (to, messages) => {
            if (this.#speakers.get(name) === speaker) this.tell(name, { type: "say", to, messages });
          },
        },
        isMember: (one) => this.names.includes(one),
        isHeard: (one) => isUp(speaker.heard.get(one) ?? { state: "dead" }),
        onChange: () => this.#due(name),
      }),
      acquaintance: new Acquaintance(),
      heard: new Map(),
      contactAt: undefined,
      joinedAt: undefined,
      held: NONE,
      whole: new Uint8Array(0),
      isDue: false,
    };
    return speaker;
  }

  /** As gossip.ts keeps it. */
  #hear(name: string): void {
    const speaker = this.#speakers.get(name);
    const change = this.changes.at(-1);
    if (speaker === undefined || change === undefined) return;
    const { name: other, state: now } = change;
    const wasAlone = ![...speaker.heard.values()].some(isUp);
    if (wasAlone && isUp({ state: now })) speaker.contactAt = this.now;
    const downAt = isUp({ state: now }) ? speaker.heard.get(other)?.downAt : this.now;
    speaker.heard.set(other, { state: now, at: this.now, downAt });
    this.#due(name);
  }

  #due(name: string): void {
    const speaker = this.#speakers.get(name);
    if (speaker === undefined || speaker.isDue) return;
    speaker.isDue = true;
    this.after(PASS_MS, () => {
      speaker.isDue = false;
      if (this.#speakers.get(name) === speaker) this.#pass(name, speaker);
    });
  }

  #tick(name: string, speaker: Speaker | undefined): void {
    if (this.#speakers.get(name) !== speaker) return;
    this.#due(name);
    this.after(TICK_MS, () => this.#tick(name, speaker));
  }

  #pass(name: string, speaker: Speaker): void {
    const { planner, owners, acquaintance, heard, contactAt, joinedAt } = speaker;
    const lease = this.#lease(name);
    const { live, dead, isFrozen } = combine({
      ...{ own: name, now: this.now, lease, heard },
      renewals: (one) => {
        const last = this.#renewedAt(one);
        return last === undefined ? undefined : { last, before: last };
      },
    });
    const wasIntroduced = acquaintance.isIntroduced;
    acquaintance.look(
      {
        ...{ own: name, now: this.now, peers: this.names.length - 1 },
        gossip: { problem: undefined, members: heard, contactAt, joinedAt },
        lease,
        isAsking: owners.isAsking,
      },
      true,
    );
    if (acquaintance.isIntroduced !== wasIntroduced) {
      this.#leases.set(name, this.now);
      this.reconsider();
    }
    const plan = planner.attract(this.#view(name, { live, dead }, owners));
    const isHolding = isFrozen || acquaintance.isCatchingUp;
    const mayClaim = !isHolding;
    owners.settle({ addresses: plan.addresses, live, dead, mayClaim, rebalance: this.rebalance });
    const wanted = plan.addresses.filter(({ links }) => links.length > 0).map(({ vip }) => vip);
    this.#hold(speaker, new Set(isHolding ? wanted.filter((vip) => speaker.held.has(vip)) : wanted));
  }

  #renewedAt(name: string): number | undefined {
    const isRenewing = this.#speakers.get(name)?.acquaintance.isIntroduced === true && !this.isApiCut(name);
    return isRenewing ? this.now : this.#leases.get(name);
  }

  /** As it is seen by one that hears the API server; else as it was, for all that ever had a Lease. */
  #lease(by: string) {
    const isFrozen = this.isApiCut(by);
    const known = this.names.filter((name) => this.#leases.has(name));
    const isLive = (name: string): boolean =>
      isFrozen || this.now - (this.#renewedAt(name) ?? 0) < SPEAKER_LEASE_MS;
    const [live, dead] = [known.filter(isLive), known.filter((name) => !isLive(name))];
    return judgement({ live, dead, states: new Map(), faults: new Map(), isFrozen });
  }

  #view(name: string, members: { live: readonly string[]; dead: readonly string[] }, owners: Owners) {
    const nodes = this.names.map((one) =>
      node(
        one,
        this.excluded.has(one) ? { "node.kubernetes.io/exclude-from-external-load-balancers": "" } : {},
      ),
    );
    const link = { name: "eth0", prefixes: ["172.30.0.1/16"] };
    const states = Object.fromEntries(
      this.names.map((one) => {
        // One that is dead has said so when it was alive.
        const isReady = this.#speakers.get(one)?.acquaintance.isIntroduced ?? true;
        return [
          one,
          state(one, { isReady, links: [link], ...(!this.deaf.has(one) && { hearsClaims: true }) }),
        ];
      }),
    );
    const pool = {
      ...{ name: "pool", addresses: ["172.30.0.0/16"], protocol: "layer2" },
      ...{ nodeSelectors: [], interfaces: [], advertisements: [] },
    };
    return view(
      {
        ...{ ...members, nodes, states, pools: [pool], keepsOwners: this.keepsOwners },
        services: [service({ vips: this.vips })],
        slices: [slice([endpoint(1, "n1")])],
        claims: owners.takeView(),
      },
      name,
    );
  }

  #hold(speaker: Speaker, held: ReadonlySet<string>): void {
    const others = held.symmetricDifference(speaker.held);
    speaker.held = held;
    for (const vip of others) this.moves.push({ at: this.now, vip, by: this.answering(vip) });
  }
}
