/**
 * The names that processes agree on: group, labels, annotations, finalizer, leases, ports, field managers.
 * Nothing else in the tree spells one of them out.
 */

/** API group and version of the kinds in config/crd. */
export const GROUP = "genkan.dev";
export const VERSION = "v1beta1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Where everything is installed unless a process is told otherwise (POD_NAMESPACE). */
export const DEFAULT_NAMESPACE = "genkan-system";

/** The only LoadBalancer that counts. */
export const LOADBALANCER_NAME = "loadbalancer";

/** Names of the workloads. */
export const OPERATOR_NAME = "genkan-operator-controller-manager";
export const CONTROLLER_NAME = "controller";
export const SPEAKER_NAME = "speaker";
export const WEBHOOK_SERVICE_NAME = "genkan-webhook";
export const WEBHOOK_SECRET_NAME = "genkan-webhook-certificate";
/** By which a ServiceMonitor finds all processes, and the Secret that may hold their certificate. */
export const METRICS_SERVICE_NAME = "genkan-metrics";
export const METRICS_SECRET_NAME = "genkan-metrics-certificate";
/** Where its files are in every container. */
export const METRICS_CERTIFICATE_DIRECTORY = "/etc/genkan/metrics";
/** The ConfigMap that may say whose client certificates the webhook wants. */
export const WEBHOOK_CLIENTS_NAME = "genkan-webhook-clients";
/** The Secret with the keys by which speakers gossip, and the entry of it that has them, one a line. */
export const GOSSIP_SECRET_NAME = "genkan-gossip-keys";
export const GOSSIP_SECRET_ENTRY = "keys";
export const GOSSIP_SECRET_TYPE = `${GROUP}/gossip-keys`;
/** The type of the Secret by which calls about owners are signed, its entries, and the fewest octets of the key. */
export const RECEIVER_SECRET_TYPE = `${GROUP}/owner-changed`;
export const RECEIVER_SECRET_KEY = "key";
export const RECEIVER_SECRET_CA = "ca.crt";
export const LEAST_RECEIVER_KEY = 16;
export const WEBHOOK_CONFIGURATION_NAME = "genkan-validating-webhook";

/** On every object that the operator makes, so that leftovers are found by label and not by guess. */
export const LABEL_MANAGED_BY = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "genkan-operator";
export const LABEL_COMPONENT = "app.kubernetes.io/component";
export const LABEL_NAME = "app.kubernetes.io/name";
export const APP_NAME = "genkan";

/**
 * Older releases put it on the LoadBalancer; the operator takes it off. An uninstall often takes away the operator's
 * rights before the LoadBalancer, and what nobody can take off keeps its namespace from ending.
 */
export const FINALIZER = `${GROUP}/cleanup`;

/** Kubernetes' own name (KEP-980): on Services with addresses, where spec.cleanupFinalizer of the LoadBalancer asks for it. */
export const CLEANUP_FINALIZER = "service.kubernetes.io/load-balancer-cleanup";

/** Field managers of server-side apply, one for each role. */
export const FIELD_MANAGER = {
  operator: "genkan-operator",
  controller: "genkan-controller",
  speaker: "genkan-speaker",
} as const;

/** On the LoadBalancer: when its value changes, layer 2 addresses are spread anew over the nodes. */
export const ANNOTATION_REBALANCE = `${GROUP}/rebalance`;

/**
 * Service annotations that users write. The first spelling is ours, the others are read too, in this order,
 * so that manifests written for MetalLB keep working.
 */
export const ANNOTATION_POOL = [
  `${GROUP}/address-pool`,
  "metallb.io/address-pool",
  "metallb.universe.tf/address-pool",
] as const;
export const ANNOTATION_ADDRESSES = [
  `${GROUP}/loadBalancerIPs`,
  "metallb.io/loadBalancerIPs",
  "metallb.universe.tf/loadBalancerIPs",
] as const;
export const ANNOTATION_SHARING_KEY = [
  `${GROUP}/allow-shared-ip`,
  "metallb.io/allow-shared-ip",
  "metallb.universe.tf/allow-shared-ip",
] as const;

