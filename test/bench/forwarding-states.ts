/** What the nodes of each way have in the kernel: text for nft(8) and ipvsadm(8), and what Genkan is asked to write. */
import { FAMILIES, type Family } from "#api/address.ts";
import type { ForwardedPort, ForwardingInput } from "#speaker/forwarding/types.ts";
import { POD_PORT, PORT } from "./forwarding-hops.ts";
import { kubeProxyTable } from "./forwarding-kube-proxy.ts";
import { addressesOf, type Way } from "./forwarding-ways.ts";

/** Connections are followed: what kube-proxy has in its forward chain has that for an effect. */
const TRACKING = [
  "table inet tracking {",
  "  chain forward { type filter hook forward priority 0; ct state invalid drop; }",
  "}",
];

function dnat(way: Way, family: Family): string[] {
  const { vip, pod } = addressesOf(way, family);
  // externalTrafficPolicy Cluster for the other node's pod, or the reply would not come back; Local for the near one.
  return kubeProxyTable(family, {
    vip,
    port: PORT,
    pods: [pod],
    podPort: POD_PORT,
    isMasqueraded: way.shape === "far",
  });
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
