import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "./elements.ts";
import { MAX_SLOT } from "./mark.ts";
import { RememberedSlots, slotOfAddress } from "./slots.ts";
import type { ForwardedPort } from "./types.ts";

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

const SHARED: readonly [
  what: string,
  pods: readonly (readonly [address: string, node?: string])[],
  are: boolean,
][] = [
  [
    "pods of one node with a slot each",
    [
      ["10.1.0.1", "n1"],
      ["10.1.0.2", "n1"],
    ],
    false,
  ],
  [
    "pods of two nodes with one slot",
    [
      ["10.1.0.1", "n1"],
      ["10.1.2.1", "n2"],
    ],
    false,
  ],
  [
    "pods of one node with one slot",
    [
      ["10.1.0.1", "n1"],
      ["10.1.2.1", "n1"],
    ],
    true,
  ],
  ["endpoints of no known node with one slot", [["10.1.0.1"], ["10.1.2.1"]], true],
  [
    "one pod by two of its ports",
    [
      ["10.1.0.1", "n1"],
      ["10.1.0.1", "n1"],
    ],
    true,
  ],
];
for (const [what, pods, are] of SHARED) {
  test(`${what}: ${are ? "" : "not "}shared`, () => {
    const endpoints = pods.map(([address, node], at) => ({
      ...{ address, port: 8080 + at, isLocal: false, isServing: true, returnPath: "direct" as const },
      ...(node !== undefined && { node }),
    }));
    assert.equal(new RememberedSlots().of({ endpoints } as unknown as ForwardedPort).areShared, are);
  });
}
