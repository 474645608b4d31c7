/** The short form of `make fuzz`, and that it can fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DECODERS } from "./decoders.ts";
import { FuzzFailure, fuzz } from "./fuzz.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

for (const decoder of DECODERS) {
  test(`${decoder.name} takes noise and mutations (SEED=${seed})`, () => {
    const { messages, refused } = fuzz(decoder, 3_000, seed);
    assert.equal(messages, 3_000);
    // Noise alone must be refused by who refuses at all, and real messages with small changes must not all be.
    if (decoder.error !== undefined) assert.ok(refused > 0 && refused < messages, `${refused} refused`);
  });
}

test("a decoder that throws something else is found, with its message", () => {
  const careless = {
    name: "careless",
    seeds: [Buffer.alloc(8)],
    decode: (bytes: Buffer) => bytes.readUInt32BE(0),
  };
  assert.throws(() => fuzz(careless, 1_000, 1), FuzzFailure);
});
