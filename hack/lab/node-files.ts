/** The configuration of a node's programs. Pure. */
import { stringify } from "yaml";
import { CLUSTER_DNS, CLUSTER_DOMAIN, type Layout, type NodeLayout } from "#hack/lab/layout.ts";
import type { Credential } from "#hack/lab/pki.ts";

export const PAUSE_IMAGE = "localhost/pause:1";

export interface NodeFilesInput {
  readonly layout: Layout;
  readonly node: NodeLayout;
  /** The node's own directory, where these files go. */
  readonly directory: string;
  readonly binDirectory: string;
  /** PEM. */
  readonly authority: string;
  readonly serving: Credential;
  readonly kubeletKubeconfig: string;
  readonly proxyKubeconfig: string;
}

/** File name -> text. */
export function nodeFiles(input: NodeFilesInput): Record<string, string> {
  return {
    "cni/10-pods.conflist": cniConfiguration(input),
    "containerd.toml": containerdConfiguration(input),
    "kubelet.yaml": kubeletConfiguration(input),
    "proxy.yaml": proxyConfiguration(input),
    "ca.crt": input.authority,
    "kubelet.crt": input.serving.certificate,
    "kubelet.key": input.serving.key,
    "kubelet.kubeconfig": input.kubeletKubeconfig,
    "proxy.kubeconfig": input.proxyKubeconfig,
    // For pods that do not want the cluster's: beyond the cluster there is nobody to ask.
    "resolv.conf": "# no name server\n",
  };
}

/** Pods are routed, not bridged: nothing depends on br_netfilter. */
function cniConfiguration({ node, directory }: NodeFilesInput): string {
  const ranges = [[{ subnet: node.podRange.v4 }], [{ subnet: node.podRange.v6 }]];
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
  const ipam = { type: "host-local", ranges, routes, dataDir: `${directory}/ipam` };
  const plugins = [{ type: "ptp", ipMasq: false, ipam }];
  return JSON.stringify({ cniVersion: "1.0.0", name: "pods", plugins });
}

function containerdConfiguration({ directory, binDirectory }: NodeFilesInput): string {
  return `version = 3
root = "${directory}/root"
state = "/run/containerd-state"
[grpc]
  address = "${directory}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
[plugins."io.containerd.cri.v1.runtime"]
  # Lowering it needs CAP_SYS_RESOURCE, which a container or a small virtual machine may lack.
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  conf_dir = "${directory}/cni"
  bin_dirs = ["/usr/lib/cni"]
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    BinaryName = "${binDirectory}/runc"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${PAUSE_IMAGE}"
`;
}

function kubeletConfiguration({ node, directory }: NodeFilesInput): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${directory}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: `${directory}/kubelet.crt`,
    tlsPrivateKeyFile: `${directory}/kubelet.key`,
    address: "0.0.0.0",
    containerRuntimeEndpoint: `unix://${directory}/containerd.sock`,
    // Below its own root: kubelets that share one kill each other's pods.
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${node.netns}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    resolvConf: `${directory}/resolv.conf`,
    // One family's is enough, as on any cluster: it knows the addresses of both.
    clusterDNS: [CLUSTER_DNS.v4],
    clusterDomain: CLUSTER_DOMAIN,
    // 0 % is off: whether this machine's disk is full says nothing of a node, and no pod is to end for it.
    evictionHard: { "memory.available": "1%", "nodefs.available": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
    // Status changes are what tests wait for.
    nodeStatusUpdateFrequency: "5s",
    serializeImagePulls: false,
  });
}

function proxyConfiguration({ layout, node, directory }: NodeFilesInput): string {
  return stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clientConnection: { kubeconfig: `${directory}/proxy.kubeconfig` },
    hostnameOverride: node.name,
    clusterCIDR: `${layout.podRange.v4},${layout.podRange.v6}`,
    // The table's size is one for the whole machine: not a node's to set.
    conntrack: { maxPerCore: 0, min: 0 },
  });
}
