/** Waiting until the kernels of all nodes have what was asked for. */
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import type { AddressPair } from "#test/network/three-nodes.ts";
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

/** Waits until all nodes' first tier has the pod at this weight, by both of its addresses: each is checked by itself. */
export async function weighted(nodes: IpvsNodes, pod: AddressPair, weight: 0 | 1): Promise<void> {
  const mark = markOf(1, 1, DEFAULT_SETTINGS.routingBit);
  for (const server of [`${pod.IPv4}:8080`, `\\[${pod.IPv6}\\]:8080`]) {
    for (const name of nodes.names()) {
      const line = `^-a -f ${mark}( -6)? -r ${server} .*-w ${weight}`;
      const isSet = async () => nodes.on(name, `ipvsadm -Sn | grep -E -e '${line}'`);
      await until(`weight ${weight} of ${server} on ${name}`, isSet, LONG);
    }
  }
}
