import assert from "node:assert/strict";
import { test } from "node:test";
import { isSilent, SPEAKER_LEASE_MS } from "./silence.ts";

test("a speaker is silent when its Lease has run out, and not a moment earlier", () => {
  assert.deepEqual(
    [0, SPEAKER_LEASE_MS, SPEAKER_LEASE_MS + 1].map((passed) => isSilent(7, 7 + passed)),
    [false, false, true],
  );
});
