/** Which endpoints a Service has, and which of them get new connections and why not the others. Pure. */
import { type Step, step } from "#cli/explain/step.ts";
import type { ForwardedPort } from "#speaker/forwarding/types.ts";
import type { EndpointView, SliceView } from "#speaker/known/view.ts";
import type { LeftOut } from "#speaker/plan/claims.ts";

export interface EndpointsInput {
  readonly slices: readonly SliceView[];
  /** Of the Service, as one node forwards them: what is served is the same on all of them. */
  readonly ports: readonly ForwardedPort[];
  readonly leftOut: readonly LeftOut[];
  readonly dead: readonly string[];
}

export function endpointsStep({ slices, ports, leftOut, dead }: EndpointsInput): Step {
  const served = new Set<string>();
  const kept = new Set<string>();
  for (const { endpoints } of ports)
    for (const { address, isServing } of endpoints) (isServing ? served : kept).add(address);
  const views = new Map<string, EndpointView>();
  for (const { endpoints } of slices) for (const view of endpoints) views.set(view.address, view);
  const lines = [...views.values()].map((view) => {
    const where = view.node === "" ? "on no node" : `on ${view.node}`;
    if (served.has(view.address)) return `${view.address} ${where} is used`;
    const why = whyUnused(view, { dead, isNamed: ports.length > 0 });
    const open = kept.has(view.address) ? "; connections that it has go on" : "";
    return `${view.address} ${where} is not used: ${why}${open}`;
  });
  const refused = leftOut.map(({ message }) => message);
  const details = [...lines.sort(), ...refused];
  const empty = ports.filter(({ endpoints }) => !endpoints.some(({ isServing }) => isServing));
  if (views.size === 0)
    return step(
      "endpoints",
      false,
      "no EndpointSlice of the Service has an endpoint: no pod matches its selector",
      details,
    );
  if (ports.length === 0)
    return step("endpoints", false, refused[0] ?? "no port of it is forwarded", details);
  const [first] = empty;
  if (first !== undefined)
    return step(
      "endpoints",
      false,
      `${first.vip} ${first.protocol}/${first.port} has no usable endpoint, so connections are refused`,
      details,
    );
  return step("endpoints", true, `${served.size} of ${views.size} endpoints get new connections`, details);
}

function whyUnused(
  { isReady, isTerminating, node }: EndpointView,
  { dead, isNamed }: { readonly dead: readonly string[]; readonly isNamed: boolean },
): string {
  if (isTerminating) return "it terminates";
  if (!isReady) return "it is not ready";
  if (dead.includes(node)) return "the speaker of its node is silent, and other nodes have endpoints";
  return isNamed ? "its slice has no port of the Service" : "no port of the Service is forwarded";
}
