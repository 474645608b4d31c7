/** What the commands that read a cluster do: each is some kinds to read and a pure function of them. Wiring only. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import { figuresIntervalMs } from "#api/report-pace.ts";
import type { Answer } from "#cli/answer.ts";
import { bundle as gather } from "#cli/bundle/bundle.ts";
import type { ClusterWriter } from "#cli/cluster.ts";
import type { Client } from "#cli/explain/client.ts";
import * as explaining from "#cli/explain/command.ts";
import * as remembering from "#cli/history/command.ts";
import { listOwners } from "#cli/list/owners.ts";
import { listPools } from "#cli/list/pools.ts";
import { listServices } from "#cli/list/services.ts";
import { listBfd, listBgp } from "#cli/list/sessions.ts";
import { drain as draining } from "#cli/move/drain.ts";
import { rebalancing } from "#cli/move/rebalance.ts";
import type { Change } from "#cli/plan/change.ts";
import * as planning from "#cli/plan/command.ts";
import { type ReadOptions, read } from "#cli/read.ts";
import * as judging from "#cli/status/command.ts";
import { type Clock, systemClock } from "#common/clock.ts";
import { loadBalancers } from "#common/kube/resource.ts";

/** What speakers plan from, but for the Leases of the living, which come last so that they are young. */
const OF_PLANS = ["loadBalancers", "pools", "peers", "profiles", "nodes", "services", "slices"] as const;

export async function status(from: ReadOptions): Promise<Answer> {
  return judging.status(
    await read(from, "loadBalancers", "pools", "peers", "profiles", "speakers", "leases", "services"),
  );
}

/** `inNamespace`: only those; undefined: all. */
export async function services(from: ReadOptions, inNamespace: string | undefined): Promise<Answer> {
  return listServices(await read(from, "loadBalancers", "pools", "services"), {
    ...(inNamespace !== undefined && { inNamespace }),
  });
}

export async function owners(from: ReadOptions): Promise<Answer> {
  return listOwners(await read(from, ...OF_PLANS, "speakers", "leases"));
}

export async function pools(from: ReadOptions): Promise<Answer> {
  return listPools(await read(from, "pools"));
}

export async function bgp(from: ReadOptions): Promise<Answer> {
  return listBgp(await read(from, "speakers", "leases"));
}

export async function bfd(from: ReadOptions): Promise<Answer> {
  return listBfd(await read(from, "speakers", "leases"));
}

/** Longer than it takes from a change to what a node can report of it: a pass, and reading. */
const PASS_MS = 4_500;

/** Looks twice where nodes differ, and nothing else is broken. */
export async function explain(
  from: ReadOptions,
  service: string,
  { client, clock }: { readonly client: Client | undefined; readonly clock: Pick<Clock, "sleep"> },
): Promise<Answer> {
  const look = () => read(from, ...OF_PLANS, "speakers", "leases");
  const earlier = await look();
  const answer = explaining.explain(earlier, service, { client });
  const { broken, unsure } = answer.value;
  if (broken !== undefined || unsure === undefined) return answer;
  await clock.sleep(PASS_MS + figuresIntervalMs(earlier.speakers.length));
  return explaining.explain(await look(), service, { client, earlier });
}

export async function history(from: ReadOptions, service: string): Promise<Answer> {
  return remembering.history(await read(from, "services", "speakers", "leases"), service);
}

/** With what the others answer. */
export async function bundle(from: ReadOptions): Promise<Answer> {
  return gather(from, { status, services: (of) => services(of, undefined), owners, pools, bgp, bfd });
}

export async function plan(from: ReadOptions, change: Change): Promise<Answer> {
  return planning.plan(
    await read(from, ...OF_PLANS, "namespaces", "serviceCIDRs", "leases", "speakers"),
    change,
  );
}

/** What a command changes, too. */
type Writing = ReadOptions & { readonly cluster: ClusterWriter };

export async function rebalance(from: Writing, options: { readonly isDryRun: boolean }): Promise<Answer> {
  const { answer, annotations } = rebalancing(await read(from, ...OF_PLANS, "speakers", "leases"), options);
  if (annotations !== undefined) {
    const at = { name: LOADBALANCER_NAME, namespace: from.namespace };
    await from.cluster.patch(loadBalancers, at, { metadata: { annotations } });
  }
  return answer;
}

export function drain(
  from: Writing,
  node: string,
  rest: { readonly timeoutMs: number; readonly tell: (line: string) => void },
): Promise<Answer> {
  return draining(node, { ...from, ...rest, clock: systemClock });
}
