/** What the nodes of each way have in the kernel: text for nft(8) and ipvsadm(8), and what Genkan is asked to write. */
import { FAMILIES, type Family } from "#api/address.ts";
import type { ForwardedPort, ForwardingInput } from "#speaker/forwarding/types.ts";
import { addressesOf, POD_PORT, PORT, type Way } from "./forwarding-ways.ts";

/** Connections are followed: what kube-proxy has in its forward chain has that for an effect. */
const TRACKING = [
  "table inet tracking {",
  "  chain forward { type filter hook forward priority 0; ct state invalid drop; }",
  "}",
];

const WORDS = {
  IPv4: { table: "ip", address: "ipv4_addr" },
  IPv6: { table: "ip6", address: "ipv6_addr" },
} as const;

/** The chains that a packet meets in kube-proxy's own table (mode nftables), with one Service of one endpoint. */
function dnat(way: Way, family: Family): string[] {
  const { table, address } = WORDS[family];
  const { vip, pod } = addressesOf(way, family);
  const to = family === "IPv4" ? `${pod}:${POD_PORT}` : `[${pod}]:${POD_PORT}`;
  const protocols = ["tcp", "udp"] as const;
  // externalTrafficPolicy Cluster for the other node's pod, or the reply would not come back; Local for the near one.
  const isMasqueraded = way.shape === "far";
  return [
    `table ${table} kube-proxy {`,
    `  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }`,
    ...protocols.flatMap((protocol) => [
      `  chain endpoint-${protocol} {`,
      `    ${table} saddr ${pod} jump mark-for-masquerade`,
      `    meta l4proto ${protocol} dnat to ${to}`,
      "  }",
      `  chain service-${protocol} { numgen random mod 1 vmap { 0 : goto endpoint-${protocol} }; }`,
      `  chain external-${protocol} {`,
      ...(isMasqueraded ? ["    jump mark-for-masquerade"] : []),
      `    goto service-${protocol}`,
      "  }",
    ]),
    "  map service-ips {",
    `    type ${address} . inet_proto . inet_service : verdict`,
    `    elements = { ${protocols.map((protocol) => `${vip} . ${protocol} . ${PORT} : goto external-${protocol}`).join(", ")} }`,
    "  }",
    `  map no-endpoint-services { type ${address} . inet_proto . inet_service : verdict; }`,
    `  map firewall-ips { type ${address} . inet_proto . inet_service : verdict; }`,
    "  chain masquerading {",
    "    meta mark and 0x4000 == 0 return",
    "    meta mark set meta mark xor 0x4000",
    "    masquerade fully-random",
    "  }",
    `  chain services { ${table} daddr . meta l4proto . th dport vmap @service-ips; }`,
    "  chain filter-prerouting {",
    "    type filter hook prerouting priority -110",
    `    ct state new ${table} daddr . meta l4proto . th dport vmap @firewall-ips`,
    "  }",
    "  chain filter-forward {",
    "    type filter hook forward priority -110",
    `    ct state new ${table} daddr . meta l4proto . th dport vmap @no-endpoint-services`,
    "  }",
    "  chain nat-prerouting { type nat hook prerouting priority -100; jump services; }",
    "  chain nat-postrouting { type nat hook postrouting priority 100; jump masquerading; }",
    "}",
  ];
}

function ipvs(way: Way): string[] {
  return FAMILIES.flatMap((family) => {
    const { vip, pod } = addressesOf(way, family);
    const [service, server] =
      family === "IPv4"
        ? [`${vip}:${PORT}`, `${pod}:${POD_PORT}`]
        : [`[${vip}]:${PORT}`, `[${pod}]:${POD_PORT}`];
    return ["t", "u"].flatMap((protocol) => [
      `-A -${protocol} ${service} -s rr`,
      `-a -${protocol} ${service} -r ${server} -m`,
    ]);
  });
}

export interface NodeState {
  readonly nft: readonly string[];
  /** Lines for `ipvsadm -R`. */
  readonly ipvs: readonly string[];
  /** The Service's addresses are the node's own: as kube-proxy has it for IPVS. */
  readonly hasVips: boolean;
}

const NOTHING: NodeState = { nft: [], ipvs: [], hasVips: false };

export function nodeState(way: Way): NodeState {
  if (way.name.startsWith("dnat"))
    return { ...NOTHING, nft: [...TRACKING, ...FAMILIES.flatMap((family) => dnat(way, family))] };
  if (way.name === "tracked" || way.name.startsWith("genkan")) return { ...NOTHING, nft: TRACKING };
  if (way.name === "ipvs") return { ...NOTHING, ipvs: ipvs(way), hasVips: true };
  return NOTHING;
}

/** What the pod's own node has, where that is another one. */
export function otherState(way: Way): NodeState {
  return way.isPlain ? NOTHING : { ...NOTHING, nft: TRACKING };
}

/** What the speaker would be told on a node of this way. */
export function genkanInput(way: Way, isPodLocal: boolean): ForwardingInput {
  const ports = FAMILIES.flatMap((family, at) =>
    (["TCP", "UDP"] as const).map((protocol, index): ForwardedPort => {
      const { vip, pod } = addressesOf(way, family);
      return {
        ...{ id: 5000 + 2 * at + index, family, vip, protocol, port: PORT },
        ...{ scheduler: "mh", affinity: false, preferLocal: false },
        endpoints: [
          { address: pod, port: POD_PORT, isLocal: isPodLocal, isServing: true, returnPath: "direct" },
        ],
      };
    }),
  );
  const own = (family: Family): string => {
    const addresses = addressesOf(way, family);
    return way.shape === "near" ? addresses.node : isPodLocal ? addresses.otherToNode : addresses.nodeToOther;
  };
  return {
    nodeAddresses: { IPv4: own("IPv4"), IPv6: own("IPv6") },
    ports,
    vips: ports.map(({ vip }) => vip),
  };
}
