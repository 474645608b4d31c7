/** What Genkan's processes and the nodes' kernels have at this moment. */
import { layoutOf, nodeOf } from "#hack/lab/layout.ts";
import { withCarrier } from "#hack/lab/members.ts";
import { type Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import type { Sample } from "./growth.ts";

/** A line for each process: `speaker node1 KIB DESCRIPTORS`; `-` where a process has no node's network. */
const PROCESSES = (spaces: readonly (readonly [node: string, netns: string])[]): string => `
nodes=""
${spaces.map(([node, netns]) => `nodes="$nodes ${node}:$(stat -Lc %i /run/netns/${netns})"`).join("\n")}
for file in $(grep -lz '^/app/[a-z]*[.]mjs' /proc/[0-9]*/cmdline 2>/dev/null || true); do
  p=\${file%/cmdline}
  space=$(stat -Lc %i $p/ns/net 2>/dev/null) || continue
  name=$(tr '\\0' '\\n' <$p/cmdline | sed -n 's,^/app/\\([a-z]*\\)[.]mjs$,\\1,p')
  node=-
  for one in $nodes; do [ "\${one#*:}" = "$space" ] && node=\${one%%:*}; done
  echo "$name $node $(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status) $(ls $p/fd | wc -l)"
done`;

const KERNEL = (node: string, netns: string): string => `nsenter --net=/run/netns/${netns} -- sh -e <<'END'
echo "kernel ${node} $(ipvsadm -Sn | wc -l) $(ip rule | wc -l) $(ip route show table all | wc -l) $(nft list table inet genkan 2>/dev/null | wc -l) $(ip -o link | wc -l)"
END`;

export async function takeSamples(cluster: Cluster, nodes: readonly string[], at: number): Promise<Sample[]> {
  const layout = layoutOf(cluster.instance);
  const spaces = nodes.map((node) => [node, nodeOf(layout, node).netns] as const);
  const text = [PROCESSES(spaces), ...spaces.map(([node, netns]) => KERNEL(node, netns))].join("\n");
  const output = await withCarrier(layout, (carrier) => carrier.script(text));
  const lines = output
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const samples = lines.map(([what = "", node = "", ...numbers]): Sample => {
    const of = node === "-" ? what : what === "kernel" ? `kernel of ${node}` : `${what} on ${node}`;
    const [a = 0, b = 0, routes = 0, table = 0, links = 0] = numbers.map(Number);
    if (what !== "kernel") return { at, of, counts: { "memory MiB": a / 1_024, descriptors: b } };
    return { at, of, counts: { "IPVS entries": a, rules: b, routes, "lines of the table": table, links } };
  });
  return [...samples, { at, of: "all of Genkan", counts: { "log lines a minute": await logLines(cluster) } }];
}

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
  }[];
}

const pods = (cluster: Cluster): Promise<Pods> => cluster.get<Pods>(["pods", "-n", NAMESPACE]);

async function logLines(cluster: Cluster): Promise<number> {
  let count = 0;
  for (const { metadata } of (await pods(cluster)).items)
    count +=
      (await cluster.kubectl(["logs", "-n", NAMESPACE, metadata.name, "--since=60s"])).split("\n").length - 1;
  return count;
}

export async function restartsOf(cluster: Cluster): Promise<number> {
  const { items } = await pods(cluster);
  return items
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
}
