/** Somebody who puts fields of his own into every child of the operator. */
import {
  clusterRoleBindings,
  clusterRoles,
  daemonSets,
  deployments,
  networkPolicies,
  podDisruptionBudgets,
  type Resource,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
  services,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { managedSelector } from "#operator/children/child.ts";
import { NAMESPACE, type OperatorWorld } from "#test/integration/operator-process.ts";
import { until } from "#test/until.ts";

type Change = (object: Readonly<Record<string, unknown>>) => object;

const NODE_SELECTOR: Change = () => ({ spec: { template: { spec: { nodeSelector: { disk: "ssd" } } } } });
const RULE: Change = ({ rules }) => ({
  rules: [...(rules as object[]), { apiGroups: ["other.example"], resources: ["things"], verbs: ["get"] }],
});
const SUBJECT: Change = ({ subjects }) => ({
  subjects: [...(subjects as object[]), { kind: "ServiceAccount", name: "other", namespace: "other" }],
});

/** A change for each kind that takes nothing from anybody who works meanwhile. */
const CHANGES: readonly (readonly [Resource<KubeObject>, Change])[] = [
  [serviceAccounts, () => ({ automountServiceAccountToken: true })],
  [roles, RULE],
  [clusterRoles, RULE],
  [roleBindings, SUBJECT],
  [clusterRoleBindings, SUBJECT],
  [secrets, () => ({ data: { other: "eA==" } })],
  [services, () => ({ spec: { internalTrafficPolicy: "Local" } })],
  [deployments, NODE_SELECTOR],
  [daemonSets, NODE_SELECTOR],
  [podDisruptionBudgets, () => ({ spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } })],
  [networkPolicies, () => ({ spec: { ingress: [{}] } })],
  [validatingWebhookConfigurations, ({ webhooks }) => ({ webhooks: patient(webhooks as object[]) })],
  [validatingAdmissionPolicies, () => ({ spec: { failurePolicy: "Ignore" } })],
  [validatingAdmissionPolicyBindings, () => ({ spec: { validationActions: ["Deny", "Audit"] } })],
];

const patient = (webhooks: object[]): object[] =>
  webhooks.map((webhook) => ({ ...webhook, timeoutSeconds: 6 }));

const STRANGER = "somebody";

/** Changes every child that is there now, and waits until the operator has taken each change back. */
export async function changeAllChildren(world: OperatorWorld): Promise<number> {
  let count = 0;
  for (const [resource, change] of CHANGES) {
    const { items } = await world.client.list(resource, {
      ...(resource.namespaced ? { namespace: NAMESPACE } : {}),
      labelSelector: managedSelector(NAMESPACE),
    });
    for (const object of items) {
      const { name } = object.metadata;
      await world.patch(resource, name, change(object as unknown as Readonly<Record<string, unknown>>));
      await until(
        `${resource.kind} ${name} to be put back`,
        async () => !hasStranger(await world.get(resource, name)),
      );
      count += 1;
    }
  }
  return count;
}

function hasStranger(object: KubeObject | undefined): boolean {
  const fields = (object?.metadata.managedFields ?? []) as readonly { readonly manager?: string }[];
  return object === undefined || fields.some(({ manager }) => manager === STRANGER);
}
