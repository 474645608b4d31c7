/**
 * What a speaker's token may write, judged by the API server itself: all speakers share a ServiceAccount, and RBAC
 * cannot tell one from the other. Each pod's token says on which node the pod runs
 * (`authentication.kubernetes.io/node-name`, Kubernetes 1.30 and later), so that whoever took a node over, and holds the
 * tokens of its pods, writes in that node's name alone. Pure.
 *
 * Each policy judges one kind, for it is written in that kind's fields. A write that a policy cannot judge is refused.
 */
import type { V1NamedRuleWithOperations, V1Validation } from "@kubernetes/client-node";
import {
  API_VERSION,
  APP_NAME,
  FIELD_MANAGER,
  GROUP,
  LABEL_SPEAKER_LEASE,
  SPEAKER_NAME,
  speakerLease,
  VERSION,
} from "#api/names.ts";
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, child, type Site } from "#operator/children/child.ts";

type Rule = Wire<V1NamedRuleWithOperations>;
type Validation = Wire<V1Validation>;

interface Policy {
  readonly name: string;
  readonly rule: Omit<Rule, "operations">;
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: (site: Site) => Validation[];
}

/** The node that the token is bound to; empty for a token that is bound to none. */
const NODE = "request.userInfo.?extra[?'authentication.kubernetes.io/node-name'][?0].orValue('')";

const NAMES_A_NODE = validation(
  "variables.node != ''",
  "the speaker's token names no node: only a token that is bound to a speaker's pod may write",
);
const REMOVES_NOTHING = validation("request.operation != 'DELETE'", "a speaker removes nothing");
/** A finalizer would hold up the removal of Genkan; an owner would take the object with it. */
const HAS_NO_TIES = forWrites(
  ["finalizers", "ownerReferences"]
    .map((field) => `${listOf("object", field)} == (oldObject == null ? [] : ${listOf("oldObject", field)})`)
    .join(" && "),
  "'a speaker sets neither finalizers nor owners'",
);

const LEASES: Policy = {
  name: `${APP_NAME}-speaker-leases`,
  rule: { apiGroups: ["coordination.k8s.io"], apiVersions: ["v1"], resources: ["leases"] },
  validations: () => [
    forWrites(
      `object.metadata.name == '${speakerLease("")}' + variables.node`,
      `'a speaker writes only the Lease ${speakerLease("")}' + variables.node`,
    ),
    forWrites(
      `object.metadata.?labels[?'${LABEL_SPEAKER_LEASE}'].orValue('') == variables.node`,
      `'the label ${LABEL_SPEAKER_LEASE} has to be ' + variables.node`,
    ),
    HAS_NO_TIES,
  ],
};

const STATUSES: Policy = {
  name: `${APP_NAME}-speaker-statuses`,
  rule: {
    apiGroups: [GROUP],
    apiVersions: [VERSION],
    resources: ["speakerstatuses", "speakerstatuses/status"],
  },
  validations: () => [
    forWrites(
      "object.metadata.name == variables.node",
      "'a speaker writes only the SpeakerStatus ' + variables.node",
    ),
    HAS_NO_TIES,
  ],
};

/** What an Event says once and for all; count and times go on. */
const FIXED = ["involvedObject", "reason", "message", "type", "source", "reportingInstance"];

const EVENTS: Policy = {
  name: `${APP_NAME}-speaker-events`,
  rule: { apiGroups: [""], apiVersions: ["v1"], resources: ["events"] },
  variables: [{ name: "about", expression: "object.?involvedObject.orValue({})" }],
  validations: (site) => [
    forWrites(
      `object.?source.?component.orValue('') == '${FIELD_MANAGER.speaker}' && ` +
        "object.?source.?host.orValue('') == variables.node && " +
        `object.?reportingComponent.orValue('') == '${FIELD_MANAGER.speaker}' && ` +
        "object.?reportingInstance.orValue('') == variables.node",
      `'an Event of a speaker says that it is from ${FIELD_MANAGER.speaker} of node ' + variables.node`,
    ),
    forWrites(
      `variables.about.?apiVersion.orValue('') == 'v1' && variables.about.?kind.orValue('') == 'Service' ? ` +
        "variables.about.?namespace.orValue('') == request.namespace : " +
        `variables.about.?apiVersion.orValue('') == '${API_VERSION}' && ` +
        `variables.about.?namespace.orValue('') == '${site.namespace}' && ` +
        "(variables.about.?kind.orValue('') == 'BGPPeer' || variables.about.?kind.orValue('') == 'SpeakerStatus' && " +
        "variables.about.?name.orValue('') == variables.node)",
      "'a speaker tells of Services, BGPPeers and its own SpeakerStatus'",
    ),
    validation(
      `request.operation != 'UPDATE' || ${FIXED.map((field) => `object.?${field} == oldObject.?${field}`).join(" && ")}`,
      "of an Event that is there a speaker counts on only what it said itself",
    ),
    HAS_NO_TIES,
  ],
};

const POLICIES: readonly Policy[] = [LEASES, STATUSES, EVENTS];
/** What the operator may make of this kind: config/rbac names them. */
export const POLICY_NAMES: readonly string[] = POLICIES.map(({ name }) => name);

/** The policies that hold a speaker to its own node, and the bindings that put them in force. */
export function policyChildren(site: Site): Child[] {
  return POLICIES.flatMap((policy) => [policyChild(site, policy), bindingChild(site, policy)]);
}

function policyChild(site: Site, { name, rule, validations, variables = [] }: Policy): Child {
  const speaker = `system:serviceaccount:${site.namespace}:${SPEAKER_NAME}`;
  return child(
    validatingAdmissionPolicies,
    { site, name, component: "speaker" },
    {
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          matchPolicy: "Equivalent",
          namespaceSelector: {},
          objectSelector: {},
          resourceRules: [{ ...rule, operations: ["CREATE", "UPDATE", "DELETE"], scope: "Namespaced" }],
        },
        matchConditions: [{ name: "speaker", expression: `request.userInfo.username == '${speaker}'` }],
        variables: [{ name: "node", expression: NODE }, ...variables],
        validations: [NAMES_A_NODE, REMOVES_NOTHING, ...validations(site)],
      },
    },
  );
}

function bindingChild(site: Site, { name }: Policy): Child {
  return child(
    validatingAdmissionPolicyBindings,
    { site, name, component: "speaker" },
    { spec: { policyName: name, validationActions: ["Deny"] } },
  );
}

function validation(expression: string, message: string): Validation {
  return { expression, message, reason: "Forbidden" };
}

/** `message`: a CEL expression. The object of a deletion is null; deletions are judged apart. */
function forWrites(expression: string, message: string): Validation {
  return {
    expression: `request.operation == 'DELETE' || (${expression})`,
    messageExpression: message,
    reason: "Forbidden",
  };
}

function listOf(object: string, field: string): string {
  return `${object}.metadata.?${field}.orValue([])`;
}
