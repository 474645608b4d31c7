import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "./elements.ts";
import { MAX_SLOT } from "./mark.ts";
import { slotOfAddress } from "./slots.ts";

const slotsOf = (addresses: readonly string[]): number[] =>
  addresses.map((address) => slotOfAddress(addressKey(address)));

const SLOTS: readonly [address: string, slot: number][] = [
  ["10.244.2.1", 2],
  ["10.244.3.1", 258],
  ["10.244.4.1", 2],
  ["fd44::2:10", 17],
  ["fd44::1ff", 1],
  ["10.244.2.0", 1],
];
for (const [address, slot] of SLOTS) {
  test(`${address} has slot ${slot}`, () => assert.deepEqual(slotsOf([address]), [slot]));
}

test("of a range of 512 addresses no two have one slot, but for the first and the last", () => {
  const addresses = Array.from({ length: 512 }, (_, at) => `10.1.${64 + (at >> 8)}.${at & 0xff}`);
  const slots = slotsOf(addresses);
  assert.equal(new Set(slots.slice(0, -1)).size, MAX_SLOT);
  assert.equal(slots.at(-1), slots[0]);
  assert.ok(slots.every((slot) => slot >= 1 && slot <= MAX_SLOT));
});
