import assert from "node:assert/strict";
import { test } from "node:test";
import { isSilent, paceOf, SPEAKER_LEASE_MS } from "./silence.ts";

test("a speaker is silent when its Lease has run out, and not a moment earlier", () => {
  assert.deepEqual(
    [0, SPEAKER_LEASE_MS, SPEAKER_LEASE_MS + 1].map((passed) => isSilent(7, 7 + passed)),
    [false, false, true],
  );
});

test("up to a hundred speakers renew each second, a thousand and more every ten", () => {
  assert.deepEqual([0, 3, 100, 250, 1_000, 5_000].map(paceOf), [1, 1, 1, 2.5, 10, 10]);
});
