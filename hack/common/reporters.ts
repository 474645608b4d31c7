/** What a run of Node's test runner prints. */
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";

/** Arguments for it. Two reporters: Node warns of a third as of a leak. */
export const REPORTERS: readonly string[] = ["spec", join(CHECKOUT, "hack/suites/reporter.ts")].flatMap(
  (reporter) => [`--test-reporter=${reporter}`, "--test-reporter-destination=stdout"],
);
