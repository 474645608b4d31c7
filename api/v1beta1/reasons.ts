/**
 * Every reason of every condition. A reason that is not here does not compile where conditions are made, and none is here
 * without its sentences; docs/reference/conditions.md is made of them (`make generate`).
 */
import { LOADBALANCER_REASONS } from "#api/v1beta1/reasons/loadbalancer.ts";
import { OTHER_REASONS } from "#api/v1beta1/reasons/others.ts";
import { SERVICE_REASONS } from "#api/v1beta1/reasons/service.ts";
import { SPEAKER_REASONS } from "#api/v1beta1/reasons/speakerstatus.ts";

export const REASONS = {
  ...OTHER_REASONS,
  ...LOADBALANCER_REASONS,
  ...SERVICE_REASONS,
  ...SPEAKER_REASONS,
} as const;

export type Reason = keyof typeof REASONS;
