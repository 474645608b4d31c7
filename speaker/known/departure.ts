/**
 * Whether a node is going away, as its Node object says: a drain, an autoscaler, the kubelet's own shutdown. Pure. A pod
 * that ends on such a node is not replaced there, so its routes must not be kept for its successor.
 */
import type { Node } from "#common/kube/resource.ts";
import type { LoadBalancerView, NodeView } from "./view.ts";

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

/** Why a node is going away. Cordoned: it takes no new pods, which is how a drain begins, and may mean no more. */
export type Departure = "Cordoned" | "Removed";

/** undefined for a node that stays. */
export function departureOf({
  metadata,
  spec,
  status,
}: Pick<Node, "metadata" | "spec" | "status">): Departure | undefined {
  if (metadata.deletionTimestamp !== undefined) return "Removed";
  if (spec?.taints?.some(({ key }) => TAINTS.has(key)) === true) return "Removed";
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True" && ready?.message?.includes(SHUTTING_DOWN) === true) return "Removed";
  return spec?.unschedulable === true ? "Cordoned" : undefined;
}

/** Whether a node hands its layer 2 addresses over to nodes that stay, by `layer2.drain` and `layer2.drainTaints`. */
export function handsOver(
  { departure, taints }: Pick<NodeView, "departure" | "taints">,
  { drain, drainTaints }: Pick<LoadBalancerView, "drain" | "drainTaints">,
): boolean {
  if (drain === "None") return false;
  if (departure === "Removed" || (departure === "Cordoned" && drain === "Cordon")) return true;
  return taints?.some((key) => drainTaints.includes(key)) === true;
}

/**
 * How a speaker's process ends on its node. `restart`: routers may keep its routes for its successor. `leave`: the
 * routes are withdrawn, because no speaker comes back to a node that is drained or shut down. A node that is not known
 * counts as one that stays.
 */
export function endOnNode(node: Pick<NodeView, "departure"> | undefined): "restart" | "leave" {
  return node?.departure === undefined ? "restart" : "leave";
}
