/** All mutants, room by room. The fast tests of a room must fail with each of its own (`make mutants`). */
import { ADMISSION } from "#hack/mutants/admission.ts";
import { ALLOCATION } from "#hack/mutants/allocation.ts";
import { FORWARDING } from "#hack/mutants/forwarding.ts";
import type { Mutant } from "#hack/mutants/mutant.ts";
import { PLAN } from "#hack/mutants/plan.ts";

export const MUTANTS: readonly Mutant[] = [FORWARDING, PLAN, ALLOCATION, ADMISSION]
  .flatMap((faults) => Object.entries(faults))
  .flatMap(([path, rows]) => rows.map(([what, before, after]) => ({ path, what, before, after })));
