/** What a run of Node's test runner prints. */
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";

/** Arguments for it. `more`: paths of reporters beside those that each run has. */
export const reporters = (...more: readonly string[]): string[] =>
  ["spec", join(CHECKOUT, "hack/suites/endings.ts"), ...more].flatMap((reporter) => [
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=stdout",
  ]);
