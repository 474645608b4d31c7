/** The chains that a packet meets in kube-proxy's own table, in its mode nftables. */
import type { Family } from "#api/address.ts";

const WORDS = {
  IPv4: { table: "ip", address: "ipv4_addr" },
  IPv6: { table: "ip6", address: "ipv6_addr" },
} as const;

export interface KubeProxyService {
  readonly vip: string;
  readonly port: number;
  readonly pods: readonly string[];
  readonly podPort: number;
  /** externalTrafficPolicy Cluster: the reply comes back through this node. */
  readonly isMasqueraded: boolean;
}

/** One Service: lines for nft(8). */
export function kubeProxyTable(
  family: Family,
  { vip, port, pods, podPort, isMasqueraded }: KubeProxyService,
): string[] {
  const { table, address } = WORDS[family];
  const protocols = ["tcp", "udp"] as const;
  const to = (pod: string): string => (family === "IPv4" ? `${pod}:${podPort}` : `[${pod}]:${podPort}`);
  return [
    `table ${table} kube-proxy {`,
    `  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }`,
    ...protocols.flatMap((protocol) => [
      ...pods.flatMap((pod, at) => [
        `  chain endpoint-${protocol}-${at} {`,
        `    ${table} saddr ${pod} jump mark-for-masquerade`,
        `    meta l4proto ${protocol} dnat to ${to(pod)}`,
        "  }",
      ]),
      `  chain service-${protocol} { numgen random mod ${pods.length} vmap { ${pods.map((_, at) => `${at} : goto endpoint-${protocol}-${at}`).join(", ")} }; }`,
      `  chain external-${protocol} {`,
      ...(isMasqueraded ? ["    jump mark-for-masquerade"] : []),
      `    goto service-${protocol}`,
      "  }",
    ]),
    "  map service-ips {",
    `    type ${address} . inet_proto . inet_service : verdict`,
    `    elements = { ${protocols.map((protocol) => `${vip} . ${protocol} . ${port} : goto external-${protocol}`).join(", ")} }`,
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
