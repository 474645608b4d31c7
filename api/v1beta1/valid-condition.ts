/** The condition Valid: whether the rules hold for an object, said by whoever reports its status. Pure. */
import { ConditionType, type NewCondition } from "#api/v1beta1/conditions.ts";
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
