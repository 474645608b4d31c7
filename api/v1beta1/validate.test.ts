import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommunity } from "#api/community.ts";
import { rulesOfKind } from "#api/v1beta1/admission/kinds.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import { validateSchema } from "#api/v1beta1/validate.ts";

/** Every object of JavaScript has something of these names. */
const WORDS = ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"];

test("kinds and communities that objects of JavaScript have by themselves are none of ours", () => {
  for (const word of WORDS) {
    assert.deepEqual(validateSchema(word, {}).map(faultText), [`kind: "${word}" is not a kind of ours`]);
    assert.equal(rulesOfKind(word), undefined);
    assert.equal(parseCommunity(word), undefined);
  }
});

test("keys of a map are named as they are written, whatever they are", () => {
  const matchLabels = JSON.parse('{ "a/b~c": 1, "__proto__": 2, "constructor": 3 }');
  const spec = { protocol: "layer2", addresses: ["10.0.0.0/24"], nodeSelectors: [{ matchLabels }] };
  assert.deepEqual(validateSchema("AddressPool", { metadata: {}, spec }).map(faultText), [
    "spec.nodeSelectors[0].matchLabels.a/b~c: 1 must be string",
    "spec.nodeSelectors[0].matchLabels.__proto__: 2 must be string",
    "spec.nodeSelectors[0].matchLabels.constructor: 3 must be string",
  ]);
});
