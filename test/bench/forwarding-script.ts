/** Lines of shell that make namespaces, links, addresses and rules for the worlds of forwarding's benchmarks. */

/** A node has what one of a cluster has, forwarding and a loose check of the reverse path; `more` are settings as well. */
export function namespace(name: string, role: "node" | "end", more: readonly string[] = []): string[] {
  const settings = [
    // Addresses are usable at once.
    ...["all.accept_dad=0", "default.accept_dad=0", "default.router_solicitations=0"].map(
      (each) => `net.ipv6.conf.${each}`,
    ),
    ...[`all.rp_filter=${role === "node" ? 2 : 0}`, "default.rp_filter=0"].map(
      (each) => `net.ipv4.conf.${each}`,
    ),
    ...(role === "node" ? ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] : []),
    ...more,
  ];
  return [
    `ip netns add ${name}`,
    `ip -n ${name} link set lo up`,
    `nsenter --net=/run/netns/${name} sysctl -qw ${settings.join(" ")}`,
  ];
}

export function link(
  left: readonly [netns: string, name: string],
  right: readonly [netns: string, name: string],
): string[] {
  return [
    `ip link add ${left[1]} netns ${left[0]} type veth peer name ${right[1]} netns ${right[0]}`,
    ...[left, right].map(([netns, name]) => `ip -n ${netns} link set ${name} up`),
  ];
}

export const address = (
  netns: string,
  name: string,
  own: string,
  { prefixLength }: { readonly prefixLength: number },
): string[] => [`ip -n ${netns} addr add ${own}/${prefixLength} dev ${name}`];

export const nft = (netns: string, lines: readonly string[]): string[] =>
  heredoc(`nsenter --net=/run/netns/${netns} nft -f -`, lines);

export const heredoc = (command: string, lines: readonly string[]): string[] => [
  `${command} <<'END'`,
  ...lines,
  "END",
];
