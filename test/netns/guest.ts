/** Runs a test file again where the kernel has ip_vs (the guest, if this one has not), in a namespace of its own. */
import { spawnSync } from "node:child_process";

const RUN = new URL("../../hack/guest/run.ts", import.meta.url).pathname;

/** True in the run that `runInside` started. */
export const isInside = process.env.GENKAN_INSIDE === "1";

export function runInside(file: string): void {
  // The runner of tests tells its children that they are one; a run of its own must not be.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const inside = [
    "env",
    "GENKAN_INSIDE=1",
    "unshare",
    "-n",
    "node",
    "--test",
    "--test-force-exit",
    "--test-reporter=spec",
    file,
  ];
  const { status, error } = spawnSync(process.execPath, [RUN, "--", ...inside], {
    encoding: "utf8",
    stdio: ["ignore", 2, 2],
    env: environment,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${file} failed where the kernel has ip_vs; its output is above`);
}
