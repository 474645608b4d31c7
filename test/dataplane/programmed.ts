/** Waiting until the kernels of all nodes have what was asked for. */
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { until } from "#test/until.ts";

/** Waits until every node's IPVS has the scheduler for our services. */
export async function scheduled(nodes: IpvsNodes, by: string): Promise<void> {
  for (const name of nodes.names()) {
    await until(
      `scheduler ${by} on ${name}`,
      async () => {
        const ours = (await nodes.on(name, "ipvsadm -Sn"))
          .split("\n")
          .filter((line) => /^-A -f \d{4,}/.test(line));
        return ours.length > 0 && ours.every((line) => line.includes(` -s ${by}`));
      },
      LONG,
    );
  }
}

/** Waits until all nodes' first tier has the pod at this weight. */
export async function weighted(nodes: IpvsNodes, pod: string, weight: 0 | 1): Promise<void> {
  const line = `^-a -f ${markOf(1, 1, DEFAULT_SETTINGS.routingBit)} -r ${pod}:8080 .*-w ${weight}`;
  for (const name of nodes.names()) {
    const isSet = async () => nodes.on(name, `ipvsadm -Sn | grep -e '${line}'`);
    await until(`weight ${weight} of ${pod} on ${name}`, isSet, LONG);
  }
}
