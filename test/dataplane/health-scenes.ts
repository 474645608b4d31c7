/** Pods of the Service `web` that stop answering, though their kernel still accepts connections for them. */
import { ANNOTATION_HEALTH_CHECK, ANNOTATION_OF_HEALTH_CHECK } from "#api/names.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { script } from "#test/network/machine.ts";
import type { PodPlace } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

const MARK = markOf(1, 1, DEFAULT_SETTINGS.routingBit);

/** Has the pods' HTTP server asked, with the default times. Resolves when the pod's node asks. */
export async function startChecks(nodes: IpvsNodes, { node }: PodPlace): Promise<void> {
  await nodes.cluster.annotate("web", {
    [ANNOTATION_HEALTH_CHECK]: "http",
    [ANNOTATION_OF_HEALTH_CHECK.port]: "8081",
  });
  const isAsking = async () => ((await nodes.planOf(node)).health?.checked ?? 0) > 0;
  await until(`${node} to check its pods`, isAsking, LONG);
}

export async function endChecks(nodes: IpvsNodes): Promise<void> {
  await nodes.cluster.annotate("web", {
    [ANNOTATION_HEALTH_CHECK]: null,
    [ANNOTATION_OF_HEALTH_CHECK.port]: null,
  });
}

/** Of all pods, at the first tier of a node. */
async function weightsOf(nodes: IpvsNodes, name: string): Promise<number[]> {
  const lines = await nodes.on(name, `ipvsadm -Sn | grep -e '^-a -f ${MARK} '`);
  return lines
    .trim()
    .split("\n")
    .map((line) => Number(/-w (\d+)/.exec(line)?.[1]));
}

const signal = (nodes: IpvsNodes, pods: readonly PodPlace[], name: "STOP" | "CONT"): Promise<string> =>
  script(
    nodes.machine,
    `${pods.map(({ netns }) => `kill -${name} $(ip netns pids ${netns})`).join("\n")}\ndate +%s%N`,
  );

/** Stops all pods. Resolves with the weights that they have at each node when that says that all fail. */
export async function weightsWhereAllFail(nodes: IpvsNodes): Promise<number[][]> {
  await signal(nodes, nodes.topology.pods, "STOP");
  const found: number[][] = [];
  for (const name of nodes.names()) {
    const isSaid = () => nodes.cluster.hasCondition(name, "AllServed", "False", "AllFailing");
    await until(`${name} to say that all fail`, isSaid, LONG);
    found.push(await weightsOf(nodes, name));
  }
  return found;
}

export async function allWell(nodes: IpvsNodes): Promise<void> {
  const [name = ""] = nodes.names();
  const isServed = () => nodes.cluster.hasCondition(name, "AllServed", "True");
  await until(`${name} to say that all is well`, isServed, LONG);
}

export async function resume(nodes: IpvsNodes, pods: readonly PodPlace[]): Promise<void> {
  await signal(nodes, pods, "CONT");
}

/**
 * Stops a pod's processes. Resolves with the milliseconds after which each node sent it no new connections, by the
 * machine's own clock: asking it from here takes too long in a guest.
 */
export async function outAfterStop(
  nodes: IpvsNodes,
  pod: PodPlace,
): Promise<Readonly<Record<string, number>>> {
  const isOut = `ipvsadm -Sn | grep -q -e '^-a -f ${MARK} -r ${pod.IPv4}:8080 .*-w 0'`;
  const watched = nodes
    .names()
    .map(
      async (name) =>
        [
          name,
          await nodes.on(
            name,
            `for i in $(seq 600); do if ${isOut}; then break; fi; sleep 0.05; done\ndate +%s%N`,
          ),
        ] as const,
    );
  const stoppedAt = BigInt(await signal(nodes, [pod], "STOP"));
  const outAt = await Promise.all(watched);
  return Object.fromEntries(
    outAt.map(([name, at]) => [name, Number((BigInt(at) - stoppedAt) / 1_000_000n)] as const),
  );
}
