import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GossipError } from "../gossip/wire/error.ts";
import { formatAddress, parseAddress } from "../netlink/bytes.ts";
import type { Claim } from "./claims.ts";
import { decodeClaims, encodeClaims } from "./wire.ts";

const vips = fc.oneof(
  fc.ipV4(),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((octets) => formatAddress(Buffer.from(octets))),
);
const claims = fc.array(
  fc.record({
    vip: vips.filter((vip) => formatAddress(parseAddress(vip)) === vip),
    node: fc.constantFrom("n1", "worker-2", "n".repeat(253), "für"),
    epoch: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 0xffff_ffff })),
  }),
  { maxLength: 60 },
);
const texts = (list: readonly Claim[]): string[] => list.map((one) => JSON.stringify(one)).sort();

test("there and back, in one text or in several that each have room", () => {
  fc.assert(
    fc.property(claims, fc.integer({ min: 300, max: 2_000 }), (list, room) => {
      for (const parts of [encodeClaims(list), encodeClaims(list, { room })])
        assert.deepEqual(texts(parts.flatMap((bytes) => decodeClaims(bytes, list.length))), texts(list));
      for (const { length } of encodeClaims(list, { room }))
        assert.ok(length <= room, `${length} of ${room}`);
    }),
  );
});

test("the octets of two claims", () => {
  const [bytes] = encodeClaims([
    { vip: "fd00::1", node: "n1", epoch: 300 },
    { vip: "192.0.2.1", node: "n1", epoch: 1 },
  ]);
  assert.equal(
    bytes?.toString("hex"),
    "474301" + "026e31" + "0201" + "c0000201" + "01" + "fd000000000000000000000000000001" + "ac02",
  );
});

test("garbage is a GossipError, and nothing else", () => {
  const [sound = Buffer.alloc(0)] = encodeClaims([{ vip: "192.0.2.1", node: "n1", epoch: 1 }]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (octets, hasHead) => {
      const bytes = hasHead ? Buffer.concat([sound.subarray(0, 3), octets]) : octets;
      try {
        decodeClaims(bytes, 10);
      } catch (error) {
        assert.ok(error instanceof GossipError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
  for (let length = 0; length < sound.length; length += 1)
    if (length !== 3) assert.throws(() => decodeClaims(sound.subarray(0, length), 10), GossipError);
  assert.throws(() => decodeClaims(sound, 0), { code: "size" });
  const hex = (text: string): Buffer => Buffer.from(`474301${text}`, "hex");
  for (const [text, why] of [
    ["026e310101c000020100", /epoch 0/],
    ["000101c000020101", /a name/],
    ["02ff310101c000020101", /UTF-8/],
    ["026e310102c000020101", /above/],
    ["026e31ffffffffff01", /32 bits/],
  ] as const)
    assert.throws(() => decodeClaims(hex(text), 10), why);
});
