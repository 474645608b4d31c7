/** Whether this node has anything to do. Pure. */
import { hasLabels } from "#common/kube/selector.ts";
import type { LoadBalancerView, NodeView } from "../known/view.ts";

export type Role = "Active" | "LoadBalancerAbsent" | "LoadBalancerDeleted" | "NodeNotSelected";

/** A node that is not known (yet) counts as selected, so that nothing is torn down for lack of knowledge. */
export function roleOf(loadBalancer: LoadBalancerView | undefined, node: NodeView | undefined): Role {
  if (loadBalancer === undefined) return "LoadBalancerAbsent";
  if (loadBalancer.isDeleting) return "LoadBalancerDeleted";
  if (node !== undefined && !hasLabels(node.labels, loadBalancer.nodeSelector)) return "NodeNotSelected";
  return "Active";
}
