import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  FORWARDING_CONDITION,
  formatForwarding,
  forwardingIdsOf,
  MAX_FORWARDING_ID,
} from "#api/forwarding-ids.ts";

const read = (message: string) => forwardingIdsOf([{ type: FORWARDING_CONDITION, message }]);

test("ids are written sorted, with the pools that the addresses came from", () => {
  const ids = { "IPv6/TCP/80": 18, "IPv4/TCP/80": 17 };
  assert.equal(formatForwarding(["a", "b"], ids), 'AddressPool "a", "b": IPv4/TCP/80=17 IPv6/TCP/80=18');
});

for (const [message, wanted] of [
  ["", {}],
  ['AddressPool "a": ', {}],
  ['AddressPool "a": IPv4/TCP/80=17', { "IPv4/TCP/80": 17 }],
  ["IPv4/TCP/80=0 IPv4/TCP/81=1.5 IPv4/TCP/82=-1 IPv4/TCP/83=x", {}],
  [
    `IPv4/SCTP/1=${MAX_FORWARDING_ID} IPv4/UDP/2=${MAX_FORWARDING_ID + 1}`,
    { "IPv4/SCTP/1": MAX_FORWARDING_ID },
  ],
  ["__proto__=1 constructor=2 IPv5/TCP/80=3 IPv4/ICMP/80=4", {}],
] as const)
  test(`"${message}" reads as ${JSON.stringify(wanted)}`, () => assert.deepEqual(read(message), wanted));

test("no condition, no ids; somebody else's condition neither", () => {
  assert.deepEqual(forwardingIdsOf(undefined), {});
  assert.deepEqual(forwardingIdsOf([{ type: "Ready", message: "IPv4/TCP/80=17" }]), {});
});

test("what is written is read", () => {
  const key = fc
    .tuple(
      fc.constantFrom("IPv4", "IPv6"),
      fc.constantFrom("TCP", "UDP", "SCTP"),
      fc.integer({ min: 1, max: 65_535 }),
    )
    .map((parts) => parts.join("/"));
  const ids = fc.dictionary(key, fc.integer({ min: 1, max: MAX_FORWARDING_ID }), { noNullPrototype: true });
  fc.assert(fc.property(ids, (given) => assert.deepEqual(read(formatForwarding(["pool"], given)), given)));
});
