/** Whom this node probes, and who probes it (selfprobe.ts). */
import type { Trouble } from "../apply.ts";
import type { LoadBalancerView } from "../known/view.ts";
import type { FirewallProbe, Knowledge, Members } from "../parts.ts";
import { type Addresses, ringAfter } from "./selfprobe.ts";

export interface ProbeParts {
  readonly node: string;
  readonly probe: FirewallProbe;
  readonly knowledge: Pick<Knowledge, "nodes">;
  readonly members: Pick<Members, "judgement">;
}

/**
 * Tunnels are there with mode IPVS only, between the nodes whose speakers are alive and ready, and end here only once
 * our rules are loaded. A probe that comes before that is dropped by no firewall, and looks as if it were.
 */
export function probeFirewall(
  { node, probe, knowledge, members }: ProbeParts,
  { mode }: LoadBalancerView,
  forwardingTrouble: Trouble | undefined,
): void {
  const addressesOf = (name: string): Addresses => knowledge.nodes.get(name)?.addresses ?? {};
  if (mode === "IPVS" && forwardingTrouble === undefined)
    probe.set(addressesOf(node), ringAfter(node, members.judgement.live).map(addressesOf));
  else probe.set({}, []);
}
