/** Preloaded into the tests of a mutant: a property that fails has noticed it, and need not look for a smaller example. */
import fc from "fast-check";

fc.configureGlobal({ endOnFailure: true });
