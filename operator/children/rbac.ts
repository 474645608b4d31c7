/**
 * Rights of the controller and the speakers: a ServiceAccount each, what is in the install namespace by Role, what
 * users own by ClusterRole. Only speakers read Secrets, for BGP passwords, and only in the install namespace; the
 * certificate comes to the controller as a mounted file. Pure.
 *
 * The operator may grant only what it holds: config/rbac/ holds every rule below (rbac.test.ts compares them).
 */
import type { V1PolicyRule } from "@kubernetes/client-node";
import { APP_NAME, CONTROLLER_NAME, GROUP, SPEAKER_NAME } from "#api/names.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  serviceAccounts,
} from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, child, type Site } from "#operator/children/child.ts";

export type PolicyRule = Wire<V1PolicyRule>;

const RBAC_GROUP = "rbac.authorization.k8s.io";
const READ = ["get", "list", "watch"];
const WRITE_STATUS = ["get", "patch", "update"];
const CONFIGURATION = ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers"];

export interface RoleRules {
  readonly serviceAccount: string;
  readonly component: "controller" | "speaker";
  /** Role and ClusterRole have this name; it is as unique as a name without a namespace has to be. */
  readonly roleName: string;
  readonly inNamespace: readonly PolicyRule[];
  readonly inCluster: readonly PolicyRule[];
}

/** Whose token a reader of metrics shows, and whether he may: common/access/review.ts. */
const JUDGE_READERS = [
  rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
  rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
];

export const CONTROLLER_RULES: RoleRules = {
  serviceAccount: CONTROLLER_NAME,
  component: "controller",
  roleName: `${APP_NAME}-controller`,
  inNamespace: [
    rule(GROUP, CONFIGURATION, READ),
    rule(
      GROUP,
      CONFIGURATION.map((kind) => `${kind}/status`),
      WRITE_STATUS,
    ),
    rule(GROUP, ["speakerstatuses"], READ),
    rule("coordination.k8s.io", ["leases"], ["get", "list", "watch", "create", "update", "patch"]),
  ],
  inCluster: [
    rule("", ["services"], [...READ, "patch", "update"]),
    rule("", ["services/status"], ["patch", "update"]),
    rule("", ["namespaces", "nodes"], READ),
    // Events stand beside the Service that they are about.
    rule("", ["events"], ["create", "patch"]),
    ...JUDGE_READERS,
  ],
};

export const SPEAKER_RULES: RoleRules = {
  serviceAccount: SPEAKER_NAME,
  component: "speaker",
  roleName: `${APP_NAME}-speaker`,
  inNamespace: [
    rule(GROUP, CONFIGURATION, READ),
    rule(GROUP, ["speakerstatuses"], [...READ, "create", "patch", "update"]),
    rule(GROUP, ["speakerstatuses/status"], WRITE_STATUS),
    rule("", ["secrets"], READ),
    rule("coordination.k8s.io", ["leases"], ["get", "list", "watch", "create", "update", "patch", "delete"]),
  ],
  inCluster: [
    rule("", ["services", "nodes"], READ),
    rule("discovery.k8s.io", ["endpointslices"], READ),
    rule("", ["events"], ["create", "patch"]),
    ...JUDGE_READERS,
  ],
};

function rule(apiGroup: string, resources: string[], verbs: string[]): PolicyRule {
  return { apiGroups: [apiGroup], resources, verbs };
}

export function rbacChildren(site: Site): Child[] {
  return [...rightsOf(site, CONTROLLER_RULES), ...rightsOf(site, SPEAKER_RULES)];
}

function rightsOf(site: Site, rules: RoleRules): Child[] {
  const { component, serviceAccount, roleName } = rules;
  const named = { site, name: roleName, component };
  const subjects = [{ kind: "ServiceAccount", name: serviceAccount, namespace: site.namespace }];
  return [
    child(serviceAccounts, { site, name: serviceAccount, component }, {}),
    child(roles, named, { rules: [...rules.inNamespace] }),
    child(roleBindings, named, {
      roleRef: { apiGroup: RBAC_GROUP, kind: "Role", name: roleName },
      subjects,
    }),
    child(clusterRoles, named, { rules: [...rules.inCluster] }),
    child(clusterRoleBindings, named, {
      roleRef: { apiGroup: RBAC_GROUP, kind: "ClusterRole", name: roleName },
      subjects,
    }),
  ];
}
