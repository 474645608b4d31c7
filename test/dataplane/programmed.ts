/** Waiting until the kernels of all nodes have what was asked for. */
import assert from "node:assert/strict";
import { tierOf } from "#speaker/forwarding/mark.ts";
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

/** Lines of `ipvsadm -Sn` that begin so and are about a mark of ours in tier 1. */
async function firstTier(nodes: IpvsNodes, name: string, begins: "-A" | "-a"): Promise<string[]> {
  return (await nodes.on(name, "ipvsadm -Sn")).split("\n").filter((line) => {
    const mark = Number(new RegExp(`^${begins} -f (\\d{4,}) `).exec(line)?.[1]);
    return Number.isInteger(mark) && tierOf(mark) === 1;
  });
}

/** Waits until every node's IPVS chooses by the scheduler for our services. */
export async function scheduled(nodes: IpvsNodes, by: string): Promise<void> {
  for (const name of nodes.names()) {
    await until(
      `scheduler ${by} on ${name}`,
      async () => {
        const ours = await firstTier(nodes, name, "-A");
        return ours.length > 0 && ours.every((line) => line.includes(` -s ${by}`));
      },
      LONG,
    );
  }
}

/** Waits until every node chooses the pod by this weight, at both of its addresses: each is checked by itself. */
export async function weighted(nodes: IpvsNodes, pod: AddressPair, weight: 0 | 1): Promise<void> {
  // Each family has a mark of its own.
  for (const server of [` -r ${pod.IPv4}:8080 `, ` -6 -r [${pod.IPv6}]:8080 `]) {
    for (const name of nodes.names()) {
      const isSet = async (): Promise<boolean> =>
        (await firstTier(nodes, name, "-a")).some(
          (line) => line.includes(server) && line.includes(` -w ${weight}`),
        );
      await until(`weight ${weight} of${server}on ${name}`, isSet, LONG);
    }
  }
}
