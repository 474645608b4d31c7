/** A speaker with 10,000 Services of 10 endpoints and fakes around it, what is done to it, and how figures are printed. */
import type { EndpointView, ServiceView, SliceView } from "#speaker/known/view.ts";
import { Speaker, type SpeakerParts } from "#speaker/speaker.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";

export const SERVICES = 10_000;
export const ENDPOINTS = 10;
export const ROUNDS = 40;
export const SIZE = `${SERVICES}x${ENDPOINTS}`;

export interface Cost {
  readonly cpuMs: readonly number[];
  readonly wallMs: readonly number[];
}

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
export const cpuNow = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** `start` prepares a round and returns what is measured. */
export async function measure(start: (round: number) => () => unknown, rounds = ROUNDS): Promise<Cost> {
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

export function print(name: string, { cpuMs, wallMs }: Cost, { ratio, p99 }: Bar = {}): boolean {
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

export const nameOf = (node: number): string => `node-${String(node).padStart(3, "0")}`;

/** How large a world is; what is left out is as SIZE says. */
export interface WorldSize {
  readonly services?: number;
  /** Of each Service. */
  readonly endpoints?: number;
}

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
    labels: {},
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
export async function world(
  nodes: number,
  others: Partial<SpeakerParts> = {},
  { services: serviceCount = SERVICES, endpoints: endpointCount = ENDPOINTS }: WorldSize = {},
) {
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
  const link = {
    name: "eth0",
    index: 2,
    hardware: "020000000001",
    isUp: true,
    mtu: 1_500,
    prefixes: ["172.20.0.0/14"],
  };
  const pool = {
    name: "pool",
    addresses: ["172.21.0.0/16"],
    protocol: "layer2",
    nodeSelectors: [],
    interfaces: [],
  };
  knowledge.setPools({ ...pool, advertisements: [] });
  const services = Array.from({ length: serviceCount }, (_, service) => serviceOf(service));
  const endpoints = (service: number): EndpointView[] =>
    Array.from({ length: endpointCount }, (_, endpoint) => endpointOf(service, endpoint, nodes));
  for (const [number, service] of services.entries())
    knowledge.put(service, sliceOf(service.key, endpoints(number)));
  const judge = (...dead: string[]): void => {
    const live = names.filter((name) => !dead.includes(name));
    members.judgement = { ...members.judgement, live, dead, states, isFrozen: false };
  };
  judge();
  const speaker = new Speaker({
    ...fakes.parts,
    monitor: { links: () => [link], waysTo: () => [] },
    ...others,
  });
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
    const service = services[(round * 7) % serviceCount];
    if (service === undefined) return;
    const [slice] = knowledge.slicesOf(service.key);
    knowledge.put(service, sliceOf(service.key, (slice?.endpoints ?? []).slice(1)));
  };
  /** Every Service loses its first endpoint, or has it again. */
  const changeAll = (round: number): void => {
    for (const [number, service] of services.entries())
      knowledge.put(service, sliceOf(service.key, endpoints(number).slice(round % 2)));
  };
  const victim = (round: number): string => nameOf(1 + (round % (nodes - 1)));
  return {
    knowledge,
    speaker,
    judge,
    takeover,
    change,
    changeAll,
    victim,
    loadBalancer: knowledge.balancer,
    names,
    states,
  };
}
