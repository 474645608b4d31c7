/** `genkan drain NODE`: cordons a node, and waits until others have its addresses. */
import { type Answer, EXIT } from "#cli/answer.ts";
import type { ClusterReader, ClusterWriter } from "#cli/cluster.ts";
import { balancerOf } from "#cli/ours.ts";
import { read } from "#cli/read.ts";
import { speakersOf } from "#cli/speakers.ts";
import type { Clock } from "#common/clock.ts";
import { nodes as nodeResource } from "#common/kube/resource.ts";

export interface DrainOptions {
  readonly cluster: ClusterReader & ClusterWriter;
  readonly namespace: string;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly timeoutMs: number;
  /** How far it is, a line each time that it is further. */
  readonly tell: (line: string) => void;
}

const LOOK_EVERY_MS = 500;

/** KubeError where the server refuses. */
export async function drain(node: string, options: DrainOptions): Promise<Answer> {
  const { cluster, clock, timeoutMs, tell } = options;
  const { nodes, loadBalancers } = await read(options, "nodes", "loadBalancers");
  if (!nodes.some(({ metadata }) => metadata.name === node))
    return answer(node, [], `there is no node ${node}`, EXIT.notWell);
  const before = await ownedBy(node, options);
  await cluster.patch(nodeResource, { name: node }, { spec: { unschedulable: true } });
  const giveUpAt = clock.now() + timeoutMs;
  let told: number | undefined;
  for (;;) {
    const owned = await ownedBy(node, options);
    if (owned.length === 0) return answer(node, [], done(node, before.length), EXIT.well);
    if (clock.now() >= giveUpAt) {
      const when = balancerOf(loadBalancers)?.spec?.layer2?.drain;
      return answer(node, owned, left(node, owned, when), EXIT.notWell);
    }
    if (owned.length !== told) tell(`node ${node} still owns ${owned.length} of ${before.length} addresses`);
    told = owned.length;
    await clock.sleep(LOOK_EVERY_MS);
  }
}

/** Addresses of layer 2 that the node's speaker, if it lives, reports as its own. */
async function ownedBy(node: string, from: DrainOptions): Promise<readonly string[]> {
  const { speakers, leases, at } = await read(from, "speakers", "leases");
  if (!speakersOf(leases, at).live.includes(node)) return [];
  const own = speakers.find(({ metadata }) => metadata.name === node);
  return (own?.status?.addresses ?? []).map(({ address }) => address).sort();
}

const done = (node: string, count: number): string =>
  `node ${node} is cordoned, and ${count === 0 ? "owned no address" : `its ${count} addresses are with other nodes`}; "kubectl drain ${node} --ignore-daemonsets" ends its pods, and after "kubectl uncordon ${node}" it may own addresses again`;

function left(node: string, owned: readonly string[], when = "Cordon"): string {
  const why =
    when === "Cordon"
      ? "no other node may own them, or a pod is on this one alone: genkan owners, genkan explain"
      : `spec.layer2.drain is ${when}, so a cordon moves nothing`;
  return `node ${node} is cordoned, and still owns ${owned.length} addresses (${owned.slice(0, 5).join(", ")}): ${why}`;
}

const answer = (
  node: string,
  owned: readonly string[],
  says: string,
  exitCode: Answer["exitCode"],
): Answer => ({ text: `${says}\n`, value: { node, owned, says }, exitCode });
