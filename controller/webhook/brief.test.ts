import assert from "node:assert/strict";
import { test } from "node:test";
import { briefFaults, briefWarnings, shortened } from "#controller/webhook/brief.ts";

const refused = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ field: `spec.a[${at}]`, message: "no" }));

test("what a person reads is said whole", () => {
  assert.deepEqual(briefFaults(refused(64)), refused(64));
  assert.deepEqual(briefWarnings(["a", "b"]), ["a", "b"]);
});

test("the first ones, and how many more there are", () => {
  const brief = briefFaults(refused(1_000));
  assert.deepEqual(brief.slice(0, -1), refused(64));
  assert.deepEqual(brief.at(-1), { field: "object", message: "and 936 more" });
  assert.equal(briefWarnings(refused(100).map(({ message }) => message)).at(-1), "and 36 more");
});

test("long texts are cut, field and message each by itself, and no character is cut in two", () => {
  const field = `spec.${"k".repeat(1_000_000)}`;
  const long = { field, message: "v".repeat(1_000_000) };
  const brief = briefFaults(Array.from({ length: 50 }, () => long));
  for (const { field: name, message } of brief.slice(0, -1)) {
    assert.match(name, /^spec\.k+\.\.\. and \d+ more characters$/);
    assert.match(message, /^v+\.\.\. and \d+ more characters$/);
  }
  assert.ok(JSON.stringify(brief).length < 200_000, String(JSON.stringify(brief).length));
  assert.equal(shortened("abc\u{1f600}", 4), "abc... and 2 more characters");
});
