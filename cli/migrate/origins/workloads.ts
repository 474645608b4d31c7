/** MetalLB's Deployment and DaemonSet, as its plain manifests have them -> what a MetalLB object would say. Pure. */
import type { Found } from "#cli/documents.ts";
import { deep, inText, isMap, listOf, metadataOf, type Spec } from "#cli/migrate/source.ts";

const ROLES = ["controller", "speaker"] as const;
type Role = (typeof ROLES)[number];

/** What MetalLB's manifests say by themselves. */
const ORDINARY_TOLERATION = /^node-role\.kubernetes\.io\/(master|control-plane)$/;
const ORDINARY_NODES = ["kubernetes.io/os", "beta.kubernetes.io/os"];

/** undefined: it is none of MetalLB's. */
export function roleOf({ object }: Found): Role | undefined {
  if (object.kind !== "DaemonSet" && object.kind !== "Deployment") return undefined;
  const { labels = {} } = metadataOf(object);
  if (labels.app !== "metallb" && labels["app.kubernetes.io/name"] !== "metallb") return undefined;
  const component = labels["app.kubernetes.io/component"] ?? labels.component;
  return ROLES.find((role) => role === component);
}

/** The part of a LoadBalancer's spec that this workload says. */
export function specOfWorkload({ object }: Found, role: Role): Spec {
  const pod = deep(object, "spec", "template", "spec");
  if (!isMap(pod)) return {};
  const spec: Spec = {};
  const nodes = isMap(pod.nodeSelector) ? Object.entries(pod.nodeSelector) : [];
  const chosen = nodes.filter(([key]) => !ORDINARY_NODES.includes(key));
  const selector = role === "controller" ? "controllerNodeSelector" : "nodeSelector";
  if (chosen.length > 0) spec[selector] = Object.fromEntries(chosen);
  const tolerations = listOf<Spec>(pod, "tolerations").filter(
    (each) => !(isMap(each) && ORDINARY_TOLERATION.test(inText(each.key))),
  );
  if (tolerations.length > 0) spec[`${role}Tolerations`] = tolerations;
  const config: Spec = {};
  for (const name of ["priorityClassName", "runtimeClassName", "affinity"]) {
    if (pod[name] !== undefined) config[name] = pod[name];
  }
  if (Object.keys(config).length > 0) spec[`${role}Config`] = config;
  if (listOf(pod, "imagePullSecrets").length > 0) spec.imagePullSecrets = pod.imagePullSecrets;
  const args = listOf<Spec>(pod, "containers").flatMap((container) =>
    isMap(container) ? listOf(container, "args") : [],
  );
  for (const arg of args.map(inText)) {
    if (/^--ignore-exclude-lb(=true)?$/.test(arg)) spec.ignoreExcludeLabel = true;
    const [, name, value = ""] = /^--(lb-class|log-level)=(.+)$/.exec(arg) ?? [];
    if (name === "lb-class") spec.loadBalancerClass = value;
    if (name === "log-level" && value !== "info") spec.logLevel = value;
  }
  return spec;
}
