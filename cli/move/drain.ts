/** `genkan drain NODE`: cordons a node, and waits until others have its addresses. */
import { type Answer, EXIT } from "#cli/answer.ts";
import type { ClusterReader, ClusterWriter } from "#cli/cluster.ts";
import { read } from "#cli/read.ts";
import { worldOf } from "#cli/world.ts";
import type { Clock } from "#common/clock.ts";
import { nodes as nodeResource } from "#common/kube/resource.ts";

export interface DrainOptions {
  readonly cluster: ClusterReader & ClusterWriter;
  readonly namespace: string;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly timeoutMs: number;
}

const LOOK_EVERY_MS = 500;

/** KubeError where the server refuses. */
export async function drain(node: string, options: DrainOptions): Promise<Answer> {
  const { cluster, clock, timeoutMs } = options;
  const before = await look(node, options);
  if (before === undefined) return answer(node, [], `there is no node ${node}`, EXIT.notWell);
  await cluster.patch(nodeResource, { name: node }, { spec: { unschedulable: true } });
  const giveUpAt = clock.now() + timeoutMs;
  for (;;) {
    const now = await look(node, options);
    const owned = now?.owned ?? [];
    if (owned.length === 0) return answer(node, [], done(node, before), EXIT.well);
    if (clock.now() >= giveUpAt) return answer(node, owned, left(node, owned, before), EXIT.notWell);
    await clock.sleep(LOOK_EVERY_MS);
  }
}

interface Look {
  /** Addresses of layer 2 that its speaker reports as its own. */
  readonly owned: readonly string[];
  /** spec.layer2.drain */
  readonly drain: string | undefined;
}

/** undefined: there is no such node. */
async function look(node: string, { cluster, namespace }: DrainOptions): Promise<Look | undefined> {
  const kinds = ["loadBalancers", "pools", "peers", "profiles", "nodes"] as const;
  const snapshot = await read({ cluster, namespace }, ...kinds, "speakers", "leases");
  if (!snapshot.nodes.some(({ metadata }) => metadata.name === node)) return undefined;
  const { reporters, loadBalancer } = worldOf({ ...snapshot, services: [], slices: [] });
  const owned = [...reporters].filter(([, names]) => names.includes(node)).map(([address]) => address);
  return { owned: owned.sort(), drain: loadBalancer?.drain };
}

const done = (node: string, { owned }: Look): string =>
  `node ${node} is cordoned, and ${owned.length === 0 ? "owned no address" : `its ${owned.length} addresses are with other nodes`}; "kubectl drain ${node} --ignore-daemonsets" ends its pods, and "kubectl uncordon ${node}" takes it all back`;

function left(node: string, owned: readonly string[], { drain: when }: Look): string {
  const why =
    when === "Cordon" || when === undefined
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
