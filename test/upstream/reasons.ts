/** Why a spec does not pass in a mode. One that fails for another reason, or that no line names, makes the run fail. */
import type { Mode } from "#test/upstream/modes.ts";
import { type Outcome, shortName } from "#test/upstream/specs.ts";

interface Reason {
  readonly modes: readonly Mode[];
  /** Of its short name. */
  readonly spec: RegExp;
  /** The test's own words. */
  readonly why: RegExp;
  readonly text: string;
}

const PROXY_MODE =
  "The spec leaves itself out where a load balancer forwards by itself and says so (`ipMode: Proxy`), because Kubernetes has not settled what such a one owes to pods (issue 123714 of Kubernetes). The mode with kube-proxy's forwarding is there to run it.";
const ONE_NODE =
  "In layer 2 one node takes all traffic of an address, and with `externalTrafficPolicy: Local` it gives new connections to its own pods alone. So one client sees one pod, and the spec, which waits for two, ends. It is so with every load balancer of layer 2. By BGP the router spreads connections over the nodes.";
const ONE_FAMILY =
  "Genkan's part is right: traffic goes to the node with the pod. The spec then asks kube-proxy at `healthCheckNodePort` of each address of each node, and kube-proxy answers at addresses of the Service's own families alone. The nodes of the lab have both families, the Service has one. Whoever balances to a Service of one family asks in that family. The mode with dual stack is there to run it to its end.";
const BY_PORTS =
  "The router chooses the node by addresses and ports, so connections of one client reach several nodes, and with `externalTrafficPolicy: Local` each gives them to its own pod. `sessionAffinity` cannot hold across them. It holds where the router chooses by addresses alone, which is how routers have to be set for it.";

const WGET =
  "In this run the program wget of the tests' pods crashed. By hand, as the spec would have seen it: the client outside and the pod outside the ranges got no answer, the other pod did. The image has another wget now; the spec has not been run to its end since.";

const REASONS: readonly Reason[] = [
  {
    modes: ["layer2", "bgp"],
    spec: /ExternalTrafficPolicy: Local should work (for type=LoadBalancer|from pods)/,
    why: /LoadBalancer uses 'Proxy' IPMode/,
    text: PROXY_MODE,
  },
  {
    modes: ["layer2"],
    spec: /should be able to switch session affinity for LoadBalancer service with Local/,
    why: /Affinity shouldn't hold but did/,
    text: ONE_NODE,
  },
  {
    modes: ["layer2"],
    spec: /ExternalTrafficPolicy: Local should target all nodes with endpoints/,
    why: /Affinity shouldn't hold but did|only reached one of the two endpoints/,
    text: ONE_NODE,
  },
  {
    modes: ["layer2", "bgp"],
    spec: /ExternalTrafficPolicy: Local should only target nodes with endpoints/,
    why: /healthCheckNodePort: expected at least \d+ succeed=true on fd30:/,
    text: ONE_FAMILY,
  },
  {
    modes: ["bgp"],
    spec: /session affinity .*with Local/,
    why: /Affinity should hold but didn't/,
    text: BY_PORTS,
  },
  {
    modes: ["layer2"],
    spec: /source ranges/,
    why: /busybox's wget: Segmentation fault/,
    text: WGET,
  },
];

/** Pure. */
export function reasonFor(mode: Mode, { spec, why = "" }: Pick<Outcome, "spec" | "why">): string | undefined {
  const name = shortName(spec);
  return REASONS.find((each) => each.modes.includes(mode) && each.spec.test(name) && each.why.test(why))
    ?.text;
}
