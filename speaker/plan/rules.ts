/**
 * Which hardware addresses belong to our nodes, and what is done when another station uses one of our addresses. Pure.
 */

import type { NodeLink } from "../known/node-links.ts";
import type { ClusterView } from "../known/view.ts";
import type { Rules } from "../layer2/messages.ts";

/**
 * A speaker of an older build does not publish its links' hardware addresses. Then any station may be one of its links.
 */
export function rulesFor(
  { node, loadBalancer, members }: Pick<ClusterView, "node" | "loadBalancer" | "members">,
  links: readonly Pick<NodeLink, "hardware">[],
): Rules {
  const others = new Set<string>();
  let isComplete = true;
  for (const [name, state] of members.states) {
    if (name === node) continue;
    for (const { hardware } of state.links) {
      if (hardware === undefined) isComplete = false;
      else others.add(hardware);
    }
  }
  return {
    own: links.map(({ hardware }) => hardware).sort(),
    members: isComplete ? [...others].sort() : undefined,
    addressConflict: loadBalancer.addressConflict,
  };
}
