/** The configuration of the cluster's name server, and what the cluster knows about it. Pure. */
import { CLUSTER_DNS, CLUSTER_DOMAIN, type Layout } from "#hack/lab/layout.ts";

/** On the lab's bridge. Not 53: a name server of this machine may have that on every address. */
export const DNS_PORT = 1053;
/** Whom the API server takes it for. */
export const DNS_USER = "coredns";
const NAMESPACE = "kube-system";
const SERVICE = "kube-dns";
const ROLE = "system:coredns";

/** The order of answering is in programs/kube/coredns.go. Beyond the cluster there is nobody to ask: no such name. */
export function corefile({ host }: Layout, kubeconfig: string): string {
  return `.:${DNS_PORT} {
    bind ${host.v4} ${host.v6}
    errors
    loadbalance
    kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
        kubeconfig ${kubeconfig}
        pods insecure
    }
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`;
}

/**
 * What the server may read, and the Service under whose addresses pods ask it. As kubeadm names them, but without a
 * selector: the server is no pod, so its endpoints are written here.
 */
export function dnsObjects({ host }: Layout): object {
  const labels = {
    "k8s-app": SERVICE,
    "kubernetes.io/cluster-service": "true",
    "kubernetes.io/name": "CoreDNS",
  };
  const ports = [
    { name: "dns", protocol: "UDP", port: 53, targetPort: DNS_PORT },
    { name: "dns-tcp", protocol: "TCP", port: 53, targetPort: DNS_PORT },
  ];
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: SERVICE, namespace: NAMESPACE, labels },
    spec: {
      clusterIP: CLUSTER_DNS.v4,
      clusterIPs: [CLUSTER_DNS.v4, CLUSTER_DNS.v6],
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "RequireDualStack",
      ports,
    },
  };
  const items = [...roles(), service, endpointSlice("IPv4", host.v4), endpointSlice("IPv6", host.v6)];
  return { apiVersion: "v1", kind: "List", items };
}

function endpointSlice(addressType: "IPv4" | "IPv6", address: string): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${SERVICE}-${addressType.toLowerCase()}`,
      namespace: NAMESPACE,
      labels: {
        "kubernetes.io/service-name": SERVICE,
        // Not the control plane's own controller, which would remove it.
        "endpointslice.kubernetes.io/managed-by": "genkan-lab",
      },
    },
    addressType,
    ports: [
      { name: "dns", protocol: "UDP", port: DNS_PORT },
      { name: "dns-tcp", protocol: "TCP", port: DNS_PORT },
    ],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
}

function roles(): object[] {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const apiGroup = "rbac.authorization.k8s.io";
  const verbs = ["list", "watch"];
  return [
    {
      apiVersion,
      kind: "ClusterRole",
      metadata: { name: ROLE },
      rules: [
        { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
      ],
    },
    {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: { name: ROLE },
      roleRef: { apiGroup, kind: "ClusterRole", name: ROLE },
      subjects: [{ apiGroup, kind: "User", name: DNS_USER }],
    },
  ];
}
