/** Every admission policy that the operator makes. Pure. */
import type { Child, Site } from "#operator/children/child.ts";
import { CONTROLLER_LIMITS } from "#operator/children/controller-limits.ts";
import { policyChildren } from "#operator/children/policy.ts";
import { SPEAKER_LIMITS } from "#operator/children/speaker-limits.ts";

const POLICIES = [...SPEAKER_LIMITS, ...CONTROLLER_LIMITS];
/** What the operator may make of this kind: config/rbac names them. */
export const POLICY_NAMES: readonly string[] = POLICIES.map(({ name }) => name);

export function limitsOf(site: Site): Child[] {
  return POLICIES.flatMap((policy) => policyChildren(site, policy));
}
