/** Fakes of everything that a speaker's pass works with (speaker/parts.ts), and what was asked of them. */
import { silentLogger } from "#common/log.ts";
import type { BgpPlan } from "#speaker/bgp/plan.ts";
import { Drains } from "#speaker/drains.ts";
import { type ForwardingInput, type KernelRefusal, NO_COUNTS } from "#speaker/forwarding/types.ts";
import { Pools } from "#speaker/known/pools.ts";
import { Takers } from "#speaker/known/takers.ts";
import type {
  HealthView,
  LoadBalancerView,
  NodeView,
  PeerView,
  Place,
  PoolView,
  ServiceView,
  SliceView,
} from "#speaker/known/view.ts";
import type { Announcement, LinkProblem } from "#speaker/layer2/messages.ts";
import type { Judgement } from "#speaker/membership/liveness.ts";
import { Owners } from "#speaker/ownership/owners.ts";
import type {
  Attractor,
  Checking,
  Forwarder,
  Knowledge,
  Links,
  Members,
  Noticing,
  Router,
  Wanted,
} from "#speaker/parts.ts";
import type { CheckedEndpoint } from "#speaker/plan/checks.ts";
import { SpeakerEvents } from "#speaker/report/events.ts";
import type { Status } from "#speaker/report/status.ts";
import { Reporting } from "#speaker/reporting.ts";
import type { RoutingReport } from "#speaker/routing.ts";
import type { SpeakerParts } from "#speaker/speaker.ts";
import { FakeClock } from "./clock.ts";
import { view } from "./speaker-view.ts";

/** The API, as stores hold it. */
export class FakeKnowledge implements Knowledge {
  readonly nodes = new Map<string, NodeView>();
  readonly services = new Map<string, ServiceView>();
  /** By Service. */
  readonly slices = new Map<string, readonly SliceView[]>();
  readonly profiles = { list: () => [] };
  readonly takers = new Takers(() => undefined);
  peerViews: readonly PeerView[] = [];
  balancer: LoadBalancerView | undefined = view({}).loadBalancer;
  #pools = new Pools([]);
  #changed = new Set<string>();
  readonly pools = { current: () => this.#pools };
  readonly peers = { list: () => this.peerViews };
  readonly changed = {
    take: (): ReadonlySet<string> => {
      const changed = this.#changed;
      this.#changed = new Set();
      return changed;
    },
  };

  loadBalancer = (): LoadBalancerView | undefined => this.balancer;
  slicesOf = (service: string): readonly SliceView[] => this.slices.get(service) ?? [];
  password: Knowledge["password"] = () => undefined;
  gossipKeys = (): undefined => undefined;
  receiverSecret: Knowledge["receiverSecret"] = () => undefined;
  unusable = (): [] => [];

  setPools(...pools: readonly PoolView[]): void {
    this.#pools = new Pools(pools);
  }

  put(service: ServiceView, ...slices: readonly SliceView[]): void {
    this.services.set(service.key, service);
    this.slices.set(service.key, slices);
    this.#changed.add(service.key);
  }
}

export class FakeMembers implements Members {
  judgement: Judgement = {
    live: [],
    dead: [],
    states: new Map(),
    faults: new Map(),
    isFrozen: true,
    fingerprint: "",
  };
  readonly published: boolean[] = [];
  readonly gossipTrouble = undefined;
  isCatchingUp = false;
  hearsClaims = true;
  meet(): void {}
  publish: Members["publish"] = ({ isReady }) => void this.published.push(isReady);
  unusable = (): [] => [];
}

/** Checks: what fails is what the test says. */
export class FakeHealth implements Checking {
  checked: readonly CheckedEndpoint[] = [];
  readonly #failing = new Set<string>();
  #changed = new Set<number>();

  set(endpoints: readonly CheckedEndpoint[]): void {
    this.checked = endpoints;
  }

  fail({ id, address, port }: Place): void {
    this.#failing.add(`${id} ${address} ${port}`);
    this.#changed.add(id);
  }

  takeView(): HealthView {
    const changed = this.#changed;
    this.#changed = new Set();
    return { changed, isFailing: ({ id, address, port }) => this.#failing.has(`${id} ${address} ${port}`) };
  }

  describe(): { readonly checked: number; readonly failing: readonly object[] } {
    return { checked: this.checked.length, failing: [] };
  }
}

/** Layer 2: what is announced is what was asked for. */
export class FakeAttractor implements Attractor {
  readonly problems: LinkProblem[] = [];
  readonly #steps: string[];
  #held: Wanted = new Map();

  /** `steps` gets a word for each announcement. */
  constructor(steps: string[]) {
    this.#steps = steps;
  }

  held(): Wanted {
    return this.#held;
  }

