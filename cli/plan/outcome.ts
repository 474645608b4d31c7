/** What controller and speakers make of a cluster: addresses, who attracts them, and what routers hear. Pure. */
import { addressesOfNode, Reserved } from "#api/reserved.ts";
import { addressesOf } from "#cli/list/owners.ts";
import { balancerOf } from "#cli/ours.ts";
import type { PlanSnapshot } from "#cli/plan/change.ts";
import { type Flows, flowsOf, usersOf } from "#cli/plan/risk.ts";
import { advertisedBy } from "#cli/prefixes.ts";
import { worldOf } from "#cli/world.ts";
import type { Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { PoolJudge, settingsOf } from "#controller/allocation/configuration.ts";
import { projectService } from "#controller/allocation/service.ts";
import { planStatus } from "#controller/status/plan.ts";

export interface Given {
  readonly addresses: readonly string[];
  /** Why it has not got all that it asks for. */
  readonly refusal?: string;
}

export interface Outcome {
  /** Service -> what it has. Only Services of ours. */
  readonly services: ReadonlyMap<string, Given>;
  /** Address -> nodes that attract it: the owner, or all that advertise it. */
  readonly nodes: ReadonlyMap<string, readonly string[]>;
  /** `node peer` -> prefixes that the router hears from the node. */
  readonly prefixes: ReadonlyMap<string, readonly string[]>;
  /** Service -> what decides about its open connections. */
  readonly flows: ReadonlyMap<string, Flows>;
  /** Address -> Services that have it. */
  readonly users: ReadonlyMap<string, readonly string[]>;
}

/** One controller that sees the cluster first as it is and then as it would be: what it gave before, it remembers. */
export class Foresight {
  readonly #allocator = new Allocator();
  readonly #judge: PoolJudge;

  constructor(namespace: string) {
    this.#judge = new PoolJudge(namespace);
  }

  outcome(snapshot: PlanSnapshot): Outcome {
    const settled = this.#settle(snapshot);
    const world = worldOf({ ...snapshot, services: settled.services });
    const plans = addressesOf(world);
    const advertised = plans.filter(({ pool }) => world.pools.get(pool)?.protocol === "bgp");
    const prefixes = new Map<string, readonly string[]>();
    for (const node of world.speakers.live)
      for (const told of advertisedBy(world, node, advertised))
        prefixes.set(`${node} ${told.peer}`, told.prefixes);
    return {
      services: settled.given,
      nodes: new Map(
        plans.map(({ vip, owner, candidates }) => [vip, owner === undefined ? candidates : [owner]]),
      ),
      prefixes,
      flows: flowsOf(world, plans),
      users: usersOf(plans),
    };
  }

  /** Services with the status that the controller would write. */
  #settle(snapshot: PlanSnapshot): {
    readonly services: readonly Service[];
    readonly given: ReadonlyMap<string, Given>;
  } {
    const settings = settingsOf(balancerOf(snapshot.loadBalancers));
    const given = new Map<string, Given>();
    // Without a LoadBalancer nobody writes: what Services have stays, and nobody does anything for it.
    if (settings === undefined) return { services: snapshot.services, given };
    const { pools } = this.#judge.judge(snapshot.pools, labelsOf(snapshot), reservedOf(snapshot));
    const records = snapshot.services.flatMap((service) => projectService(service) ?? []);
    const { loadBalancerClass, ipMode } = settings;
    this.#allocator.rebuild({ pools, loadBalancerClass, isWhole: ipMode === "VIP" }, records);
    const byKey = new Map(records.map((record) => [record.key, record]));
    const context = { ipMode, now: snapshot.at, isOurAddress: () => true };
    const services = snapshot.services.map((service) => {
      const key = keyOf(service);
      const record = byKey.get(key);
      const outcome = this.#allocator.outcome(key);
      if (record === undefined) return service;
      if (outcome !== undefined)
        given.set(key, {
          addresses: (outcome.allocation?.vips ?? []).map(({ address }) => address),
          ...(outcome.refusal !== undefined && {
            refusal: `${outcome.refusal.reason}: ${outcome.refusal.message}`,
          }),
        });
      return withStatus(service, planStatus(record, outcome, context)?.patch.status);
    });
    return { services, given };
  }
}

type StatusPatch = NonNullable<ReturnType<typeof planStatus>>["patch"]["status"];

function withStatus(service: Service, patch: StatusPatch): Service {
  if (patch === undefined) return service;
  const { loadBalancer, conditions } = patch;
  const status = {
    ...service.status,
    ...(loadBalancer !== undefined && { loadBalancer: { ingress: [...(loadBalancer.ingress ?? [])] } }),
    ...(conditions !== undefined && { conditions: [...conditions] }),
  };
  return { ...service, status } as Service;
}

function labelsOf({
  namespaces,
}: PlanSnapshot): (namespace: string) => Readonly<Record<string, string>> | undefined {
  const known = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  return (namespace) => known.get(namespace);
}

/** As controller/reserved-watch.ts gathers it. */
function reservedOf({ nodes, serviceCIDRs }: PlanSnapshot): Reserved {
  return new Reserved(
    nodes.map(addressesOfNode),
    serviceCIDRs.flatMap(({ spec }) => spec?.cidrs ?? []),
  );
}
