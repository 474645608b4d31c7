/**
 * Three nodes with pods, a router and a client in network namespaces:
 *
 *   client --- router --- lan (a bridge) --- n1: pod p1a
 *   10.9.N.2   172.30.N.253      |       +-- n2: pods p2a, p2b      nodes 172.30.N.1 to .3, fd30:N::1 to ::3
 *   fd09:N::2  fd30:N::fd     [uplink]   +-- n3: pod p3a            pods 10.(100+N).<node>.10, fd44:N:<node>::10
 *
 * Nodes route to each other's pods by the node's address. They have what a node of a real cluster has and what could
 * disturb: loose reverse path filtering and a forward chain that drops packets without a connection (kube-proxy's).
 */
import { bridgeLines, cableLines, namespaceLines, routeLines, sysctlLines } from "#hack/common/networks.ts";
import { type Machine, script } from "#test/network/machine.ts";

export interface AddressPair {
  IPv4: string;
  IPv6: string;
}

export interface PodPlace extends AddressPair {
  name: string;
  node: string;
  netns: string;
}

export interface NodePlace extends AddressPair {
  name: string;
  netns: string;
  podCidr: AddressPair;
}

export interface Topology {
  readonly instance: number;
  readonly nodes: readonly NodePlace[];
  readonly pods: readonly PodPlace[];
  readonly client: AddressPair & { netns: string };
  readonly router: AddressPair & { netns: string };
  readonly lan: string;
  /** Virtual address number `index` (0 to 49) in both families. */
  vip(index: number): AddressPair;
  remove(): Promise<void>;
}

const PODS: ReadonlyArray<{ name: string; node: number; host: number }> = [
  { name: "p1a", node: 1, host: 0x10 },
  { name: "p2a", node: 2, host: 0x10 },
  { name: "p2b", node: 2, host: 0x11 },
  { name: "p3a", node: 3, host: 0x10 },
];

/** Builds it; `uplink` is a device of the machine's own namespace that becomes a port of the lan. */
export async function buildTopology(machine: Machine, instance: number, uplink?: string): Promise<Topology> {
  const topology = describe(machine, instance);
  const lines: string[] = [];
  const lan = topology.lan;
  lines.push(...namespaces(topology));
  lines.push(...bridgeLines({ namespace: lan, link: "br0" }, SWITCHING));
  if (uplink !== undefined) {
    lines.push(`ip link set ${uplink} netns ${lan}`, `ip -n ${lan} link set ${uplink} master br0 up`);
  }
  for (const node of topology.nodes) lines.push(...nodeLines(topology, node));
  for (const pod of topology.pods) lines.push(...podLines(topology, pod));
  lines.push(...routerLines(topology));
  await script(machine, lines.join("\n"));
  return topology;
}

/** Cuts a node's link (its carrier goes away) or mends it. */
export async function setLink(
  machine: Machine,
  topology: Topology,
  node: NodePlace,
  state: "up" | "down",
): Promise<void> {
  await script(machine, `ip -n ${topology.lan} link set ${node.name} ${state}`);
}

function describe(machine: Machine, instance: number): Topology {
  const prefix = `dp${instance}-`;
  const nodes = [1, 2, 3].map((n) => ({
    name: `n${n}`,
    netns: `${prefix}n${n}`,
    IPv4: `172.30.${instance}.${n}`,
    IPv6: `fd30:${instance}::${n}`,
    podCidr: { IPv4: `10.${100 + instance}.${n}.0/24`, IPv6: `fd44:${instance}:${n}::/64` },
  }));
  const pods = PODS.map(({ name, node, host }) => ({
    name,
    node: `n${node}`,
    netns: `${prefix}${name}`,
    IPv4: `10.${100 + instance}.${node}.${host.toString(16)}`,
    IPv6: `fd44:${instance}:${node}::${host.toString(16)}`,
  }));
  const topology: Topology = {
    instance,
    nodes,
    pods,
    client: { netns: `${prefix}client`, IPv4: `10.9.${instance}.2`, IPv6: `fd09:${instance}::2` },
    router: { netns: `${prefix}router`, IPv4: `172.30.${instance}.253`, IPv6: `fd30:${instance}::fd` },
    lan: `${prefix}lan`,
    vip: (index) => ({
      IPv4: `172.30.${instance}.${200 + index}`,
      IPv6: `fd30:${instance}::${(0x200 + index).toString(16)}`,
    }),
    remove: async () => {
      await script(
        machine,
        netnsNames(topology)
          .map((name) => `ip netns del ${name}`)
          .join("\n"),
      );
    },
  };
  return topology;
}