/**
 * Service annotations by which users have endpoints checked (docs/endpoints.md, "Health of endpoints"). The first one
 * asks for it, the others say how; speaker/known/health-check.ts reads them.
 */
export const ANNOTATION_HEALTH_CHECK = `${GROUP}/health-check`;
export const ANNOTATION_OF_HEALTH_CHECK = {
  port: `${ANNOTATION_HEALTH_CHECK}-port`,
  path: `${ANNOTATION_HEALTH_CHECK}-path`,
  host: `${ANNOTATION_HEALTH_CHECK}-host`,
  status: `${ANNOTATION_HEALTH_CHECK}-status`,
  service: `${ANNOTATION_HEALTH_CHECK}-service`,
  interval: `${ANNOTATION_HEALTH_CHECK}-interval`,
  timeout: `${ANNOTATION_HEALTH_CHECK}-timeout`,
  rise: `${ANNOTATION_HEALTH_CHECK}-rise`,
  fall: `${ANNOTATION_HEALTH_CHECK}-fall`,
} as const;

/**
 * Service annotations by which users choose how IPVS picks a pod for this Service alone (docs/endpoints.md, "Other
 * schedulers"), and how many connections a node gives one pod; speaker/known/service-forwarding.ts reads them.
 */
export const ANNOTATION_SCHEDULER = `${GROUP}/scheduler`;
export const ANNOTATION_UPPER_THRESHOLD = `${GROUP}/upper-threshold`;
export const ANNOTATION_LOWER_THRESHOLD = `${GROUP}/lower-threshold`;
/** Weights of its endpoints, by their own addresses or by their nodes: `node-a=3, 10.244.1.5=2`. */
export const ANNOTATION_WEIGHTS = `${GROUP}/weights`;
/** Seconds that a terminating endpoint keeps its connections for. */
export const ANNOTATION_DRAIN_TIMEOUT = `${GROUP}/drain-timeout`;

/** Service annotation that the controller writes for people and their tools: the pool that the addresses came from. */
export const ANNOTATION_ALLOCATED_FROM = `${GROUP}/ip-allocated-from-pool`;

/** A node with this label attracts no traffic (Kubernetes' own label). */
export const LABEL_EXCLUDE_NODE = "node.kubernetes.io/exclude-from-external-load-balancers";

/** Lease of the leading controller. */
export const CONTROLLER_LEASE = "genkan-controller";
/** Lease of the leading operator. */
export const OPERATOR_LEASE = "genkan-operator";
/** Liveness Lease of the speaker on one node; carries LABEL_SPEAKER_LEASE. */
export const speakerLease = (node: string): string => `speaker-${node}`;
export const LABEL_SPEAKER_LEASE = `${GROUP}/speaker`;
/** Lease annotation by which a speaker tells the others whether it is ready, and its links (speaker/known/view.ts). */
export const ANNOTATION_SPEAKER_STATE = `${GROUP}/speaker-state`;

/**
 * Ports that the processes listen on. The speaker's are on the node's own network: 7472 has health on loopback and
 * metrics at the node's address. Operator and controller have health at one port and metrics at the other; the console
 * is on the controller's loopback, where spec.consoleAccess says so. `probe`: UDP,
 * inside tunnels between nodes only. `sync`: UDP, multicast between nodes; `tunnel`: UDP, where
 * spec.forwarding.tunnel is gue (docs/dataplane.md, "Host firewalls"). `gossip`:
 * UDP and TCP between the nodes' own addresses, unless spec.membership.port is another one; not memberlist's 7946, which
 * MetalLB and others have.
 */
export const PORT = {
  webhook: 9443,
  operator: 8080,
  controller: 8080,
  console: 8081,
  metrics: 8443,
  speaker: 7472,
  probe: 7473,
  gossip: 7474,
  sync: 7475,
  tunnel: 7476,
  bgp: 179,
} as const;

/** Of a BFDProfile that says nothing, in milliseconds. */
export const DEFAULT_BFD_INTERVAL_MS = 300;
/** The shortest BFD interval, with a multiplier of 3, that a thread without a fixed priority keeps on a busy node. */
export const SAFE_BFD_INTERVAL_MS = 350;
