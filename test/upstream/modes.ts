/** How Genkan is configured for a run of Kubernetes' own tests: in layer 2, with kube-proxy's forwarding, or by BGP. */
import type { Layout } from "#hack/lab/layout.ts";
import { type Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/until.ts";
import { LabRouter, NODES_ASN, ROUTER_ASN, type Spread } from "#test/upstream/frr-router.ts";

export const MODES = ["layer2", "kubeproxy", "dualstack", "bgp", "bgp-addresses"] as const;
export type Mode = (typeof MODES)[number];

export const TITLES: Readonly<Record<Mode, string>> = {
  layer2: "layer 2, IPVS",
  kubeproxy: "layer 2, kube-proxy",
  dualstack: "layer 2, dual stack",
  bgp: "BGP, ECMP by ports",
  "bgp-addresses": "BGP, ECMP by addresses",
};

const NOTHING: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined };
const PATIENT = { deadlineMs: 180_000, everyMs: 1_000 } as const;
const POOL = "upstream";

const object = (kind: string, name: string, spec: object): object => ({
  apiVersion: "genkan.dev/v1beta1",
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});

/** In the other modes these leave themselves out, or ask for what is not Genkan's to give (reasons.ts). */
const ONLY: Partial<Record<Mode, RegExp>> = {
  kubeproxy: /Local should work (for type=LoadBalancer|from pods)/,
  "bgp-addresses": /should have session affinity work for LoadBalancer service with Local/,
  dualstack: /Local should only target nodes with endpoints/,
};

/** Whether a mode runs a spec; by its short name. Pure. */
export function runs(mode: Mode, name: string): boolean {
  return ONLY[mode]?.test(name) ?? true;
}

/** Services of the tests, which ask for one family, get both: as if their author had said so. */
function dualStackByDefault(): object[] {
  const name = "genkan-upstream-dual-stack";
  const apiVersion = "admissionregistration.k8s.io/v1";
  const applyConfiguration = {
    expression: 'Object{ spec: Object.spec{ ipFamilyPolicy: "PreferDualStack" } }',
  };
  return [
    {
      apiVersion,
      kind: "MutatingAdmissionPolicy",
      metadata: { name },
      spec: {
        matchConstraints: {
          namespaceSelector: { matchExpressions: [{ key: "e2e-framework", operator: "Exists" }] },
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["services"] },
          ],
        },
        matchConditions: [{ name: "lb", expression: 'object.spec.type == "LoadBalancer"' }],
        failurePolicy: "Fail",
        reinvocationPolicy: "Never",
        mutations: [{ patchType: "ApplyConfiguration", applyConfiguration }],
      },
    },
    {
      apiVersion,
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name },
    },
  ];
}

/** Tried again: a webhook of a busy machine may not answer in time. */
function applied(cluster: Cluster, wanted: object): Promise<unknown> {
  return until(
    "the API server to take what is applied",
    () => cluster.apply(wanted).then(() => true),
    PATIENT,
  );
}

/** Configures the cluster, and waits until it is so; what it resolves to has to be disposed of before the next mode. */
export async function enter(mode: Mode, cluster: Cluster, layout: Layout): Promise<AsyncDisposable> {
  const policies = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";
  await cluster.kubectl(["delete", policies, "--all"]);
  await cluster.kubectl(["delete", "addresspools,bgppeers", "--all", "-n", NAMESPACE, "--ignore-not-found"]);
  const forwarding = { mode: mode === "kubeproxy" ? "KubeProxy" : "IPVS" };
  await applied(cluster, object("LoadBalancer", "loadbalancer", { cleanupFinalizer: true, forwarding }));
  await cluster.available();
  if (mode === "bgp") return enterBgp(cluster, layout, "ports");
  if (mode === "bgp-addresses") return enterBgp(cluster, layout, "addresses");
  const i = layout.instance;
  const addresses = [`172.30.${i}.200-172.30.${i}.250`, `fd30:${i}::200-fd30:${i}::2ff`];
  if (mode === "dualstack")
    await applied(cluster, { apiVersion: "v1", kind: "List", items: dualStackByDefault() });
  await applied(cluster, object("AddressPool", POOL, { protocol: "layer2", addresses }));
  return NOTHING;
}

async function enterBgp(cluster: Cluster, layout: Layout, spread: Spread): Promise<AsyncDisposable> {
  const router = await LabRouter.start(layout, spread);
  try {
    const peer = {
      ...{ myASN: NODES_ASN, peerASN: ROUTER_ASN, peerAddress: layout.router.v4 },
      ...{ connectTime: "1s", enableGracefulRestart: true },
    };
    await applied(cluster, object("AddressPool", POOL, { protocol: "bgp", addresses: ["198.51.100.0/24"] }));
    await applied(cluster, object("BGPPeer", "router", peer));
    await router.peersWithAll(cluster, PATIENT);
    return router;
  } catch (error) {
    await router[Symbol.asyncDispose]();
    throw error;
  }
}
