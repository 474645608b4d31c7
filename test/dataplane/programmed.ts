/** Waiting until the kernels of all nodes have what was asked for. */
import assert from "node:assert/strict";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import type { AddressPair } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

/** Waits until a look sees what it saw before. */
export async function becomes<T>(what: string, look: () => Promise<T>, wanted: T | undefined): Promise<void> {
  await until(
    `${what} to be as it was`,
    async () => {
      assert.deepEqual(await look(), wanted);
      return true;
    },
    { deadlineMs: 30_000, everyMs: 100 },
  );
}

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

/** Waits until every node has the pod at this weight, by both of its addresses: each is checked by itself. */
export async function weighted(nodes: IpvsNodes, pod: AddressPair, weight: 0 | 1): Promise<void> {
  // Each family has a mark of its own. Of both tiers of a pod's own node, one line is enough.
  for (const server of [`-r ${pod.IPv4}:8080`, `-6 -r \\[${pod.IPv6}\\]:8080`]) {
    for (const name of nodes.names()) {
      const line = `^-a -f [0-9]+ ${server} .*-w ${weight}`;
      const isSet = async () => nodes.on(name, `ipvsadm -Sn | grep -E -e '${line}'`);
      await until(`weight ${weight} of ${server} on ${name}`, isSet, LONG);
    }
  }
}
