/** What the ip program sends is what we mean: testdata/*.hex says how each was captured. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { eachAttribute } from "./attribute.ts";
import { DecodeError } from "./bytes.ts";
import { AF_INET } from "./domain.ts";
import { decodeMessages, type Message } from "./header.ts";
import { localRoute, routeCodec } from "./route.ts";
import { markRule, ruleCodec } from "./rule.ts";

const HEADER = 12;
const SETTINGS = { routingBit: 0x1000, table: 7077, rulePreference: 100 };

function captured(name: string): Message {
  const lines = readFileSync(new URL(`./testdata/${name}.hex`, import.meta.url), "utf8").split("\n");
  const hex = lines.filter((line) => !line.startsWith("#")).join("");
  const [message] = decodeMessages(Buffer.from(hex, "hex"));
  assert.ok(message, name);
  return message;
}

/** By type, so that the order of attributes does not matter. */
function attributesOf(payload: Buffer): Map<number, string> {
  const found = new Map<number, string>();
  eachAttribute(payload.subarray(HEADER), (type, value) => found.set(type, value.toString("hex")));
  return found;
}

for (const [name, vip] of [
  ["ip-route-local4", "192.0.2.1"],
  ["ip-route-local6", "2001:db8::1"],
] as const) {
  test(`${name}: the same route, attribute by attribute`, () => {
    const { type, payload } = captured(name);
    const route = localRoute(vip, SETTINGS.table, 1);
    assert.equal(type, 24);
    assert.deepEqual(routeCodec.decode(payload), route);
    const ours = routeCodec.encode(route);
    assert.deepEqual(attributesOf(ours), attributesOf(payload));
    // The old table byte is RT_TABLE_COMPAT with us and unspecified with ip: the attribute counts.
    const [mine, theirs] = [ours, payload].map((bytes) => Buffer.from(bytes.subarray(0, HEADER)));
    mine?.writeUInt8(0, 4);
    assert.deepEqual(mine, theirs);
  });
}

test("ip-rule-mark4: the same rule, attribute by attribute", () => {
  const { type, payload } = captured("ip-rule-mark4");
  const rule = markRule(AF_INET, SETTINGS);
  assert.equal(type, 32);
  assert.deepEqual(ruleCodec.decode(payload), rule);
  assert.deepEqual(attributesOf(ruleCodec.encode(rule)), attributesOf(payload));
});

test("a captured route cut inside an attribute is refused", () => {
  const { payload } = captured("ip-route-local4");
  for (const cut of [0, 1, 3]) {
    assert.throws(() => routeCodec.decode(payload.subarray(0, HEADER + cut + 4)), DecodeError);
  }
});
