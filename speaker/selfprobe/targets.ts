/** Which nodes this node probes, and which probe it (selfprobe.ts). */
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
 * There are tunnels in mode IPVS only, between nodes whose speakers are alive and ready. They end here only after our
 * rules are loaded: a probe that comes before that would look as if a firewall had dropped it.
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
