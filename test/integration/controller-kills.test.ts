/** The short form of test/long/many-controller-kills.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { churn } from "#test/long/churn.ts";

test("controllers killed at random: no address twice, none changed", { timeout: 600_000 }, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`SEED=${seed}`);
  const result = await churn({ kills: 10, services: 150, seed });
  t.diagnostic(JSON.stringify(result));
  assert.deepEqual([result.twice, result.moved], [0, 0]);
  assert.ok(result.looks >= 2 && result.changes > 0 && result.leadersKilled > 0);
});
