/**
 * What a speaker's pass costs at 10,000 Services of 10 endpoints, with fakes of kernel, layer 2 and BGP: from nothing,
 * when nothing changed, when one slice did, when a node died and came back; and how long after a death the first
 * address is taken over. Prints one JSON object a line. Ratios are against the plan from nothing in the same run, in
 * processor time, so that a busy machine does not change them.
 */
import type { EndpointView, ServiceView, SliceView } from "#speaker/known/view.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { Speaker } from "#speaker/speaker.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";

const SERVICES = 10_000;
const ENDPOINTS = 10;
const ROUNDS = 40;
const SIZE = `${SERVICES}x${ENDPOINTS}`;

interface Cost {
  readonly cpuMs: readonly number[];
  readonly wallMs: readonly number[];
}

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
const cpuNow = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** `start` prepares a round and returns what is measured. */
async function measure(start: (round: number) => () => unknown, rounds = ROUNDS): Promise<Cost> {
  const [cpuMs, wallMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const work = start(round);
    const [cpu, wall] = [cpuNow(), performance.now()];
    await work();
    cpuMs.push(cpuNow() - cpu);
    wallMs.push(performance.now() - wall);
  }
  const ascending = (list: number[]): number[] => list.sort((a, b) => a - b);
  return { cpuMs: ascending(cpuMs), wallMs: ascending(wallMs) };
}

interface Bar {
  /** At most so much of the plan from nothing. */
  readonly ratio?: { readonly bar: number; readonly against: Cost };
  /** Milliseconds on the clock, p99. */
  readonly p99?: number;
}

function print(name: string, { cpuMs, wallMs }: Cost, { ratio, p99 }: Bar = {}): boolean {
  const figures = {
    p50_ms: at(wallMs, 0.5),
    p99_ms: at(wallMs, 0.99),
    p50_cpu_ms: at(cpuMs, 0.5),
    p99_cpu_ms: at(cpuMs, 0.99),
  };
  const share = ratio && at(cpuMs, 0.5) / at(ratio.against.cpuMs, 0.5);
  const met = (share ?? 0) <= (ratio?.bar ?? 0) && figures.p99_ms <= (p99 ?? Number.POSITIVE_INFINITY);
  const line = {
    name,
    ...Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, rounded(value)])),
    ...(share !== undefined && { ratio: rounded(share), against: "plan-cold", bar: ratio?.bar }),
    ...(p99 !== undefined && { bar: p99 }),
    ...((share !== undefined || p99 !== undefined) && { met }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return met;
}

const nameOf = (node: number): string => `node-${String(node).padStart(3, "0")}`;

function endpointOf(service: number, endpoint: number, nodes: number): EndpointView {
  const address = `10.${(service >> 8) & 255}.${service & 255}.${endpoint + 1}`;
  const node = nameOf((service + endpoint) % nodes);
  return { address, node, isReady: true, isServing: true, isTerminating: false };
}

function serviceOf(service: number): ServiceView {
  return {
    key: `ns-${service % 100}/web-${service}`,
    uid: String(service),
    createdAt: "2026-01-01T00:00:00Z",
    vips: [`172.21.${service >> 8}.${service & 255}`],
    ids: { "IPv4/TCP/80": service + 1 },
    ports: [{ name: "", protocol: "TCP", port: 80 }],
    isLocal: false,
    hasAffinity: false,
    sourceRanges: { IPv4: [], IPv6: [] },
  };
}

const sliceOf = (service: string, endpoints: readonly EndpointView[]): SliceView => ({
  family: "IPv4",
  service,
  ports: [{ name: "", protocol: "TCP", port: 8_080 }],
  endpoints,
});

