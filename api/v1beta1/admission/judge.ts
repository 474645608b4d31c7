/**
 * The verdict on one object: the same in the webhook, in the controller (for what came in while no webhook was up) and
 * offline. Pure.
 */
import { printable } from "#api/printable.ts";
import { ADDRESSPOOL_RULES, addressesTakenAway, poolWarnings } from "#api/v1beta1/admission/addresspool.ts";
import { notDeletedWhileNamed, profileWarnings } from "#api/v1beta1/admission/bfdprofile.ts";
import { BGPPEER_RULES, peerWarnings } from "#api/v1beta1/admission/bgppeer.ts";
import { canonical } from "#api/v1beta1/admission/list.ts";
import { LOADBALANCER_RULES, loadBalancerWarnings } from "#api/v1beta1/admission/loadbalancer.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type {
  AddressPool,
  BFDProfile,
  BGPPeer,
  LoadBalancer,
  ObjectMeta,
} from "#api/v1beta1/generated/types.ts";
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";
import { unsupportedFields } from "#api/v1beta1/unsupported.ts";
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

/** A question as it comes in: nothing is said of the operation yet. */
export interface Asked {
  readonly operation: string;
  readonly kind: string;
  readonly object?: Judged | null;
  readonly oldObject?: Judged | null;
}

/** Whether the answer depends on the Services that have addresses: only taking addresses from a pool may concern them. */
export function looksAtServices({ operation, kind, object, oldObject }: Asked): boolean {
  if (kind !== "AddressPool" || operation === "CREATE") return false;
  const addressesOf = (pool: Judged | null | undefined): string =>
    canonical((pool as Partial<AddressPool> | null | undefined)?.spec?.addresses ?? null);
  return operation === "DELETE" || addressesOf(object) !== addressesOf(oldObject);
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

/** Our kinds' own rules; the objects' schemas hold when they run. */
function ownRules(object: Judged, view: View): Refusal[] {
  switch (object.kind) {
    case "AddressPool":
      return ADDRESSPOOL_RULES.flatMap((rule) => rule(object as AddressPool, view));
    case "BGPPeer":
      return BGPPEER_RULES.flatMap((rule) => rule(object as BGPPeer, view));
    case "LoadBalancer":
      return LOADBALANCER_RULES.flatMap((rule) => rule(object as LoadBalancer));
    default:
      return [];
  }
}

/** All refusals of an object as it stands, in the order of the rules; schema faults end the reading. */
export function refusalsOf(object: Judged, view: View): Refusal[] {
  const faults = validateSchema(object.kind, object);
  if (faults.length > 0) return faults;
  return [
    ...inOurNamespace(object, view),
    ...unsupportedFields(object.kind, object),
    ...ownRules(object, view),
  ];
}

/** What is said of an object that is admitted. */
export function warningsOf(object: Judged, view: View): string[] {
  return ownWarnings(object, view).map(printable);
}

function ownWarnings(object: Judged, view: View): string[] {
  switch (object.kind) {
    case "AddressPool":
      return poolWarnings(object as AddressPool, view);
    case "BGPPeer":
      return peerWarnings(object as BGPPeer, view);
    case "BFDProfile":
      return profileWarnings(object as BFDProfile, view);
    case "LoadBalancer":
      return loadBalancerWarnings(object as LoadBalancer);
    default:
      return [];
  }
}

/** The pool as it was; undefined if it was none, or came in before anybody judged it. */
function poolBefore(oldObject: Judged | undefined): AddressPool | undefined {
  if (oldObject?.kind !== "AddressPool" || validateSchema("AddressPool", oldObject).length > 0)
    return undefined;
  return oldObject as AddressPool;
}

/** May it go? A pool in use may, with a warning; a profile that a peer names may not. */
function judgeDeletion(old: Judged | undefined, view: View): Verdict {
  const pool = poolBefore(old);
  if (pool !== undefined)
    return { refusals: [], warnings: addressesTakenAway(pool, undefined, view).map(printable) };
  if (old?.kind !== "BFDProfile") return { refusals: [], warnings: [] };
  return { refusals: notDeletedWhileNamed(old as BFDProfile, view), warnings: [] };
}

export function judge({ operation, object, oldObject }: Question, view: View): Verdict {
  if (operation === "DELETE" || object === undefined) return judgeDeletion(oldObject, view);
  const before = poolBefore(oldObject);
  // What is being removed must be able to lose its finalizers, valid or not.
  if (object.metadata.deletionTimestamp !== undefined) return { refusals: [], warnings: [] };
  const refusals = refusalsOf(object, view);
  if (refusals.length > 0)
    return isUnchanged(object, oldObject) ? asItWas(refusals) : { refusals, warnings: [] };
  const shrunk =
    object.kind === "AddressPool" && before !== undefined
      ? addressesTakenAway(before, object as AddressPool, view).map(printable)
      : [];
  return { refusals, warnings: [...warningsOf(object, view), ...shrunk] };
}

type WithSpec = Judged & { readonly spec?: unknown };

/** Labels, annotations and finalizers apart. */
function isUnchanged(object: WithSpec, oldObject: WithSpec | undefined): boolean {
  return oldObject !== undefined && canonical(object.spec ?? null) === canonical(oldObject.spec ?? null);
}

/** What slipped in may be labelled and annotated: tools that do so must not stop at it. Its condition says the same. */
function asItWas(refusals: readonly Refusal[]): Verdict {
  return { refusals: [], warnings: refusals.map(({ message }) => `not valid, as before: ${message}`) };
}
