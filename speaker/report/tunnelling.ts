/** Whether nodes send to each other's pods as the LoadBalancer asks, for the condition TunnelAsAsked. Pure. */
import { firstOf } from "#api/and-more.ts";
import type { Trouble } from "../apply.ts";
import type { TunnelTrouble } from "../forwarding/types.ts";
import type { LoadBalancerView } from "../known/view.ts";
import type { PortPlan } from "../plan/plan.ts";

/** "AsAsked": they do. */
export type Tunnelling = Trouble<"AsAsked" | "NotOnLink" | "NotTaken" | TunnelTrouble["code"]>;

/** Nodes that a message names. */
const NAMED = 3;

/** Undefined: ipip is asked for, which all nodes take; or nothing was forwarded yet. */
export function tunnellingOf(
  loadBalancer: Pick<LoadBalancerView, "mode" | "tunnel"> | undefined,
  work: {
    readonly tunnelTrouble: TunnelTrouble | undefined | null;
    readonly ports: Pick<PortPlan, "otherwiseReached">;
  },
): Tunnelling | undefined {
  const { tunnelTrouble } = work;
  const { otherwiseReached: others } = work.ports;
  if (loadBalancer?.mode !== "IPVS" || loadBalancer.tunnel === undefined || tunnelTrouble === null)
    return undefined;
  if (tunnelTrouble !== undefined)
    return {
      reason: tunnelTrouble.code,
      message: `${tunnelTrouble.message}: other nodes send here by ipip`,
    };
  if (others.length === 0) return { reason: "AsAsked", message: "" };
  const names = firstOf(others, NAMED);
  if (loadBalancer.tunnel === "none")
    return {
      reason: "NotOnLink",
      message: `not on one layer 2 with this node, as far as its routes and their podCIDRs say: ${names}: their pods are reached by ipip`,
    };
  return {
    reason: "NotTaken",
    message: `the speakers do not take ${loadBalancer.tunnel}: ${names}: their pods are reached by ipip`,
  };
}
