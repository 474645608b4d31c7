/**
 * ValidatingAdmissionPolicies: limits of a ServiceAccount's writes that RBAC cannot draw, judged by the API server itself.
 * Each judges one kind, for it is written in that kind's fields. A write that a policy cannot judge is refused. Pure.
 */
import type { V1NamedRuleWithOperations, V1Validation } from "@kubernetes/client-node";
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, type Component, child, type Site } from "#operator/children/child.ts";

export type Validation = Wire<V1Validation>;

export interface Policy {
  readonly name: string;
  readonly component: Component;
  /** In the install namespace: whose writes are judged. */
  readonly serviceAccount: string;
  readonly rule: Omit<Wire<V1NamedRuleWithOperations>, "operations">;
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: (site: Site) => Validation[];
}

/** The policy, and the binding that puts it in force. */
export function policyChildren(site: Site, policy: Policy): Child[] {
  const { name, component, serviceAccount, rule, variables = [], validations } = policy;
  const identity = { site, name, component };
  const user = `system:serviceaccount:${site.namespace}:${serviceAccount}`;
  return [
    child(validatingAdmissionPolicies, identity, {
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          matchPolicy: "Equivalent",
          namespaceSelector: {},
          objectSelector: {},
          resourceRules: [{ ...rule, operations: ["CREATE", "UPDATE", "DELETE"], scope: "Namespaced" }],
        },
        matchConditions: [{ name: component, expression: `request.userInfo.username == '${user}'` }],
        variables: [...variables],
        validations: validations(site),
      },
    }),
    child(validatingAdmissionPolicyBindings, identity, {
      spec: { policyName: name, validationActions: ["Deny"] },
    }),
  ];
}

export function validation(expression: string, message: string): Validation {
  return { expression, message, reason: "Forbidden" };
}

/** `message`: a CEL expression. The object of a deletion is null; deletions are judged apart. */
export function forWrites(expression: string, message: string): Validation {
  return {
    expression: `request.operation == 'DELETE' || (${expression})`,
    messageExpression: message,
    reason: "Forbidden",
  };
}

/**
 * What is compared by a policy is compared only up to so many entries: the API server's comparisons take a time that grows
 * with the square of them (12,000 annotations, 1.6 s), and tenants decide how many there are.
 */
const MANY = 500;

/** CEL: whether `comparison` of two lists or maps holds; true if there are many to begin with. */
export function bounded(before: string, after: string, comparison: string, more = 0): string {
  return `(${before}.size() > ${MANY} || ${after}.size() <= ${before}.size() + ${more} && ${comparison})`;
}

/** Fields of the metadata that stay as they are, and are empty at first. `empty`: CEL of one that is not there. */
export function keeps(fields: readonly string[], message: string, empty: "[]" | "{}" = "[]"): Validation {
  const same = fields.map((field) => {
    const before = `(oldObject == null ? ${empty} : oldObject.metadata.?${field}.orValue(${empty}))`;
    const after = `object.metadata.?${field}.orValue(${empty})`;
    return bounded(before, after, `${after} == ${before}`);
  });
  return forWrites(same.join(" && "), `'${message}'`);
}