function netnsNames(topology: Topology): string[] {
  const ends = [topology.lan, topology.router.netns, topology.client.netns];
  return [...ends, ...topology.nodes.map((node) => node.netns), ...topology.pods.map((pod) => pod.netns)];
}

/** Addresses are usable at once: duplicate address detection would cost every namespace two seconds. */
const AT_ONCE = [
  "net.ipv6.conf.all.accept_dad=0",
  "net.ipv6.conf.default.accept_dad=0",
  "net.ipv6.conf.default.router_solicitations=0",
];
const FORWARDING = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
const SWITCHING = "forward_delay 0 mcast_snooping 0";
const DEFAULTS = ["0.0.0.0/0", "::/0"];

function namespaces(topology: Topology): string[] {
  return netnsNames(topology).flatMap((name) => namespaceLines(name, AT_ONCE));
}

const withLength = ({ IPv4, IPv6 }: AddressPair): string[] => [`${IPv4}/24`, `${IPv6}/64`];

function nodeLines(topology: Topology, node: NodePlace): string[] {
  const { lan, router, nodes } = topology;
  const namespace = node.netns;
  const gateway = (family: keyof AddressPair): string =>
    node.podCidr[family].replace("0/24", "1/24").replace("::/64", "::1/64");
  const pods = [gateway("IPv4"), gateway("IPv6")];
  return [
    ...cableLines(
      { namespace, link: "eth0", addresses: withLength(node) },
      { namespace: lan, link: node.name, bridge: "br0" },
    ),
    ...bridgeLines({ namespace, link: "cni0", addresses: pods }, SWITCHING),
    ...routeLines(namespace, DEFAULTS, [router.IPv4, router.IPv6]),
    ...nodes
      .filter(({ name }) => name !== node.name)
      .flatMap(({ podCidr, IPv4, IPv6 }) =>
        routeLines(namespace, [podCidr.IPv4, podCidr.IPv6], [IPv4, IPv6]),
      ),
    ...sysctlLines(namespace, [...FORWARDING, "net.ipv4.conf.all.rp_filter=2"]),
    ...heredoc(`nsenter --net=/run/netns/${namespace} nft -f -`, [
      "table inet proxy {",
      "chain forward { type filter hook forward priority 0; ct state invalid counter drop; }",
      "}",
    ]),
  ];
}

function podLines(topology: Topology, pod: PodPlace): string[] {
  const node = topology.nodes.find((candidate) => candidate.name === pod.node);
  const via = [pod.IPv4.replace(/\d+$/, "1"), pod.IPv6.replace(/[0-9a-f]+$/, "1")];
  return [
    ...cableLines(
      { namespace: pod.netns, link: "eth0", addresses: withLength(pod) },
      { ...(node !== undefined && { namespace: node.netns }), link: pod.name, bridge: "cni0" },
    ),
    ...routeLines(pod.netns, DEFAULTS, via),
  ];
}

function routerLines(topology: Topology): string[] {
  const { router, client, lan } = topology;
  const inside = { IPv4: client.IPv4.replace(/2$/, "1"), IPv6: client.IPv6.replace(/2$/, "1") };
  return [
    ...cableLines(
      { namespace: router.netns, link: "eth0", addresses: withLength(router) },
      { namespace: lan, link: "router", bridge: "br0" },
    ),
    ...cableLines(
      { namespace: router.netns, link: "eth1", addresses: withLength(inside) },
      { namespace: client.netns, link: "eth0", addresses: withLength(client) },
    ),
    ...sysctlLines(router.netns, FORWARDING),
    ...routeLines(client.netns, DEFAULTS, [inside.IPv4, inside.IPv6]),
  ];
}

function heredoc(command: string, lines: readonly string[]): string[] {
  return [`${command} <<'END'`, ...lines, "END"];
}
