/**
 * Whether the rules hold for an object, said by whoever reports its status: the condition Valid for people, and Ready for
 * programs that wait for whatever they applied and know no other one (kstatus, as in Flux; Argo CD; kubectl wait). Pure.
 */
import { type Condition, ConditionType, type NewCondition, setCondition } from "#api/v1beta1/conditions.ts";
import { type Fault, faultText } from "#api/v1beta1/fault.ts";

/** The message has a line for each fault, in the webhook's own words. `generation` is that of the object judged. */
export function validCondition(faults: readonly Fault[], generation: number | undefined): NewCondition {
  const isValid = faults.length === 0;
  return {
    type: ConditionType.Valid,
    status: isValid ? "True" : "False",
    reason: isValid ? "Accepted" : "Refused",
    message: faults.map(faultText).join("\n"),
    ...(generation !== undefined && { observedGeneration: generation }),
  };
}

/** The list with both conditions; the very same one where nothing changed. */
export function setJudgement(
  conditions: readonly Condition[],
  { faults, generation }: { readonly faults: readonly Fault[]; readonly generation: number | undefined },
  now: Date,
): readonly Condition[] {
  const valid = validCondition(faults, generation);
  return setCondition(setCondition(conditions, valid, now), { ...valid, type: ConditionType.Ready }, now);
}
