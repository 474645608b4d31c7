/**
 * A test file that needs addresses of its own runs again in a network namespace: `inOwnNetwork(import.meta.url)` is
 * false outside, where one test runs the file again and passes if that does; inside it is true.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RUNNER } from "#hack/common/runner.ts";

/** An address of that network that is not loopback: the API server takes it as a Service's endpoint. */
export const OWN_ADDRESS = "192.0.2.10";
const MARK = "GENKAN_OWN_NETWORK";
const SCRIPT = `ip link set lo up && ip address add ${OWN_ADDRESS}/32 dev lo && exec "$0" "$@"`;

export function inOwnNetwork(url: string): boolean {
  if (process.env[MARK] !== undefined) return true;
  test("in a network of its own", async () => {
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
    const argv = ["--net", "sh", "-c", SCRIPT, process.execPath, ...RUNNER, fileURLToPath(url)];
    const child = spawn("unshare", argv, { stdio: "inherit", env: { ...env, [MARK]: "1" } });
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  });
  return false;
}