  async withdrawOthers(wanted: Wanted): Promise<Announcement[]> {
    const gone = only(this.#held, wanted);
    this.#held = new Map(
      [...this.#held].map(([link, vips]) => [link, vips.intersection(wanted.get(link) ?? new Set())]),
    );
    return gone;
  }

  async set(_links: unknown, wanted: Wanted): Promise<Announcement[]> {
    const added = only(wanted, this.#held);
    this.#held = new Map(wanted);
    if (added.length > 0) this.#steps.push(`announce ${added.length}`);
    return added;
  }

  rule(): void {}

  contested(): [] {
    return [];
  }
}

function only(a: Wanted, b: Wanted): Announcement[] {
  return [...a].flatMap(([link, vips]) =>
    [...vips].filter((vip) => b.get(link)?.has(vip) !== true).map((vip) => ({ link, vip })),
  );
}

const NO_ROUTING: RoutingReport = {
  sessions: [],
  withheld: [],
  bfd: [],
  scheduling: undefined,
  listenTrouble: undefined,
};

/** BGP: like the real one it is not interested in a plan that it has. */
export class FakeRouter implements Router {
  /** Prefixes advertised to all peers, plan by plan. */
  readonly advertised: string[][] = [];
  readonly #steps: string[];
  #plan: BgpPlan | undefined;

  constructor(steps: string[]) {
    this.#steps = steps;
  }

  reconcile(plan: BgpPlan): void {
    if (plan === this.#plan) return;
    this.#plan = plan;
    const all = [...plan.sessions.values()].flatMap(({ advertisements }) => advertisements);
    this.advertised.push(all.map(({ prefix }) => prefix));
    this.#steps.push(`advertise ${all.length}`);
  }

  /** For how long prefixes were held back, milliseconds, each time. */
  readonly holds: number[] = [];
  hold(ms: number): void {
    this.holds.push(ms);
  }

  /** What the last withdrawal takes. */
  withdrawal: Promise<void> = Promise.resolve();
  withdrawOthers = (): Promise<void> => this.withdrawal;
  async stop(): Promise<void> {}
  sessions: RoutingReport["sessions"] = [];
  report = (): RoutingReport => ({ ...NO_ROUTING, sessions: this.sessions });
}

/** Tells nobody; what is to be told is kept. */
export class FakeNotifier implements Noticing {
  standing: Noticing["standing"];
  wanted: Parameters<Noticing["set"]>[0];

  set(wanted: Parameters<Noticing["set"]>[0]): void {
    this.wanted = wanted;
  }
}

/** The kernel; `fault` is what it answers with from now on. */
export class FakeForwarder implements Forwarder {
  /** What in the kernel is not as wanted. */
  differs: unknown;
  fault: Error | undefined;
  conflicts: readonly string[] = [];
  refused: readonly KernelRefusal[] = [];
  input: ForwardingInput | undefined;
  /** Addresses that a pass came to that ended early; undefined: passes come to their end. */
  whole: ReadonlySet<string> | undefined;
  /** It waits for other nodes' connections. */
  isGathering = false;
  readonly #steps: string[];

  constructor(steps: string[]) {
    this.#steps = steps;
  }

  serviceOf = (): undefined => undefined;
  reconcile: Forwarder["reconcile"] = async (input) => {
    this.#steps.push("program");
    if (this.fault !== undefined) throw this.fault;
    this.input = input;
    const { conflicts, refused, whole, isGathering } = this;
    return {
      writes: 0,
      counts: new Map(),
      changes: [],
      conflicts,
      refused,
      isComplete: whole === undefined,
      whole: whole ?? new Set(),
      isGathering,
    };
  };

  remove = async (): Promise<void> => {
    this.#steps.push("empty");
    if (this.fault !== undefined) throw this.fault;
  };

  counts = () => NO_COUNTS;
  difference = (): unknown => this.differs;
  close(): void {}
}

export class FakeReporter {
  status: Status | undefined;
  readonly conditions = [];
  report = (status: Status): void => {
    this.status = status;
  };
}

/** Parts of a speaker on `node`, all fakes. */
export function fakeParts(node: string) {
  const steps: string[] = [];
  const emitted: string[] = [];
  const triggers: string[] = [];
  const knowledge = new FakeKnowledge();
  const members = new FakeMembers();
  const attractor = new FakeAttractor(steps);
  const router = new FakeRouter(steps);
  const forwarder = new FakeForwarder(steps);
  const reporter = new FakeReporter();
  const monitor: Links = { links: () => [], waysTo: (addresses) => addresses.map(() => undefined) };
  const events = new SpeakerEvents({
    node,
    namespace: "genkan-system",
    log: silentLogger,
    events: {
      emit: ({ kind, metadata }, { reason }) => void emitted.push(`${kind} ${metadata.name} ${reason}`),
    },
    onOwnership() {},
    uidOf: (service) => knowledge.services.get(service)?.uid,
    tenureOf: (vip) => owners.tenureOf(vip),
  });
  const probe = { trouble: undefined, set() {} };
  const still = { paths: { trouble: undefined }, host: { trouble: undefined } };
  const clock = new FakeClock();
  const owners = new Owners({
    ...{ node, clock, log: silentLogger },
    gossip: { tell() {}, say() {} },
    isMember: () => true,
    isHeard: () => false,
    onChange: () => undefined,
  });
  const health = new FakeHealth();
  const notifier = new FakeNotifier();
  const drains = new Drains({ clock, onChange: () => void triggers.push("pass") });
  const shared = {
    node,
    notifier,
    knowledge,
    members,
    owners,
    health,
    drains,
    monitor,
    attractor,
    router,
    forwarder,
    probe,
  };
  const parts: SpeakerParts = {
    ...{ ...shared, clock },
    log: silentLogger,
    reporting: new Reporting({ ...shared, ...still, clock, reporter, events }),
    traces: { planned() {}, passed() {} },
    cannotSend: () => undefined,
    trigger: () => void triggers.push("pass"),
    isDue: () => false,
  };
  return { parts, steps, emitted, triggers, ...shared, reporter };
}
