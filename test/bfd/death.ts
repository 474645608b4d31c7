/** A peer that dies without a word: only its silence tells of it. */
import assert from "node:assert/strict";
import { watchBars } from "#test/bar.ts";
import { until } from "#test/until.ts";
import { type Device, tookSince } from "./bfd-device.ts";

/** 50 ms x 3, less what had passed of the last interval, and at most so much in all. */
const LEAST_MS = 90;
const BAR_MS = 200;

/** After `kill` each of the device's `count` sessions is down in time, for that reason. */
export async function fallsInTime(device: Device, count: number, kill: () => Promise<void>): Promise<void> {
  const before = device.changes.length;
  const bars = await watchBars();
  const killedAt = Date.now();
  await kill();
  await until("all sessions' fall", () => device.changes.length >= before + count);
  for (const change of device.changes.slice(before)) {
    assert.deepEqual(
      [change.state, change.diagnostic, change.isLoss],
      ["Down", "DetectionTimeExpired", true],
    );
    const took = tookSince(killedAt, change);
    assert.ok(took > LEAST_MS, `${change.key}: ${took.toFixed(1)} ms`);
    await bars.hold(`the fall of ${change.key}`, took, BAR_MS);
  }
}
