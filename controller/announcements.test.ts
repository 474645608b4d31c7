import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { Announcements } from "#controller/announcements.ts";

test("a burst reaches the recorder whole, in order, and never more at once than its queue takes", async () => {
  const seen: string[] = [];
  let inQueue = 0;
  let most = 0;
  const recorder = {
    emit: (_target: unknown, { message }: { message: string }): void => {
      seen.push(message);
      inQueue += 1;
      most = Math.max(most, inQueue);
    },
    flush: async (): Promise<void> => {
      inQueue = 0;
    },
  };
  const announcements = new Announcements(recorder, silentLogger);
  const target = { apiVersion: "v1", kind: "Service", metadata: { name: "s" } };
  const emit = (at: number): void =>
    announcements.emit(target, { type: "Normal", reason: "R", message: `${at}` });
  for (let at = 0; at < 2_000; at += 1) emit(at);
  await announcements.flush();
  emit(2_000);
  await announcements.flush();
  assert.deepEqual(
    seen,
    Array.from({ length: 2_001 }, (_, at) => `${at}`),
  );
  assert.ok(most <= 512, `${most} at once`);
  assert.equal(announcements.dropped, 0);
});
