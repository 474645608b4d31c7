/** Which nodes attract a Service's addresses, and why each other one does not: as all speakers decide it. Pure. */
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { type Step, step } from "#cli/explain/step.ts";
import type { World } from "#cli/world.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { hasLabels, selectsAny } from "#common/kube/selector.ts";
import { linksFor } from "#speaker/known/links.ts";
import type { LoadBalancerView, NodeView, PoolView } from "#speaker/known/view.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";
import { elect } from "#speaker/plan/elect.ts";

export interface NodesInput {
  readonly world: World;
  readonly loadBalancer: LoadBalancerView;
  /** Of the Service's addresses. */
  readonly addresses: readonly AddressPlan[];
  readonly statuses: readonly SpeakerStatus[];
}

export function nodesStep(input: NodesInput): Step {
  const { addresses, statuses, world } = input;
  const details = addresses.flatMap((plan) => [...movesOf(plan, statuses), ...excluded(plan, input)]);
  const unowned = addresses.filter(({ unowned }) => unowned !== undefined);
  const [first] = unowned;
  if (first !== undefined) {
    const why =
      first.unowned === "NoUsableEndpoint"
        ? "no Service that has it has a usable endpoint"
        : "no node may attract it";
    return step("nodes", false, `nobody attracts ${first.vip}: ${why}`, details);
  }
  const strayed = addresses.flatMap((plan) => {
    const others = reporting(plan.vip, statuses, world).filter((node) => node !== plan.owner);
    return plan.owner === undefined || others.length === 0
      ? []
      : [`${plan.vip} belongs to ${plan.owner}, and ${others.join(", ")} reports it as its own`];
  });
  if (strayed[0] !== undefined) return step("nodes", false, strayed[0], details);
  return step("nodes", true, addresses.map(attraction).join("; "), details);
}

/** Of earlier owners; `genkan history` has all. */
const LAST_MOVES = 3;

/** Since when and why the owner has it, by its own report, and who had it before, the latest first. */
function movesOf({ vip, owner }: AddressPlan, statuses: readonly SpeakerStatus[]): string[] {
  if (owner === undefined) return [];
  const now = statuses
    .find(({ metadata }) => metadata.name === owner)
    ?.status?.addresses?.find(({ address }) => address === vip);
  const before = statuses
    .flatMap(({ metadata, status }) =>
      (status?.formerAddresses ?? []).flatMap(({ address, until, reason = "not known" }) =>
        address === vip
          ? [{ until, line: `${vip}: until ${until} ${metadata.name} had it (${reason})` }]
          : [],
      ),
    )
    .sort((a, b) => (a.until > b.until ? -1 : 1))
    .slice(0, LAST_MOVES)
    .map(({ line }) => line);
  if (now?.since === undefined) return before;
  return [`${vip}: since ${now.since} ${owner} has it (${now.reason ?? "not known"})`, ...before];
}

function attraction({ vip, owner, candidates, unowned }: AddressPlan): string {
  if (unowned !== undefined) return `${vip}: ${unowned}`;
  if (owner !== undefined)
    return `${vip} is answered for by ${owner}, which ${
      elect({ vip, candidates }) === owner ? "has the highest score of" : "has had it, and keeps it among"
    } ${candidates.length} candidates`;
  return `${vip} is advertised by ${candidates.join(", ")}`;
}

function reporting(vip: string, statuses: readonly SpeakerStatus[], { speakers }: World): string[] {
  return statuses
    .filter(({ metadata }) => speakers.live.includes(metadata.name))
    .filter(({ status }) => status?.addresses?.some(({ address }) => address === vip) === true)
    .map(({ metadata }) => metadata.name);
}

function excluded({ vip, pool, candidates }: AddressPlan, { world, loadBalancer }: NodesInput): string[] {
  const view = world.pools.get(pool);
  if (view === undefined) return [];
  return [...world.nodes.values()]
    .filter(({ name }) => !candidates.includes(name))
    .map((node) => `${node.name} may not: ${whyNot(node, { vip, pool: view, world, loadBalancer })}`)
    .sort();
}

/** Why a node is no candidate, in the order in which speakers ask (speaker/plan/places.ts). */
export function whyNot(
  { name, labels, addresses }: NodeView,
  of: {
    readonly vip: string;
    readonly pool: PoolView;
    readonly world: World;
    readonly loadBalancer: LoadBalancerView;
  },
): string {
  const { world, pool } = of;
  const { live, dead, faults } = world.speakers;
  const state = world.states.get(name);
  if (dead.includes(name)) return "its speaker is silent";
  const fault = faults.get(name);
  if (fault !== undefined) return `the Lease of its speaker cannot be used: ${fault}`;
  if (!live.includes(name)) return "no speaker runs there";
  if (labels[LABEL_EXCLUDE_NODE] !== undefined) return `it has the label ${LABEL_EXCLUDE_NODE}`;
  if (!hasLabels(labels, of.loadBalancer.nodeSelector))
    return "spec.nodeSelector of the LoadBalancer does not select it";
  if (state?.isReady !== true) return "its speaker is not ready";
  if (!selectsAny(pool.nodeSelectors, labels)) return `AddressPool ${pool.name} does not select it`;
  if (pool.protocol === "layer2" && linksFor(of.vip, pool, state, Object.values(addresses)).length === 0)
    return pool.interfaces.length > 0
      ? `it has none of the links ${pool.interfaces.join(", ")} that AddressPool ${pool.name} names, or none that is up`
      : `it has no link for ${of.vip}`;
  return "externalTrafficPolicy is Local, and it has no usable endpoint";
}
