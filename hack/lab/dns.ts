/**
 * The cluster's name server: CoreDNS as a process of this machine, beside the API server. So it needs no image, and
 * answers before the first pod asks.
 */

import { Resolver } from "node:dns/promises";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "#hack/common/command.ts";
import { type ProcessRecord, startDaemon, waitForDaemon } from "#hack/lab/daemon.ts";
import { corefile, DNS_PORT, DNS_USER, dnsObjects } from "#hack/lab/dns-files.ts";
import { kubeconfig } from "#hack/lab/kubeconfig.ts";
import { BIN_DIRECTORY, CLUSTER_DOMAIN, type Layout } from "#hack/lab/layout.ts";
import type { NodeContext } from "#hack/lab/nodes.ts";

const READY_MS = 60_000;
const KUBE = join(BIN_DIRECTORY, "kube");

/** Starts it for a cluster whose API server is ready; it answers when this resolves. */
export async function startDns(
  context: Omit<NodeContext, "carrier">,
  onProcess: (record: ProcessRecord) => void,
): Promise<void> {
  const { layout, authority, server } = context;
  const directory = join(layout.directory, "dns");
  const [configuration, credential] = [join(directory, "Corefile"), join(directory, "kubeconfig")];
  const user = await authority.issue({ commonName: DNS_USER });
  const access = kubeconfig({ server, authority: authority.certificate, user, name: "genkan-lab" });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(credential, access, { mode: 0o600 });
  await writeFile(configuration, corefile(layout, credential));
  // Before the server starts: what it is refused it asks for again seconds later.
  const create = ["create", "--validate=false", "-f", "-"];
  const input = JSON.stringify(dnsObjects(layout));
  await run([KUBE, "kubectl", "--kubeconfig", context.kubeconfig, ...create], { input });
  const record = await startDaemon([KUBE, "coredns", "-conf", configuration], {
    name: "coredns",
    log: join(directory, "coredns.log"),
    outlivesUs: true,
  });
  onProcess(record);
  await waitForDaemon(record, () => answers(layout), READY_MS);
}

/** It knows the API server's own name: so it has read the cluster. */
async function answers({ host }: Layout): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([`${host.v4}:${DNS_PORT}`]);
  return resolver.resolve4(`kubernetes.default.svc.${CLUSTER_DOMAIN}`).then(
    () => true,
    // Not listening, or nothing read yet.
    () => false,
  );
}
