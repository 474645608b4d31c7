/** Which nodes this node probes, and which probe it (selfprobe.ts). */
import type { Trouble } from "../apply.ts";
import { DEFAULT_TUNNEL, type Encapsulation } from "../forwarding/encapsulation.ts";
import type { LoadBalancerView } from "../known/view.ts";
import type { FirewallProbe, Knowledge, Members } from "../parts.ts";
import { type Addresses, ringAfter } from "./selfprobe.ts";

export interface ProbeParts {
  readonly node: string;
  readonly probe: FirewallProbe;
  readonly knowledge: Pick<Knowledge, "nodes">;
  readonly members: Pick<Members, "judgement">;
}

/** What this node can do, as its last pass has found. */
export interface Ability {
  readonly forwardingTrouble: Trouble | undefined;
  readonly offered: readonly Encapsulation[];
}

/**
 * There are tunnels in mode IPVS only, between nodes whose speakers are alive and ready. They end here only after our
 * rules are loaded: a probe that comes before that would look as if a firewall had dropped it. They are probed by the tunnel
 * that is asked for, once it ends here.
 */
export function probeFirewall(
  { node, probe, knowledge, members }: ProbeParts,
  { mode, tunnel }: LoadBalancerView,
  { forwardingTrouble, offered }: Ability,
): void {
  const addressesOf = (name: string): Addresses => knowledge.nodes.get(name)?.addresses ?? {};
  const isTunnelled = mode === "IPVS" && tunnel !== "none";
  const kind = offered.find((one) => one === tunnel) ?? DEFAULT_TUNNEL;
  if (isTunnelled && forwardingTrouble === undefined)
    probe.set(addressesOf(node), ringAfter(node, members.judgement.live).map(addressesOf), kind);
  else probe.set({}, []);
}
