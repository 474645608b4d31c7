/**
 * Rights of the controller and the speakers: a ServiceAccount each, what is in the install namespace by Role, what
 * users own by ClusterRole. Each right is used: test/integration/privileges.test.ts compares them with what ran.
 * Only speakers read Secrets, those that BGPPeers and the LoadBalancer name, the keys of gossip, and no others; the
 * certificate comes to the controller as a mounted file. What RBAC cannot tell apart, one speaker from the other, policies.ts does. Pure.
 *
 * The operator may grant only what it holds: config/rbac/ holds every rule below (rbac.test.ts compares them).
 */
import type { V1PolicyRule } from "@kubernetes/client-node";
import {
  APP_NAME,
  CONTROLLER_LEASE,
  CONTROLLER_NAME,
  GOSSIP_SECRET_NAME,
  GROUP,
  SPEAKER_NAME,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  serviceAccounts,
} from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, child, type Site } from "#operator/children/child.ts";
import { limitsOf } from "#operator/children/policies.ts";
import type { ConsoleAccess } from "#operator/settings.ts";

export type PolicyRule = Wire<V1PolicyRule>;

const RBAC_GROUP = "rbac.authorization.k8s.io";
const WATCH = ["list", "watch"];

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
    rule(GROUP, ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers", "speakerstatuses"], WATCH),
    rule(GROUP, ["addresspools/status", "bfdprofiles/status", "bgppeers/status"], ["patch"]),
    // A name does not hold for a creation: RBAC judges that before it has seen the object.
    rule("coordination.k8s.io", ["leases"], ["create"]),
    rule("coordination.k8s.io", ["leases"], ["get", "update"], [CONTROLLER_LEASE]),
  ],
  inCluster: [
    rule("", ["services"], WATCH),
    rule("", ["services/status"], ["patch"]),
    rule("", ["namespaces", "nodes"], WATCH),
    rule("networking.k8s.io", ["servicecidrs"], WATCH),
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
    rule(GROUP, ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers"], WATCH),
    // Whether the node is to be cleaned: asked once more when a speaker ends.
    rule(GROUP, ["loadbalancers"], ["get"]),
    rule("", ["namespaces"], ["get"]),
    rule(GROUP, ["speakerstatuses"], ["get", "create"]),
    rule(GROUP, ["speakerstatuses/status"], ["patch"]),
    rule("coordination.k8s.io", ["leases"], [...WATCH, "create", "patch"]),
    rule("", ["secrets"], WATCH, [GOSSIP_SECRET_NAME]),
  ],
  inCluster: [
    rule("", ["services"], WATCH),
    rule("", ["nodes"], ["get", ...WATCH]),
    rule("discovery.k8s.io", ["endpointslices"], WATCH),
    rule("", ["events"], ["create", "patch"]),
    ...JUDGE_READERS,
  ],
};

/**
 * The passwords of BGP sessions and the key of calls about owners: the Secrets that BGPPeers and the LoadBalancer name, and
 * no rule at all where none does. Who names the webhook's key gets nobody to read it.
 */
export function namedSecretRules(secretNames: readonly string[]): PolicyRule[] {
  const names = secretNames.filter((name) => name !== WEBHOOK_SECRET_NAME);
  return names.length === 0 ? [] : [rule("", ["secrets"], WATCH, names)];
}

/**
 * What the console shows beside what the controller reads anyway (console/kinds.ts); none of it where it is off. Who may
 * see it is asked by the rights of JUDGE_READERS.
 */
export const CONSOLE_RULES: Pick<RoleRules, "inNamespace" | "inCluster"> = {
  inNamespace: [rule("coordination.k8s.io", ["leases"], ["list"])],
  inCluster: [rule("discovery.k8s.io", ["endpointslices"], ["list"])],
};

function rule(
  apiGroup: string,
  resources: string[],
  verbs: string[],
  resourceNames?: readonly string[],
): PolicyRule {
  const named = resourceNames === undefined ? {} : { resourceNames: [...resourceNames] };
  return { apiGroups: [apiGroup], resources, ...named, verbs };
}

interface Needs {
  /** Secrets that BGPPeers and the LoadBalancer name. */
  readonly namedSecrets: readonly string[];
  readonly consoleAccess: ConsoleAccess;
}

/** The limits of the rights, then the rights. */
export function rbacChildren(site: Site, { namedSecrets, consoleAccess }: Needs): Child[] {
  const inNamespace = [...SPEAKER_RULES.inNamespace, ...namedSecretRules(namedSecrets)];
  const shown = consoleAccess === "Off" ? { inNamespace: [], inCluster: [] } : CONSOLE_RULES;
  const controller = {
    ...CONTROLLER_RULES,
    inNamespace: [...CONTROLLER_RULES.inNamespace, ...shown.inNamespace],
    inCluster: [...CONTROLLER_RULES.inCluster, ...shown.inCluster],
  };
  return [
    ...limitsOf(site),
    ...rightsOf(site, controller),
    ...rightsOf(site, { ...SPEAKER_RULES, inNamespace }),
  ];
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
