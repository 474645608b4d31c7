import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DaemonError, isRunning, startDaemon, stopDaemon, waitForDaemon } from "#hack/lab/daemon.ts";

let scratch = "";
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "genkan-daemon-"));
});
after(() => rm(scratch, { recursive: true }));
const start = (argv: string[]) =>
  startDaemon(argv, { name: "test", log: join(scratch, "log"), outlivesUs: false });

test("a process that does not hear SIGTERM is ended all the same", async () => {
  const record = await start(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]);
  assert.ok(isRunning(record));
  await stopDaemon(record, 200);
  assert.ok(!isRunning(record));
});

test("another process with the same number is not taken for ours", async () => {
  const record = await start(["sleep", "60"]);
  try {
    const other = { ...record, startTime: "1" };
    assert.ok(!isRunning(other));
    await stopDaemon(other);
    assert.ok(isRunning(record));
  } finally {
    await stopDaemon(record);
  }
});

test("a program that ends instead of becoming ready is told with the end of its log", async () => {
  const record = await start(["sh", "-c", "echo the reason; exit 3"]);
  await assert.rejects(
    waitForDaemon(record, async () => false, 10_000),
    (error) => error instanceof DaemonError && error.message.includes("the reason"),
  );
});
