/**
 * Pods of a Service without preStop that are gone 2 s after SIGTERM are replaced one after the other, over and over, while
 * clients send requests to its addresses of both families, each on a connection of its own. No request may fail. Keeps
 * docs/results/rollouts.json; ends with 1 when one failed.
 *
 *     node test/long/rollouts.ts [ROLLOUTS, 100]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import { replace, requestsDuring } from "#test/dataplane/rollout-scenes.ts";

const RESULTS = new URL("../../docs/results/", import.meta.url);
const [rollouts = 100] = process.argv.slice(2).map(Number);

const began = performance.now();
await using nodes = await IpvsNodes.start();
const { topology, machine } = nodes;
const { done, failures } = await requestsDuring(nodes, topology.vip(0), async () => {
  for (let rollout = 1; rollout <= rollouts; rollout += 1) {
    for (const pod of topology.pods) await replace(nodes, pod);
    if (rollout % 10 === 0) process.stderr.write(`${rollout} of ${rollouts} rollouts\n`);
  }
});
const result = {
  what: `${topology.pods.length} pods on ${topology.nodes.length} nodes replaced one after the other, each gone 2 s after SIGTERM`,
  rollouts,
  inGuest: machine.isGuest,
  requests: done + failures.length,
  failed: failures.length,
  failures: failures.slice(0, 20),
  seconds: Math.round((performance.now() - began) / 1000),
  date: new Date().toISOString().slice(0, 10),
  machine: { node: process.version, kernel: release(), cores: cpus().length },
};
mkdirSync(RESULTS, { recursive: true });
writeFileSync(new URL("rollouts.json", RESULTS), `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(result)}\n`);
if (failures.length > 0) process.exitCode = 1;
