/**
 * Whether a node is going away, as its Node object says: a drain, an autoscaler, the kubelet's own shutdown. Pure. A pod
 * that ends on such a node is not replaced there, so its routes must not be kept for its successor.
 */
import type { Node } from "#common/kube/resource.ts";
import type { NodeView } from "./view.ts";

/** Taints that are set by programs that remove nodes. A cordon shows as spec.unschedulable. */
const TAINTS: ReadonlySet<string> = new Set([
  "node.kubernetes.io/out-of-service",
  "node.cloudprovider.kubernetes.io/shutdown",
  "ToBeDeletedByClusterAutoscaler",
  "karpenter.sh/disrupted",
  "karpenter.sh/disruption",
]);

/** What the kubelet says in its condition Ready while it ends pods before a shutdown or reboot. */
const SHUTTING_DOWN = "node is shutting down";

export function isGoing({ metadata, spec, status }: Pick<Node, "metadata" | "spec" | "status">): boolean {
  if (metadata.deletionTimestamp !== undefined || spec?.unschedulable === true) return true;
  if (spec?.taints?.some(({ key }) => TAINTS.has(key)) === true) return true;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status !== "True" && ready?.message?.includes(SHUTTING_DOWN) === true;
}

/**
 * How a speaker's process ends on its node. `restart`: routers may keep its routes for its successor. `leave`: the
 * routes are withdrawn, because no speaker comes back to a node that is drained or shut down. A node that is not known
 * counts as one that stays.
 */
export function endOnNode(node: Pick<NodeView, "isGoing"> | undefined): "restart" | "leave" {
  return node?.isGoing === true ? "leave" : "restart";
}
