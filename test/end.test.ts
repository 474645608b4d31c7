import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PRELOADED = fileURLToPath(new URL("end.ts", import.meta.url));
const KEPT = `
  import { createSocket } from "node:dgram";
  import { test } from "node:test";
  test("fails, and leaves a socket open", () => {
    createSocket("udp4").bind(0);
    throw new Error("what is to be read");
  });`;

test("a file that something keeps after its tests is ended, with what keeps it and what failed in it", () => {
  const directory = mkdtempSync(join(tmpdir(), "genkan-end-"));
  try {
    const file = join(directory, "kept.test.mjs");
    writeFileSync(file, KEPT);
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout } = spawnSync("node", ["--import", PRELOADED, "--test", file], {
      env: { ...environment, TEST_LINGERS_MS: "100" },
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 1);
    assert.match(stdout, /kept\.test\.mjs: its tests have ended, but something keeps it: .*UDPWrap/);
    assert.match(stdout, /what is to be read/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
