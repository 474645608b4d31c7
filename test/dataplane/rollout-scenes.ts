/** Pods of the Service `web` that are replaced while clients send requests. */
import { Lines, startEchoServer } from "#test/dataplane/flows.ts";
import type { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import { script } from "#test/network/machine.ts";
import type { AddressPair, PodPlace } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

export interface RequestReport {
  done: number;
  readonly failures: string[];
}

const ROWS = 4;

/** What became of requests of the client to both addresses while `during` ran. */
export async function requestsDuring(
  { machine, topology }: IpvsNodes,
  vip: AddressPair,
  during: () => Promise<void>,
): Promise<RequestReport> {
  const lines = new Lines();
  let errors = "";
  const argv = ["node", "test/dataplane/rollout-requests.ts", `${vip.IPv4},${vip.IPv6}`, "80", String(ROWS)];
  const driver = machine.spawn(argv, {
    netns: topology.client.netns,
    discard: true,
    onOutput: (chunk, stream) => {
      if (stream === "stdout") lines.add(chunk);
      else errors += chunk.toString();
    },
  });
  await during();
  driver.end();
  await driver.done;
  const line = await until("a report of the requests", () => lines.take());
  if (errors !== "") throw new Error(errors);
  return JSON.parse(line) as RequestReport;
}

/**
 * A pod is deleted, and another one comes in its place: its slice says that it terminates, its processes get SIGTERM
 * and are gone 2 s later, and then the slice names it no more.
 */
export async function replace(nodes: IpvsNodes, pod: PodPlace): Promise<void> {
  const { cluster, machine, topology } = nodes;
  const { pods } = topology;
  await cluster.setPods("web", pods, (one) =>
    one === pod ? { ready: false, serving: true, terminating: true } : { ready: true },
  );
  await script(
    machine,
    `kill -TERM $(ip netns pids ${pod.netns})
while [ -n "$(ip netns pids ${pod.netns})" ]; do sleep 0.1; done`,
  );
  await cluster.setPods(
    "web",
    pods.filter((one) => one !== pod),
  );
  await startEchoServer(machine, pod, 8080);
  await cluster.setPods("web", pods);
}
