/**
 * What the controller's token may write beside what RBAC says. With a Service's status Kubernetes takes its metadata too,
 * where other controllers are told what to do; and a name cannot be granted to a creation. Pure.
 */
import {
  ANNOTATION_ALLOCATED_FROM,
  APP_NAME,
  CLEANUP_FINALIZER,
  CONTROLLER_LEASE,
  CONTROLLER_NAME,
} from "#api/names.ts";
import { bounded, forWrites, keeps, type Policy } from "#operator/children/policy.ts";

const CONTROLLER = { component: "controller", serviceAccount: CONTROLLER_NAME } as const;
const annotationsOf = (object: string): string => `${object}.metadata.?annotations.orValue({})`;
const finalizersOf = (object: string): string => `${object}.metadata.?finalizers.orValue([])`;

const SERVICES: Policy = {
  ...CONTROLLER,
  name: `${APP_NAME}-controller-services`,
  rule: { apiGroups: [""], apiVersions: ["v1"], resources: ["services", "services/status"] },
  variables: [
    { name: "before", expression: annotationsOf("oldObject") },
    { name: "after", expression: annotationsOf("object") },
  ],
  validations: () => [
    forWrites("request.subResource == 'status'", "'the controller writes only the status of a Service'"),
    forWrites(
      bounded(
        "variables.before",
        "variables.after",
        `variables.after.all(key, key == '${ANNOTATION_ALLOCATED_FROM}' || ` +
          "key in variables.before && variables.before[key] == variables.after[key]) && " +
          `variables.before.all(key, key == '${ANNOTATION_ALLOCATED_FROM}' || key in variables.after)`,
        1,
      ),
      `'the controller writes the annotation ${ANNOTATION_ALLOCATED_FROM} alone'`,
    ),
    keeps(["labels"], "the controller writes no label of a Service", "{}"),
    keeps(["ownerReferences"], "the controller sets no owners"),
    forWrites(
      bounded(
        finalizersOf("oldObject"),
        finalizersOf("object"),
        `${finalizersOf("object")}.filter(each, each != '${CLEANUP_FINALIZER}') == ` +
          `${finalizersOf("oldObject")}.filter(each, each != '${CLEANUP_FINALIZER}')`,
        1,
      ),
      `'the controller writes the finalizer ${CLEANUP_FINALIZER} alone'`,
    ),
  ],
};

const LEASES: Policy = {
  ...CONTROLLER,
  name: `${APP_NAME}-controller-leases`,
  rule: { apiGroups: ["coordination.k8s.io"], apiVersions: ["v1"], resources: ["leases"] },
  validations: () => [
    forWrites(
      `object.metadata.name == '${CONTROLLER_LEASE}'`,
      `'the controller writes only the Lease ${CONTROLLER_LEASE}'`,
    ),
  ],
};

export const CONTROLLER_LIMITS: readonly Policy[] = [SERVICES, LEASES];
