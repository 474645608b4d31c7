import assert from "node:assert/strict";
import { test } from "node:test";
import { faultText } from "#api/v1beta1/fault.ts";
import { forPeople, forPrograms } from "#cli/check/print.ts";
import { type CheckReport, checkDocuments } from "#cli/check/verdicts.ts";
import { readDocuments } from "#cli/documents.ts";

const OPTIONS = { namespace: "genkan-system", isNamespaceGiven: true };
const check = (text: string, file = "f"): CheckReport => checkDocuments(readDocuments(file, text), OPTIONS);
const messagesOf = ({ objects }: CheckReport): readonly string[] =>
  objects.flatMap(({ faults }) => faults.map(faultText));

const pool = (name: string, spec: string, kind = "AddressPool"): string =>
  `---\napiVersion: genkan.dev/v1beta1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { protocol: layer2, ${spec} }\n`;

/** Every object of JavaScript has something of these names. */
const WORDS = ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"];

test("kinds, fields and groups that objects of JavaScript have by themselves are unknown as others", () => {
  for (const word of WORDS) {
    assert.deepEqual(messagesOf(check(pool("a", "addresses: [10.0.0.0/24]", word))), [
      `kind: "${word}" is not a kind of ours`,
    ]);
    assert.deepEqual(messagesOf(check(pool("a", `addresses: [10.0.0.0/24], ${word}: { x: 1 }`))), [
      `spec.${word}: unknown field`,
    ]);
    const other = check(`apiVersion: ${word}/v1\nkind: A\n---\napiVersion: ${word}/v2\nkind: B\n`);
    assert.match(forPeople(other), /; 2 of other kinds passed over$/m);
    assert.match(forPrograms(other), new RegExp(`"passedOver": \\{\\s+"${word}": 2\\s+\\}`));
  }
});

test("pools, namespaces and labels of such names are ordinary", () => {
  const allocation = `serviceAllocation: { namespaces: [constructor], serviceSelectors: [{ matchLabels: { constructor: toString } }] }`;
  const report = check(
    ["constructor", "valueof"]
      .map((name, at) => pool(name, `addresses: [10.${at}.0.0/24], ${allocation}`))
      .join(""),
  );
  assert.deepEqual(messagesOf(report), []);
  assert.match(forPeople(report), /AddressPool "constructor" admitted/);
});

test("control and bidi characters of names, fields and files are printed as escapes", () => {
  const text = pool('"a\\e[2J\\u202E"', 'addresses: [10.0.0.0/24], "x\\u2066\\n": 1');
  const report = check(text, "dir\u001b[31m/f\u200f.yaml");
  assert.equal(
    forPeople(report),
    [
      'dir\\u001b[31m/f\\u200f.yaml:2: AddressPool "a\\u001b[2J\\u202e" refused',
      '  dir\\u001b[31m/f\\u200f.yaml:4:13: metadata.name: "a\\u001b[2J\\u202e" is not a name: lower case, digits, - and .',
      "1 judged: 0 admitted, 1 refused",
      "",
    ].join("\n"),
  );
  const [field] = check(pool("a", 'addresses: [10.0.0.0/24], "x\\u2066\\n": 1')).objects;
  assert.deepEqual(field?.faults, [{ field: "spec.x\\u2066\\u000a", message: "unknown field" }]);
  const json = forPrograms(report);
  assert.doesNotMatch(json.replaceAll("\n", ""), /[\p{Bidi_Control}\p{Cc}]/u);
  // A program gets the very name.
  assert.equal(JSON.parse(json).objects[0].name, "a\u001b[2J\u202e");
  assert.doesNotMatch(forPeople(check("a: [1\u009b\n", "f\u202e")), /[\p{Bidi_Control}\u0080-\u009f]/u);
});

test("a name that is an object, with a toString of its own, is refused as any other", () => {
  assert.deepEqual(messagesOf(check(pool("{ toString: 1 }", "addresses: [10.0.0.0/24]"))), [
    'metadata.name: {"toString":1} is not a name: lower case, digits, - and .',
  ]);
});
