/** Whose open connections a change may break, and how many of them. Pure. */
import { DEFAULT_SCHEDULER } from "#api/scheduler.ts";
import type { World } from "#cli/world.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";
import type { Difference } from "./difference.ts";

/** What decides about a Service's open connections. */
export interface Flows {
  /** Addresses of pods that get connections, sorted. */
  readonly pods: readonly string[];
  /** Why open connections break when an address moves; absent: they go on (docs/layer2.md). */
  readonly breaksBy?: string;
}

export interface Risk {
  readonly service: string;
  /** Of its open connections, from 0 to 1: with Maglev hashing each pod has as many as another. */
  readonly share: number;
  /** A sentence each. */
  readonly why: readonly string[];
}

/** Of each Service of ours that has an address. */
export function flowsOf(world: World, plans: readonly AddressPlan[]): ReadonlyMap<string, Flows> {
  const keys = new Set(plans.flatMap(({ services }) => services));
  return new Map(
    [...keys].map((key) => {
      const slices = world.slices.get(key) ?? [];
      const pods = slices.flatMap(({ endpoints }) =>
        endpoints.flatMap(({ address, isReady }) => (isReady ? [address] : [])),
      );
      const breaksBy = breaking(world, key);
      return [key, { pods: [...new Set(pods)].sort(), ...(breaksBy !== undefined && { breaksBy }) }];
    }),
  );
}

function breaking({ loadBalancer, services }: World, key: string): string | undefined {
  if (loadBalancer === undefined) return undefined;
  const { scheduler = loadBalancer.scheduler, isLocal = false } = services.get(key) ?? {};
  if (loadBalancer.mode === "KubeProxy") return "kube-proxy forwards, and knows them on one node only";
  if (loadBalancer.translates === true) return "with returnPath SNAT they go by one node";
  if (isLocal) return "with externalTrafficPolicy Local each node uses its own pods";
  if (scheduler !== DEFAULT_SCHEDULER)
    return `the scheduler ${scheduler} does not pick the same pod on every node`;
  return undefined;
}

interface Side {
  readonly flows: ReadonlyMap<string, Flows>;
  /** Address -> Services that have it. */
  readonly users: ReadonlyMap<string, readonly string[]>;
}

/** Those with the largest share first. */
export function risksOf(before: Side, after: Side, { services, moves }: Difference): readonly Risk[] {
  const risks = new Map<string, { share: number; why: string[] }>();
  const add = (service: string, share: number, why: string): void => {
    const risk = risks.get(service) ?? { share: 0, why: [] };
    risk.share = Math.max(risk.share, share);
    risk.why.push(why);
    risks.set(service, risk);
  };
  for (const { service, lost } of services)
    if (lost.length > 0) add(service, 1, `it loses ${lost.join(", ")}`);
  for (const { address } of moves)
    for (const service of before.users.get(address) ?? []) {
      const { breaksBy } = before.flows.get(service) ?? {};
      if (breaksBy !== undefined) add(service, 1, `${address} moves: ${breaksBy}`);
    }
  for (const [service, { pods }] of before.flows) {
    const kept = new Set(after.flows.get(service)?.pods);
    const gone = pods.filter((pod) => !kept.has(pod));
    if (gone.length > 0 && after.users.size > 0)
      add(service, gone.length / pods.length, `${gone.length} of ${pods.length} pods go`);
  }
  return [...risks]
    .map(([service, { share, why }]) => ({ service, share, why }))
    .sort((a, b) => b.share - a.share || (a.service < b.service ? -1 : 1));
}

export const usersOf = (plans: readonly AddressPlan[]): ReadonlyMap<string, readonly string[]> =>
  new Map(plans.map(({ vip, services }) => [vip, services]));
