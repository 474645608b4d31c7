/** Runs a test file again where the kernel has ip_vs (guests, if this one has not), in a namespace of its own. */
import { spawn } from "node:child_process";
import { test } from "node:test";
import { REPORTERS } from "#hack/common/reporters.ts";
import { RUNNER } from "#hack/common/runner.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";

const RUN = new URL("../../hack/guest/run.ts", import.meta.url).pathname;
/** A guest under qemu takes a minute on a quiet machine, and several on a busy one. */
const TIMEOUT_MS = 1_200_000;

/** True in the run that `testInside` started. */
export const isInside = process.env.GENKAN_INSIDE === "1";

/** `make test-long` sets it: then nothing is left out. */
export const isLong = process.env.GENKAN_LONG === "1";

/** Which tests run under qemu, too, where guests are needed: all, or this one in `make test-long` alone. */
export type UnderQemu = "always" | "long";

/**
 * Defines a test for each kernel that is to be had, because kernels differ in what they take from nft: for this one if
 * it has ip_vs, else for each kind of guest: the default, which is a newer kernel where one can be built, and qemu's,
 * which is Debian's own. What takes minutes there because all of it is emulated says "long".
 */
export function testInside(what: string, file: string, underQemu: UnderQemu = "always"): void {
  if (hasIpvs()) {
    test(`${what}, under this kernel`, { timeout: TIMEOUT_MS }, (t) => {
      t.diagnostic(
        "no other kernel was tried: this one has ip_vs, so that no guest is downloaded or built here",
      );
      return runInside(file, [], t.signal);
    });
    return;
  }
  test(`${what}, in a guest of the default kind`, { timeout: TIMEOUT_MS }, (t) =>
    runInside(file, [], t.signal),
  );
  const skip = underQemu === "long" && !isLong && "it takes minutes there: `make test-long` runs it";
  test(`${what}, in a guest under qemu`, { timeout: TIMEOUT_MS, skip }, (t) =>
    runInside(file, ["--kernel", "qemu"], t.signal),
  );
}

/** Defines a test under qemu alone: of what would disturb another kernel, or is not to be had there. */
export function testUnderQemu(what: string, file: string): void {
  test(`${what}, in a guest under qemu`, { timeout: TIMEOUT_MS }, (t) =>
    runInside(file, ["--kernel", "qemu"], t.signal),
  );
}

/** Runs the file's tests themselves, in a network namespace of their own, on whatever kernel this is. */
export function insideCommand(file: string): string[] {
  return ["env", "GENKAN_INSIDE=1", "unshare", "-n", "node", ...RUNNER, ...REPORTERS, file];
}

/** The signal ends the guest as well. */
function runInside(file: string, flags: readonly string[], signal: AbortSignal): Promise<void> {
  // The runner of tests tells its children that they are one; a run of its own must not be.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, [RUN, ...flags, "--", ...insideCommand(file)], {
    stdio: ["ignore", 2, 2],
    env: environment,
    signal,
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${file} failed where the kernel has ip_vs; its output is above`));
    });
  });
}
