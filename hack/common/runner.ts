/** How Node's test runner is started, by whoever starts one: also a test that runs itself in a guest or a network. */
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";

/** A test that takes longer never ends. What keeps a file whose tests have ended is for test/end.ts. */
const LONGEST_TEST_MS = 600_000;

/** Arguments for node. Without test/end.ts a file now and then never ends, though all its tests have. */
export const RUNNER: readonly string[] = [
  "--import",
  join(CHECKOUT, "test/end.ts"),
  "--test",
  `--test-timeout=${LONGEST_TEST_MS}`,
];
