/** One client, and for each way nodes and pods of its own, in network namespaces: text of a shell script. */
import { linksOfOther, linkToNode } from "../forwarding-hops.ts";
import { address, link, namespace } from "../forwarding-script.ts";
import { addressesOf, MOST_PODS, namespacesOf, podsOf, WAYS, type Way } from "./ways.ts";

/** Many connections of a moment, from one address. */
const CLIENT = ["net.ipv4.ip_local_port_range=1024 65000", "net.ipv4.tcp_tw_reuse=1"].map(
  (each) => `'${each}'`,
);

export function networkScript(prefix: string): string {
  return [
    ...namespace(`${prefix}-client`, "end", CLIENT),
    ...WAYS.flatMap((way) => wayLines(way, prefix)),
  ].join("\n");
}

function wayLines(way: Way, prefix: string): string[] {
  const at = namespacesOf(prefix, way);
  const to = addressesOf(way);
  const isFar = way.pods !== "near";
  const last = isFar ? at.other : at.node;
  return [
    ...namespace(at.pods, "end"),
    ...namespace(at.node, "node"),
    ...linkToNode(at, way.name, [to]),
    ...(isFar ? otherLines(way, prefix) : []),
    ...link([last, "pods"], [at.pods, "eth0"]),
    ...address(last, "pods", to.gateway, to),
    ...podsOf(way, MOST_PODS).flatMap((pod) => address(at.pods, "eth0", pod, to)),
    `ip -n ${at.pods} route add default via ${to.gateway}`,
    ...[to.vip, to.podNet].map((target) => `ip -n ${at.client} route add ${target} via ${to.node}`),
    ...(way.pods === "far" ? [`ip -n ${at.node} route add ${to.podNet} via ${to.otherToNode}`] : []),
    ...(way.pods === "overlay" ? overlayLines(way, prefix) : []),
    ...(isVipOwn(way) ? [`ip -n ${at.node} addr add ${to.vip} dev lo`] : []),
  ];
}

/** The other node, which also has a way of its own back to the client. */
function otherLines(way: Way, prefix: string): string[] {
  const at = namespacesOf(prefix, way);
  const to = addressesOf(way);
  const back = `${way.name}-b`.replace("overlay", "o");
  return [
    ...namespace(at.other, "node"),
    ...linksOfOther(at, back, [to]),
    `ip -n ${at.other} route add ${to.client} via ${to.clientToOther}`,
  ];
}

/** As flannel's vxlan: one device on each node, and what is behind it is routed. */
function overlayLines(way: Way, prefix: string): string[] {
  const at = namespacesOf(prefix, way);
  const to = addressesOf(way);
  const device = (netns: string, own: string, local: string, remote: string): string[] => [
    `ip -n ${netns} link add flannel.1 type vxlan id 1 local ${local} remote ${remote} dstport 8472`,
    `ip -n ${netns} link set flannel.1 up`,
    ...address(netns, "flannel.1", own, to),
  ];
  return [
    ...device(at.node, to.nodeOverlay, to.nodeToOther, to.otherToNode),
    ...device(at.other, to.otherOverlay, to.otherToNode, to.nodeToOther),
    `ip -n ${at.node} route add ${to.podNet} via ${to.otherOverlay}`,
  ];
}

/** As kube-proxy has it for IPVS, and whoever listens. */
const isVipOwn = ({ balancer }: Way): boolean => ["ipvs", "nginx", "haproxy"].includes(balancer);
