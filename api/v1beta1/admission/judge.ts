/**
 * The verdict on one object: the same in the webhook, in the controller (for what came in while no webhook was up) and
 * offline. Pure.
 */
import { printable } from "#api/printable.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { rulesOfKind } from "#api/v1beta1/admission/kinds.ts";
import { ADMITTED, type Judged, type Question, type Verdict } from "#api/v1beta1/admission/question.ts";
import { unsupportedFields } from "#api/v1beta1/admission/unsupported.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault, faultText } from "#api/v1beta1/fault.ts";
import { validateSchema } from "#api/v1beta1/validate.ts";

/**
 * Whether the answer depends on the Services that have addresses: only taking addresses from a pool may concern them.
 */
export function looksAtServices({ operation, kind, object, oldObject }: Question): boolean {
  const partOf = rulesOfKind(kind)?.servicesDependOn;
  if (partOf === undefined || operation === "CREATE") return false;
  const textOf = (one: Judged | undefined): string => canonical((one && partOf(one)) ?? null);
  return operation === "DELETE" || textOf(object) !== textOf(oldObject);
}

/**
 * All faults of an object as it stands, in the order of the rules; where the schema does not hold, its faults alone.
 */
export function faultsOf(object: Judged, view: AdmissionView): Fault[] {
  const faults = validateSchema(object.kind, object);
  if (faults.length > 0) return faults;
  const row = rulesOfKind(object.kind);
  return [
    ...inOurNamespace(object, view),
    ...unsupportedFields(row?.unsupported ?? [], object),
    ...(row?.rules ?? []).flatMap((rule) => rule(object, view)),
  ];
}

function inOurNamespace(object: Judged, view: AdmissionView): Fault[] {
  const { namespace = "" } = object.metadata;
  if (namespace === view.namespace) return [];
  const message = `"${namespace}": objects of kind ${object.kind} belong in "${view.namespace}"`;
  return [fault("metadata.namespace", message)];
}

/** Warnings about an object that is admitted. */
export function warningsOf(object: Judged, view: AdmissionView): string[] {
  return (rulesOfKind(object.kind)?.warnings(object, view) ?? []).map(printable);
}

export function judge(
  { operation, object, oldObject, isDryRun = false }: Question,
  view: AdmissionView,
): Verdict {
  if (operation !== "CREATE" && operation !== "UPDATE" && operation !== "DELETE") return ADMITTED;
  if (operation === "DELETE" || object === undefined) return judgeDeletion(oldObject, view);
  // An object that is being deleted must be able to lose its finalizers, valid or not.
  if (object.metadata.deletionTimestamp !== undefined) return ADMITTED;
  const faults = faultsOf(object, view);
  if (faults.length > 0 && isUnchanged(object, oldObject)) return asItWas(faults);
  const foretold = isDryRun && faults.length > 0 ? faultsAmong(object, view) : [];
  const refused = faults.filter((each) => !foretold.includes(faultText(each)));
  if (refused.length > 0) return { faults: refused, warnings: foretold.map(asForetold) };
  const warnings = [...warningsOf(object, view), ...changeWarnings(oldObject, object, view)];
  return { faults: [], warnings: [...foretold.map(asForetold), ...warnings] };
}

/**
 * What other objects of its kind have against this one, in words. A preview asks about each object as if nothing else of
 * it had happened: where one pool shrinks and a new one gets what it leaves, it shows that they overlap. So in a preview
 * these are said, and nothing is refused for them.
 */
function faultsAmong(object: Judged, view: AdmissionView): string[] {
  if (validateSchema(object.kind, object).length > 0) return [];
  const rules = rulesOfKind(object.kind)?.rulesAmong ?? [];
  return rules.flatMap((rule) => rule(object, view)).map(faultText);
}

const asForetold = (text: string): string => `refused, unless the other one changes before: ${text}`;

/** A pool in use may be deleted, with a warning; a profile that a peer names may not. */
function judgeDeletion(old: Judged | undefined, view: AdmissionView): Verdict {
  if (old === undefined) return ADMITTED;
  const faults = rulesOfKind(old.kind)?.deletionFaults(old, view) ?? [];
  return { faults, warnings: faults.length > 0 ? [] : changeWarnings(old, undefined, view) };
}

/** No warning compares with an old object that was never valid: nobody knows what it meant. */
function changeWarnings(old: Judged | undefined, next: Judged | undefined, view: AdmissionView): string[] {
  const row = old === undefined ? undefined : rulesOfKind(old.kind);
  if (old === undefined || row === undefined || (next !== undefined && next.kind !== old.kind)) return [];
  if (validateSchema(old.kind, old).length > 0) return [];
  return row.changeWarnings(old, next, view).map(printable);
}

/** The spec is the same; labels, annotations and finalizers may differ. */
function isUnchanged(object: Judged, oldObject: Judged | undefined): boolean {
  return oldObject !== undefined && canonical(object.spec ?? null) === canonical(oldObject.spec ?? null);
}

/** Tools must be able to label and annotate an invalid object that came in unjudged: its faults become warnings. */
function asItWas(faults: readonly Fault[]): Verdict {
  return { faults: [], warnings: faults.map((each) => `not valid, as before: ${faultText(each)}`) };
}
