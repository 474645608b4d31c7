/** `genkan explain SERVICE`: from the address to the pod, step by step, and the first step that is broken. Pure. */
import { printable } from "#api/printable.ts";
import { type Answer, EXIT } from "#cli/answer.ts";
import { addressStep, idsStep, serviceStep } from "#cli/explain/address.ts";
import type { Client } from "#cli/explain/client.ts";
import { choicesOf, connectionStep, otherwise } from "#cli/explain/connection.ts";
import { endpointsStep } from "#cli/explain/endpoints.ts";
import { type Compared, compareEntries } from "#cli/explain/entries.ts";
import { nodesStep } from "#cli/explain/nodes.ts";
import { forwardingStep, sessionsStep } from "#cli/explain/paths.ts";
import type { Step } from "#cli/explain/step.ts";
import { balancerOf } from "#cli/ours.ts";
import { viewOf, type World, type WorldSnapshot, worldOf } from "#cli/world.ts";
import type { Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import type { ForwardedPort } from "#speaker/forwarding/types.ts";
import type { LoadBalancerView, ServiceView } from "#speaker/known/view.ts";
import { type Plan, Planner } from "#speaker/plan/plan.ts";

/** There is no such Service of type LoadBalancer. */
export class NoServiceError extends Error {
  override readonly name = "NoServiceError";
  readonly code = "NO_SERVICE";

  constructor(key: string) {
    super(`there is no Service ${key} of type LoadBalancer`);
  }
}

/** The steps of the way to one Service's pods, and the first of them that is broken. */
export interface Explanation {
  readonly service: string;
  readonly steps: readonly Step[];
  readonly broken?: Pick<Step, "step" | "says">;
  /** Nodes differ, which may be a change on its way: another look some seconds later tells. */
  readonly unsure?: string;
}

/** What an explanation depends on beside the snapshot. */
export interface Asked {
  /** Of one connection. */
  readonly client?: Client | undefined;
  /** An earlier look. */
  readonly earlier?: Pick<WorldSnapshot, "speakers"> | undefined;
}

/** `key`: `namespace/name`; `world`: that of the snapshot. NoServiceError. */
export function explanationOf(
  snapshot: WorldSnapshot,
  key: string,
  { world, ...asked }: Asked & { readonly world: World },
): Explanation {
  const service = snapshot.services.find((one) => keyOf(one) === key);
  if (service === undefined) throw new NoServiceError(key);
  const { steps, unsure } = stepsOf(snapshot, service, { world, ...asked });
  const broken = steps.find(({ isOk }) => !isOk);
  return {
    service: key,
    steps,
    ...(broken !== undefined && { broken: { step: broken.step, says: broken.says } }),
    ...(unsure !== undefined && { unsure }),
  };
}

/** As explanationOf. */
export function explain(
  snapshot: WorldSnapshot,
  key: string,
  asked: Asked = {},
): Answer & { readonly value: Explanation } {
  const explanation = explanationOf(snapshot, key, { world: worldOf(snapshot), ...asked });
  const { steps, broken } = explanation;
  const verdict =
    broken === undefined ? `nothing is broken on the way to Service ${key}` : `broken: ${broken.says}`;
  return {
    text: [`Service ${key}`, ...steps.flatMap(linesOf), verdict]
      .map((line) => `${printable(line)}\n`)
      .join(""),
    value: explanation,
    exitCode: broken === undefined ? EXIT.well : EXIT.notWell,
  };
}

const linesOf = ({ step: name, isOk, says, details }: Step): string[] => [
  `${isOk ? "ok    " : "BROKEN"} ${name}: ${says}`,
  ...details.filter((line) => line !== "").map((line) => `         ${line}`),
];

function stepsOf(
  snapshot: WorldSnapshot,
  service: Service,
  { world, client, earlier }: Asked & { readonly world: World },
): { readonly steps: readonly Step[]; readonly unsure?: string } {
  const balancer = balancerOf(snapshot.loadBalancers);
  const begin = serviceStep(service, balancer);
  const steps = [begin, addressStep(service, world), idsStep(service)];
  const { loadBalancer } = world;
  const view = world.services.get(keyOf(service));
  // What follows begins with an address: without one there is nothing to look at.
  if (!begin.isOk || loadBalancer === undefined || view === undefined)
    return { steps: steps.slice(0, begin.isOk ? 2 : 1) };
  const plans = plansOf(world, loadBalancer, view);
  const [
    first = new Planner().plan(viewOf(world, loadBalancer, { node: "", services: sharersOf(world, view) })),
  ] = plans.values();
  const addresses = first.addresses.filter(({ services }) => services.includes(view.key));
  const forwarded = new Map(
    [...plans].map(([node, { ports }]) => [node, ports.filter((port) => port.service === view.key)]),
  );
  const { speakers, slices } = world;
  const sessions = sessionsStep(addresses, world, snapshot.speakers);
  steps.push(
    nodesStep({ world, loadBalancer, addresses, statuses: snapshot.speakers }),
    ...(sessions === undefined ? [] : [sessions]),
  );
  if (loadBalancer.mode !== "IPVS") return { steps };
  const ports = [...forwarded.values()][0] ?? first.ports.filter((port) => port.service === view.key);
  const pods = (slices.get(view.key) ?? []).flatMap(({ endpoints }) => endpoints);
  const { step: entries, unsure }: Compared = compareEntries(
    { ports, pods: pods.map(({ address }) => address), live: speakers.live },
    snapshot.speakers,
    earlier?.speakers,
  );
  steps.push(
    endpointsStep({
      slices: slices.get(view.key) ?? [],
      ports,
      leftOut: first.leftOut.filter(({ services }) => services.includes(view.key)),
      dead: speakers.dead,
    }),
    forwardingStep(
      nodesOf(addresses, forwarded),
      { service: view.key, vips: view.vips, speakers },
      snapshot.speakers,
    ),
    ...(entries === undefined ? [] : [entries]),
  );
  if (client !== undefined) {
    const places = new Map(pods.map(({ address, node }) => [address, node] as const));
    const changes = otherwise(client, forwarded, (address) => places.get(address) ?? "");
    steps.push(connectionStep(client, choicesOf(client, forwarded), changes));
  }
  return { steps, ...(unsure !== undefined && { unsure }) };
}

/** Node with a live speaker -> what it plans, sorted by name. */
function plansOf(world: World, loadBalancer: LoadBalancerView, view: ServiceView): ReadonlyMap<string, Plan> {
  const services = sharersOf(world, view);
  return new Map(
    world.speakers.live.map((node) => [
      node,
      new Planner().plan(viewOf(world, loadBalancer, { node, services })),
    ]),
  );
}

/** The Service with those that claim an address or an id of it, too: all that its plan depends on. */
function sharersOf({ services }: World, view: ServiceView): ReadonlyMap<string, ServiceView> {
  const ids = new Set(Object.values(view.ids));
  const shares = (other: ServiceView): boolean =>
    other.vips.some((vip) => view.vips.includes(vip)) || Object.values(other.ids).some((id) => ids.has(id));
  return new Map([...services].filter(([, other]) => shares(other)));
}

/** Those that attract an address, and those with an endpoint: packets come in at one and end at the other. */
function nodesOf(
  addresses: Plan["addresses"],
  forwarded: ReadonlyMap<string, readonly ForwardedPort[]>,
): string[] {
  const attracting = addresses.flatMap(({ owner, candidates }) =>
    owner === undefined ? candidates : [owner],
  );
  const ending = [...forwarded]
    .filter(([, ports]) => ports.some(({ endpoints }) => endpoints.some(({ isLocal }) => isLocal)))
    .map(([node]) => node);
  return [...new Set([...attracting, ...ending])].sort();
}
