/** The resources that we talk about: where they are in the API, and the type of what comes back. */
import type {
  CoreV1Event,
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1ConfigMap,
  V1CustomResourceDefinition,
  V1DaemonSet,
  V1Deployment,
  V1EndpointSlice,
  V1Lease,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  V1ServiceCIDR,
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
  V1ValidatingWebhookConfiguration,
} from "@kubernetes/client-node";
import { GROUP, VERSION } from "#api/names.ts";
import type * as generated from "#api/v1beta1/generated/types.ts";
import type { KubeObject, Received, ReceivedInNamespace } from "#common/kube/wire.ts";

declare const shape: unique symbol;

export interface Resource<T extends KubeObject> {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type. */
  readonly [shape]?: T;
}

export type Service = ReceivedInNamespace<V1Service>;
export type EndpointSlice = ReceivedInNamespace<V1EndpointSlice>;
export type Node = Received<V1Node>;
export type ServiceCIDR = Received<V1ServiceCIDR>;
export type Namespace = Received<V1Namespace>;
export type Pod = Received<V1Pod>;
export type Lease = Received<V1Lease>;
export type KubeEvent = Received<CoreV1Event>;
export type Secret = Received<V1Secret>;
export type ConfigMap = Received<V1ConfigMap>;
export type Deployment = Received<V1Deployment>;
export type DaemonSet = Received<V1DaemonSet>;
export type ServiceAccount = Received<V1ServiceAccount>;
export type Role = Received<V1Role>;
export type RoleBinding = Received<V1RoleBinding>;
export type ClusterRole = Received<V1ClusterRole>;
export type ClusterRoleBinding = Received<V1ClusterRoleBinding>;
export type ValidatingWebhookConfiguration = Received<V1ValidatingWebhookConfiguration>;
export type ValidatingAdmissionPolicy = Received<V1ValidatingAdmissionPolicy>;
export type ValidatingAdmissionPolicyBinding = Received<V1ValidatingAdmissionPolicyBinding>;
export type NetworkPolicy = Received<V1NetworkPolicy>;
export type CustomResourceDefinition = Received<V1CustomResourceDefinition>;
export type PodDisruptionBudget = Received<V1PodDisruptionBudget>;

const core = { group: "", version: "v1" } as const;
const apps = { group: "apps", version: "v1" } as const;
const rbac = { group: "rbac.authorization.k8s.io", version: "v1" } as const;
const ours = { group: GROUP, version: VERSION, namespaced: true } as const;

export const services: Resource<Service> = { ...core, plural: "services", kind: "Service", namespaced: true };
export const nodes: Resource<Node> = { ...core, plural: "nodes", kind: "Node", namespaced: false };
/** Of Kubernetes 1.33 and later. */
export const serviceCIDRs: Resource<ServiceCIDR> = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "servicecidrs",
  kind: "ServiceCIDR",
  namespaced: false,
};
export const namespaces: Resource<Namespace> = {
  ...core,
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};
export const pods: Resource<Pod> = { ...core, plural: "pods", kind: "Pod", namespaced: true };
export const events: Resource<KubeEvent> = { ...core, plural: "events", kind: "Event", namespaced: true };
export const secrets: Resource<Secret> = { ...core, plural: "secrets", kind: "Secret", namespaced: true };
export const configMaps: Resource<ConfigMap> = {
  ...core,
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
export const serviceAccounts: Resource<ServiceAccount> = {
  ...core,
  plural: "serviceaccounts",
  kind: "ServiceAccount",
  namespaced: true,
};

export const endpointSlices: Resource<EndpointSlice> = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};
export const leases: Resource<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};
export const podDisruptionBudgets: Resource<PodDisruptionBudget> = {
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
  namespaced: true,
};

export const deployments: Resource<Deployment> = {
  ...apps,
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};
export const daemonSets: Resource<DaemonSet> = {
  ...apps,
  plural: "daemonsets",
  kind: "DaemonSet",
  namespaced: true,
};

export const roles: Resource<Role> = { ...rbac, plural: "roles", kind: "Role", namespaced: true };
export const roleBindings: Resource<RoleBinding> = {
  ...rbac,
  plural: "rolebindings",
  kind: "RoleBinding",
  namespaced: true,
};
export const clusterRoles: Resource<ClusterRole> = {
  ...rbac,
  plural: "clusterroles",
  kind: "ClusterRole",
  namespaced: false,
};
export const clusterRoleBindings: Resource<ClusterRoleBinding> = {
  ...rbac,
  plural: "clusterrolebindings",
  kind: "ClusterRoleBinding",
  namespaced: false,
};

export const validatingWebhookConfigurations: Resource<ValidatingWebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
  kind: "ValidatingWebhookConfiguration",
  namespaced: false,
};
export const validatingAdmissionPolicies: Resource<ValidatingAdmissionPolicy> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingadmissionpolicies",
  kind: "ValidatingAdmissionPolicy",
  namespaced: false,
};
export const validatingAdmissionPolicyBindings: Resource<ValidatingAdmissionPolicyBinding> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingadmissionpolicybindings",
  kind: "ValidatingAdmissionPolicyBinding",
  namespaced: false,
};
export const networkPolicies: Resource<NetworkPolicy> = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "networkpolicies",
  kind: "NetworkPolicy",
  namespaced: true,
};
export const customResourceDefinitions: Resource<CustomResourceDefinition> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

export type LoadBalancer = Received<generated.LoadBalancer>;
export type AddressPool = Received<generated.AddressPool>;
export type BGPPeer = Received<generated.BGPPeer>;
export type BFDProfile = Received<generated.BFDProfile>;
export type SpeakerStatus = Received<generated.SpeakerStatus>;

export const loadBalancers: Resource<LoadBalancer> = {
  ...ours,
  plural: "loadbalancers",
  kind: "LoadBalancer",
};
export const addressPools: Resource<AddressPool> = { ...ours, plural: "addresspools", kind: "AddressPool" };
export const bgpPeers: Resource<BGPPeer> = { ...ours, plural: "bgppeers", kind: "BGPPeer" };
export const bfdProfiles: Resource<BFDProfile> = { ...ours, plural: "bfdprofiles", kind: "BFDProfile" };
export const speakerStatuses: Resource<SpeakerStatus> = {
  ...ours,
  plural: "speakerstatuses",
  kind: "SpeakerStatus",
};

/** `v1` or `group/version`, as `apiVersion` spells it. */
export function apiVersionOf(resource: Pick<Resource<KubeObject>, "group" | "version">): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of a collection, or of one object, or of its subresource. Every part is percent-encoded. */
export function pathOf(
  resource: Resource<KubeObject>,
  at: { readonly namespace?: string; readonly name?: string; readonly subresource?: string } = {},
): string {
  const parts = resource.group === "" ? ["api"] : ["apis", resource.group];
  parts.push(resource.version);
  if (resource.namespaced && at.namespace !== undefined) parts.push("namespaces", at.namespace);
  parts.push(resource.plural);
  if (at.name !== undefined) parts.push(at.name);
  if (at.subresource !== undefined) parts.push(at.subresource);
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
