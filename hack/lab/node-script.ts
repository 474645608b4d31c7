/**
 * What is run, as root, on the machine that carries the nodes (this one or the guest) to start and stop one. Pure:
 * everything is one shell script a node, because starting a program in the guest takes a tenth of a second.
 *
 * A node is a network namespace with a mount and a process namespace in it: whatever its programs mount and start
 * ends with its first process.
 */
import { cableLines, namespaceLines, routeLines } from "#hack/common/networks.ts";
import type { Layout, NodeLayout } from "#hack/lab/layout.ts";

export interface NodeScriptInput {
  readonly layout: Layout;
  readonly node: NodeLayout;
  readonly directory: string;
  /** The container runtime's first root directory: hard links to it, but copies of what is written. */
  readonly seed: string;
  readonly binDirectory: string;
  readonly files: Readonly<Record<string, string>>;
}

const RESTARTS = 30;

/** A kubelet ends where no processor has a clock rate; user-mode Linux names none. */
const clockRateScript = (directory: string): string => `if ! grep -q '^cpu MHz' /proc/cpuinfo; then
  sed 's/^model name.*/&\\ncpu MHz : 2000.000/' /proc/cpuinfo >${directory}/cpuinfo
  mount --bind ${directory}/cpuinfo /proc/cpuinfo
fi
`;

/** Sysctls of a network namespace that forwards. */
const FORWARDING = [
  "net.ipv4.ip_forward=1",
  "net.ipv4.conf.all.rp_filter=0",
  "net.ipv4.conf.default.rp_filter=0",
  "net.ipv6.conf.all.disable_ipv6=0",
  "net.ipv6.conf.default.disable_ipv6=0",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv6.conf.default.forwarding=1",
];

/** Makes a namespace that forwards. */
export function namespaceScript(netns: string): string {
  return `${namespaceLines(netns, FORWARDING).join("\n")}\n`;
}

/** Prints the process id of the node's first process. */
export function startNodeScript(input: NodeScriptInput): string {
  const { directory, seed } = input;
  const writes = Object.entries({ ...input.files, "init.sh": initScript(input) }).map(
    ([name, text]) => `cat > ${directory}/${name} <<'END-OF-FILE'\n${text.trimEnd()}\nEND-OF-FILE\n`,
  );
  return `umask 077
mkdir -p ${directory}/cni ${directory}/log ${directory}/lib
cp -al ${seed} ${directory}/root
for f in $(cd ${seed} && find . -name '*.db'); do cp --remove-destination ${seed}/$f ${directory}/root/$f; done
${writes.join("")}# What containerd unpacks must be open to the users that containers run as.
umask 022
${runScriptOf(input)}`;
}

/** Its power is cut, and it starts again: what is on its disk is there, and nothing else. Prints as startNodeScript. */
export function rebootNodeScript(input: Pick<NodeScriptInput, "layout" | "node" | "directory">): string {
  const { node, directory } = input;
  return `${powerOffScript(node)}umask 022
rm -f ${directory}/containerd.sock
${runScriptOf(input)}`;
}

/** Whatever runs on a node, and its network. */
export function powerOffScript(node: NodeLayout): string {
  return `${removeCgroupScript(node.netns)}ip link del ${node.link} 2>/dev/null || true
ip netns del ${node.netns} 2>/dev/null || true
`;
}

function runScriptOf(input: Pick<NodeScriptInput, "layout" | "node" | "directory">): string {
  const { node, directory } = input;
  return `${namespaceScript(node.netns)}${linkScript(input)}${cgroupScript(node.netns)}
setsid nsenter --net=/run/netns/${node.netns} unshare --mount --propagation private --uts --pid --fork --kill-child \\
  --mount-proc sh ${directory}/init.sh >${directory}/log/init.log 2>&1 </dev/null &
echo $!
`;
}

