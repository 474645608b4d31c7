/** What holds of an object whoever looks at it: whether its rules hold. Pure. */
import { type Judged, refusalsOf } from "#api/v1beta1/admission/judge.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import { type Condition, ConditionType, type NewCondition } from "#api/v1beta1/conditions.ts";
import type { Refusal } from "#api/v1beta1/refusal.ts";

/** A condition before it is known when it came true. */
export type Standing = NewCondition;

const observed = (generation: number | undefined): Pick<Condition, "observedGeneration"> =>
  generation === undefined ? {} : { observedGeneration: generation };

/** Valid, with the webhook's own words. */
export function validCondition(refusals: readonly Refusal[], generation: number | undefined): Standing {
  const isValid = refusals.length === 0;
  return {
    type: ConditionType.Valid,
    status: isValid ? "True" : "False",
    reason: isValid ? "Accepted" : "Refused",
    message: refusals.map((refusal) => refusal.message).join("\n"),
    ...observed(generation),
  };
}

/** Of one object as it stands. */
export function standingOf(object: Judged, view: View): Standing[] {
  return standingFor(object, refusalsOf(object, view));
}

/** Of one object whose refusals are known. */
export function standingFor(object: Judged, refusals: readonly Refusal[]): Standing[] {
  return [validCondition(refusals, object.metadata.generation)];
}
