/**
 * A client, and for each way of forwarding nodes and a pod of its own, in network namespaces: all ways stand side by
 * side and are measured in turns. Text of shell scripts and nothing else: it may be made here, in a guest, or in both.
 */
import { FAMILIES } from "#api/address.ts";
import { linksOfOther, linkToNode } from "./forwarding-hops.ts";
import { address, heredoc, link, namespace, nft } from "./forwarding-script.ts";
import { nodeState, otherState } from "./forwarding-states.ts";
import { type Addresses, addressesOf, type Namespaces, namespacesOf, type Way } from "./forwarding-ways.ts";

/** Within which a node forgets a flow of UDP: what one sample left is not in the way of the next. */
const FORGOTTEN_S = 2;
const FORGETFUL = [`net.netfilter.nf_conntrack_udp_timeout=${FORGOTTEN_S}`];

/** Makes everything but what Genkan writes. */
export function worldScript(prefix: string, ways: readonly Way[]): string {
  return [
    ...namespace(`${prefix}-client`, "end"),
    ...nft(`${prefix}-client`, dropping("sport")),
    ...ways.flatMap((way) => wayLines(way, namespacesOf(prefix, way))),
  ].join("\n");
}

/** Removes it; what is not there is no fault. */
export function removalScript(prefix: string): string {
  return `for n in $(ip netns | cut -d " " -f 1 | grep "^${prefix}-"); do ip netns del $n; done`;
}

function wayLines(way: Way, at: Namespaces): string[] {
  const [v4, v6] = FAMILIES.map((family) => addressesOf(way, family)) as [Addresses, Addresses];
  const both = (text: (addresses: Addresses) => readonly string[]): string[] => [v4, v6].flatMap(text);
  const pod = [...namespace(at.pod, "end"), ...nft(at.pod, dropping("dport"))];
  if (way.shape === "direct")
    return [
      ...pod,
      ...link([at.client, way.name], [at.pod, "eth0"]),
      ...both((to) => [
        ...address(at.client, way.name, to.client, to),
        ...address(at.pod, "eth0", to.pod, to),
      ]),
    ];
  const last = way.shape === "far" ? at.other : at.node;
  return [
    ...pod,
    ...namespace(at.node, "node", FORGETFUL),
    ...linkToNode(at, way.name, [v4, v6]),
    ...(way.shape === "far"
      ? [...namespace(at.other, "node", FORGETFUL), ...linksOfOther(at, `${way.name}-b`, [v4, v6])]
      : []),
    ...link([last, "pod"], [at.pod, "eth0"]),
    ...both((to) => [
      ...address(last, "pod", to.gateway, to),
      ...address(at.pod, "eth0", to.pod, to),
      `ip -n ${at.client} route add ${to.vip} via ${to.node}`,
      `ip -n ${at.client} route add ${to.pod} via ${to.node}`,
      `ip -n ${at.pod} route add default via ${to.gateway}`,
      // Last: its next hops are on the links above.
      ...(way.shape === "far"
        ? [
            `ip -n ${at.node} route add ${to.pod} via ${to.otherToNode}`,
            `ip -n ${at.other} route add ${to.client} via ${to.clientToOther}`,
          ]
        : []),
    ]),
    ...stateLines(way, at.node, [v4, v6]),
    ...(way.shape === "far" ? stateLines(way, at.other, []) : []),
  ];
}

/** Whoever receives a flood of packets counts them by its device and drops them: no program is woken. */
function dropping(port: "sport" | "dport"): string[] {
  return [
    "table inet flood {",
    `  chain in { type filter hook prerouting priority -300; udp ${port} { 80, 8080 } counter drop; }`,
    "}",
  ];
}

function stateLines(way: Way, netns: string, vips: readonly Addresses[]): string[] {
  const state = vips.length > 0 ? nodeState(way) : otherState(way);
  return [
    ...(state.nft.length > 0 ? nft(netns, state.nft) : []),
    ...(state.hasVips ? vips.map(({ vip }) => `ip -n ${netns} addr add ${vip} dev lo`) : []),
    ...(way.needsIpvs ? [`nsenter --net=/run/netns/${netns} ipvsadm --set 0 0 ${FORGOTTEN_S}`] : []),
    ...(state.ipvs.length > 0 ? heredoc(`nsenter --net=/run/netns/${netns} ipvsadm -R`, state.ipvs) : []),
  ];
}
