import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { addressKey } from "./elements.ts";
import { MAX_TAG } from "./mark.ts";
import { RememberedTags, tagOfAddress } from "./tags.ts";
import type { ForwardedPort } from "./types.ts";

const tagsOf = (addresses: readonly string[]): number[] => addresses.map(tagOfAddress);

const TAGS: readonly [address: string, tag: number][] = [
  ["10.244.2.1", 2],
  ["10.244.3.1", 258],
  ["10.244.4.1", 2],
  ["fd44::2:10", 17],
  ["fd44::1ff", 1],
  ["10.244.2.0", 1],
  ["fd44::", 1],
  ["fd44:0:0:1::", 1],
  ["::ffff:10.244.3.1", 258],
];
for (const [address, tag] of TAGS) {
  test(`${address} has tag ${tag}`, () => assert.deepEqual(tagsOf([address]), [tag]));
}

test("a tag is of the last nine bits of an address, however it is written", () => {
  const addresses = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((text) => formatAddress(parseAddress(text))),
  );
  fc.assert(
    fc.property(addresses, (address) => {
      const bits = Number.parseInt(addressKey(address).slice(-4), 16) & MAX_TAG;
      assert.equal(tagOfAddress(address), 1 + (bits % MAX_TAG));
    }),
  );
});

test("of a range of 512 addresses no two have one tag, but for the first and the last", () => {
  const addresses = Array.from({ length: 512 }, (_, at) => `10.1.${64 + (at >> 8)}.${at & 0xff}`);
  const tags = tagsOf(addresses);
  assert.equal(new Set(tags.slice(0, -1)).size, MAX_TAG);
  assert.equal(tags.at(-1), tags[0]);
  assert.ok(tags.every((tag) => tag >= 1 && tag <= MAX_TAG));
});

const SHARED: readonly [
  what: string,
  pods: readonly (readonly [address: string, node?: string])[],
  are: boolean,
][] = [
  [
    "pods of one node with a tag each",
    [
      ["10.1.0.1", "n1"],
      ["10.1.0.2", "n1"],
    ],
    false,
  ],
  [
    "pods of two nodes with one tag",
    [
      ["10.1.0.1", "n1"],
      ["10.1.2.1", "n2"],
    ],
    false,
  ],
  [
    "pods of one node with one tag",
    [
      ["10.1.0.1", "n1"],
      ["10.1.2.1", "n1"],
    ],
    true,
  ],
  ["endpoints of no known node with one tag", [["10.1.0.1"], ["10.1.2.1"]], true],
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
    assert.equal(new RememberedTags().of({ endpoints } as unknown as ForwardedPort).areShared, are);
  });
}