function linkScript({ layout, node }: Pick<NodeScriptInput, "layout" | "node">): string {
  const { address } = node;
  const lines = [
    ...cableLines(
      { link: node.link, bridge: layout.bridge },
      { namespace: node.netns, link: "eth0", addresses: [`${address.v4}/24`, `${address.v6}/64`] },
    ),
    ...routeLines(node.netns, ["0.0.0.0/0", "::/0"], [layout.router.v4, layout.router.v6]),
  ];
  return `${lines.join("\n")}\n`;
}

/** One root a node in each hierarchy; cgroup v1 wants its cpuset filled before anything can go in. */
function cgroupScript(name: string): string {
  return `root=/sys/fs/cgroup
mountpoint -q $root || mount -t cgroup2 none $root
if [ -f $root/cgroup.controllers ]; then
  for c in cpuset cpu io memory pids hugetlb; do
    if grep -qw $c $root/cgroup.controllers; then echo +$c > $root/cgroup.subtree_control; fi
  done
  mkdir -p $root/${name}/system
  for c in $(cat $root/${name}/cgroup.controllers); do echo +$c > $root/${name}/cgroup.subtree_control; done
else
  for h in $root/*/; do [ -f $h/cgroup.procs ] && mkdir -p $h/${name}/system; done
  for n in ${name} ${name}/system; do
    for f in cpuset.cpus cpuset.mems; do cat $root/cpuset/$f > $root/cpuset/$n/$f; done
  done
fi
`;
}

/** The node's first process: its own mounts, then its programs. Ends only by being killed. */
function initScript({ node, directory, binDirectory }: NodeScriptInput): string {
  // Restarted as systemd would: a kubelet ends when the runtime is not ready yet. One that never stays up is reported.
  const daemon = (name: string, command: string): string => `( n=0
while [ $n -lt ${RESTARTS} ]; do
  ${command} >>${directory}/log/${name}.log 2>&1; echo "${name} ended: exit code $?" >>${directory}/log/restarts
  n=$((n+1)); sleep 0.5
done; echo "${name} ended ${RESTARTS} times" >>${directory}/log/ended ) &
`;
  return `export PATH=${binDirectory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=/sys/fs/cgroup
if [ -f $root/cgroup.controllers ]; then echo $$ > $root/${node.netns}/system/cgroup.procs
else for h in $root/*/; do [ -d $h/${node.netns} ] && echo $$ > $h/${node.netns}/system/cgroup.procs; done; fi
hostname ${node.name}
${clockRateScript(directory)}for n in /run/netns/*; do umount "$n" 2>/dev/null; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount --bind ${directory}/log /var/log
mount --bind ${directory}/lib /var/lib
mount --make-rshared /
${daemon("containerd", `containerd -c ${directory}/containerd.toml`)}i=0
while [ ! -S ${directory}/containerd.sock ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
${daemon(
  "kubelet",
  `kube kubelet --config ${directory}/kubelet.yaml --kubeconfig ${directory}/kubelet.kubeconfig --hostname-override ${node.name} --node-ip ${node.address.v4},${node.address.v6} --root-dir ${directory}/kubelet --cert-dir ${directory}/kubelet-pki`,
)}${daemon("kube-proxy", `kube kube-proxy --config ${directory}/proxy.yaml`)}while :; do wait; sleep 1; done
`;
}

/** Removes whatever exists of a node, running or half made; never fails. */
export function stopNodeScript({ node, directory }: { node: NodeLayout; directory: string }): string {
  return `${powerOffScript(node)}rm -rf ${directory}
`;
}

/**
 * Kills every process of the cgroup and what is below, then removes it. The first process goes first and takes its
 * process namespace along.
 */
export function removeCgroupScript(name: string): string {
  return `i=0
while [ $i -lt 200 ]; do
  tops=$(ls -d /sys/fs/cgroup/${name} /sys/fs/cgroup/*/${name} 2>/dev/null) || true
  [ -n "$tops" ] || break
  pids=$(find $tops -name cgroup.procs -exec cat {} + 2>/dev/null | sort -nu) || true
  [ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
  find $tops -depth -type d -exec rmdir {} + 2>/dev/null || true
  i=$((i+1)); sleep 0.05
done
`;
}