/** A speaker on the first of `nodes`, which all live, after the passes that a start needs. */
async function world(nodes: number) {
  const names = Array.from({ length: nodes }, (_, node) => nameOf(node));
  const fakes = fakeParts(nameOf(0));
  const { knowledge, members, attractor } = fakes;
  const states = new Map<string, string>();
  for (const [node, name] of names.entries()) {
    const own = `172.20.${node >> 8}.${node & 255}`;
    knowledge.nodes.set(name, { name, labels: {}, addresses: { IPv4: own }, own: [own] });
    const links = [{ name: "eth0", prefixes: [`${own}/14`], hardware: "020000000001" }];
    states.set(name, JSON.stringify({ isReady: true, links }));
  }
  const link = { name: "eth0", index: 2, hardware: "020000000001", isUp: true, prefixes: ["172.20.0.0/14"] };
  const pool = {
    name: "pool",
    addresses: ["172.21.0.0/16"],
    protocol: "layer2",
    nodeSelectors: [],
    interfaces: [],
  };
  knowledge.setPools({ ...pool, advertisements: [] });
  const services = Array.from({ length: SERVICES }, (_, service) => serviceOf(service));
  const endpoints = (service: number): EndpointView[] =>
    Array.from({ length: ENDPOINTS }, (_, endpoint) => endpointOf(service, endpoint, nodes));
  for (const [number, service] of services.entries())
    knowledge.put(service, sliceOf(service.key, endpoints(number)));
  const judge = (...dead: string[]): void => {
    const live = names.filter((name) => !dead.includes(name));
    members.judgement = { ...members.judgement, live, dead, states, isFrozen: false };
  };
  judge();
  const speaker = new Speaker({ ...fakes.parts, monitor: { links: () => [link] } });
  for (const _ of [1, 2, 3]) await speaker.pass();
  /** Resolves when the next addresses are given to layer 2. */
  const takeover = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const set = attractor.set.bind(attractor);
    attractor.set = (links, wanted) => {
      resolve();
      attractor.set = set;
      return set(links, wanted);
    };
    return promise;
  };
  const change = (round: number): void => {
    const service = services[(round * 7) % SERVICES];
    if (service === undefined) return;
    const [slice] = knowledge.slicesOf(service.key);
    knowledge.put(service, sliceOf(service.key, (slice?.endpoints ?? []).slice(1)));
  };
  const victim = (round: number): string => nameOf(1 + (round % (nodes - 1)));
  return {
    knowledge,
    speaker,
    judge,
    takeover,
    change,
    victim,
    loadBalancer: knowledge.balancer,
    names,
    states,
  };
}

async function run(nodes: number): Promise<boolean> {
  const { knowledge, speaker, judge, takeover, change, victim, loadBalancer, names } = await world(nodes);
  if (loadBalancer === undefined) throw new Error("the fake has no LoadBalancer");
  const view = {
    node: nameOf(0),
    loadBalancer,
    nodes: knowledge.nodes,
    pools: knowledge.pools.current(),
    services: knowledge.services,
    slicesOf: knowledge.slicesOf,
    members: {
      live: names,
      dead: [],
      states: new Map(
        names.map((name, node) => {
          const prefixes = [`172.20.${node >> 8}.${node & 255}/14`];
          return [name, { isReady: true, links: [{ name: "eth0", prefixes }] }];
        }),
      ),
    },
  };
  const size = `${SIZE}-${nodes}-nodes`;
  const cold = await measure(() => () => new Planner().plan(view), 8);
  print(`plan-cold-${size}`, cold);
  const idle = await measure(() => () => speaker.pass());
  const slice = await measure((round) => {
    change(round);
    return () => speaker.pass();
  });
  const turns = { next: 0 };
  const dies = (): void => judge(victim(turns.next));
  const comesBack = (): void => {
    judge();
    turns.next += 1;
  };
  let passing: Promise<unknown> = Promise.resolve();
  const takeovers: { readonly cpuMs: number[]; readonly wallMs: number[] } = { cpuMs: [], wallMs: [] };
  const death = await measure(() => {
    const begun = takeover();
    return async () => {
      const [cpu, wall] = [cpuNow(), performance.now()];
      dies();
      passing = speaker.pass();
      await begun;
      takeovers.cpuMs.push(cpuNow() - cpu);
      takeovers.wallMs.push(performance.now() - wall);
      await passing;
      comesBack();
      await speaker.pass();
    };
  });
  for (const list of [takeovers.cpuMs, takeovers.wallMs]) list.sort((a, b) => a - b);
  const results = [
    print(`pass-idle-${size}`, idle, { ratio: { bar: 0.02, against: cold } }),
    print(`pass-one-slice-${size}`, slice, { ratio: { bar: 0.03, against: cold } }),
    print(`pass-death-and-return-${size}`, death, { ratio: { bar: 1.5, against: cold } }),
    print(`takeover-start-${SERVICES}-${nodes}-nodes`, takeovers, { p99: 50 }),
  ];
  return results.every(Boolean);
}

const results = [await run(10), await run(100)];
process.exitCode = results.every(Boolean) ? 0 : 1;
