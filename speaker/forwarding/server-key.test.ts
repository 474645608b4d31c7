import assert from "node:assert/strict";
import { test } from "node:test";
import { describeKey, keyOfServer, markOfKey, parseServerKey, serverKey } from "./server-key.ts";

/** The largest mark is that of a service of somebody else's: ours have no bit 31. */
for (const mark of [1, 0x1001, 0x7fff_3fff, 0xffff_ffff]) {
  for (const [family, domain] of [
    ["IPv4", 2],
    ["IPv6", 10],
  ] as const) {
    test(`mark ${mark} of ${family} is found in its key`, () => {
      const key = keyOfServer({ family, mark });
      assert.equal(serverKey(domain, mark), key);
      assert.deepEqual(parseServerKey(key), { family: domain, mark });
      assert.deepEqual(describeKey(key), { family, mark });
      assert.equal(markOfKey(key), mark);
    });
  }
}

test("a mark has two keys, one for each family", () => {
  assert.notEqual(serverKey(2, 0x1001), serverKey(10, 0x1001));
});
