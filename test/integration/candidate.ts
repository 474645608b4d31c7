/**
 * A process that stands for election: for the test that kills one. Prints a line when it starts and when it ends
 * working; arguments: kubeconfig, namespace, lease, identity.
 */
import { readFileSync } from "node:fs";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { runLeaderElection } from "#common/kube/lease.ts";
import { real } from "#test/integration/plane.ts";

const [kubeconfig = "", namespace = "", name = "", identity = ""] = process.argv.slice(2);
const connection = connectionFromKubeconfig(kubeconfig, (path) => readFileSync(path, "utf8"));
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
await runLeaderElection({
  ...real,
  client: createKubeClient(connection),
  namespace,
  name,
  identity,
  leaseDurationMs: 3_000,
  renewDeadlineMs: 2_000,
  retryMs: 300,
  signal: stop.signal,
  onStarted: async (signal) => {
    process.stdout.write("leads\n");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    process.stdout.write("ends\n");
  },
});
process.exit(0);
