/**
 * The verdict on one object: the same in the webhook, in the controller (for what came in while no webhook was up) and
 * offline. Pure.
 */
import { LOADBALANCER_NAME } from "#api/names.ts";
import { ADDRESSPOOL_RULES, addressesTakenAway } from "#api/v1beta1/admission/addresspool.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type { AddressPool, LoadBalancer, ObjectMeta } from "#api/v1beta1/generated/types.ts";
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";
import { inactiveWords, unsupportedFields } from "#api/v1beta1/unsupported.ts";
import { validateSchema } from "#api/v1beta1/validate.ts";

export interface Judged {
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface Question {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly kind: string;
  /** undefined when it is deleted. */
  readonly object: Judged | undefined;
  /** undefined when it is created. */
  readonly oldObject: Judged | undefined;
}

export interface Verdict {
  /** Empty: admitted. */
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
}

function inOurNamespace(object: Judged, view: View): Refusal[] {
  const { namespace = "" } = object.metadata;
  return namespace === view.namespace
    ? []
    : [
        refusal(
          "metadata.namespace",
          `"${namespace}": objects of kind ${object.kind} belong in "${view.namespace}"`,
        ),
      ];
}

function loadBalancerRules(balancer: LoadBalancer): Refusal[] {
  const { name = "" } = balancer.metadata;
  return name === LOADBALANCER_NAME
    ? []
    : [refusal("metadata.name", `"${name}": the only LoadBalancer is named "${LOADBALANCER_NAME}"`)];
}

function loadBalancerWarnings(balancer: LoadBalancer): string[] {
  const scheduler = balancer.spec.forwarding?.scheduler ?? "mh";
  return scheduler === "mh"
    ? []
    : [
        `spec.forwarding.scheduler: with ${scheduler} nodes pick different pods: open connections break when their address moves`,
      ];
}

/** All refusals of an object as it stands, in the order of the rules; schema faults end the reading. */
export function refusalsOf(object: Judged, view: View): Refusal[] {
  const faults = validateSchema(object.kind, object);
  if (faults.length > 0) return faults;
  const general = [...inOurNamespace(object, view), ...unsupportedFields(object.kind, object)];
  if (object.kind === "AddressPool") {
    return [...general, ...ADDRESSPOOL_RULES.flatMap((rule) => rule(object as AddressPool, view))];
  }
  if (object.kind === "LoadBalancer") return [...general, ...loadBalancerRules(object as LoadBalancer)];
  return general;
}

export function warningsOf(object: Judged): string[] {
  if (object.kind === "LoadBalancer") return loadBalancerWarnings(object as LoadBalancer);
  const inactive = inactiveWords(object.kind, object);
  return inactive === undefined ? [] : [inactive];
}

/** The pool as it was; undefined if it was none, or came in before anybody judged it. */
function poolBefore(oldObject: Judged | undefined): AddressPool | undefined {
  if (oldObject?.kind !== "AddressPool" || validateSchema("AddressPool", oldObject).length > 0)
    return undefined;
  return oldObject as AddressPool;
}

export function judge({ operation, object, oldObject }: Question, view: View): Verdict {
  const before = poolBefore(oldObject);
  if (operation === "DELETE" || object === undefined) {
    const warnings = before === undefined ? [] : addressesTakenAway(before, undefined, view);
    return { refusals: [], warnings };
  }
  // What is being removed must be able to lose its finalizers, valid or not.
  if (object.metadata.deletionTimestamp !== undefined) return { refusals: [], warnings: [] };
  const refusals = refusalsOf(object, view);
  const shrunk =
    refusals.length === 0 && object.kind === "AddressPool" && before !== undefined
      ? addressesTakenAway(before, object as AddressPool, view)
      : [];
  return { refusals, warnings: refusals.length > 0 ? [] : [...warningsOf(object), ...shrunk] };
}
