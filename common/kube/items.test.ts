import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionError, type ConnectionErrorCode } from "#common/kube/error.ts";
import { ItemSplitter } from "#common/kube/items.ts";

function split(bytes: Buffer, cuts: readonly number[] = [], maxItemBytes = 1_000) {
  const splitter = new ItemSplitter("list x", maxItemBytes);
  const borders = [0, ...cuts.filter((cut) => cut <= bytes.length).sort((a, b) => a - b), bytes.length];
  const items: unknown[] = [];
  for (let at = 0; at + 1 < borders.length; at += 1) {
    const chunk = bytes.subarray(borders[at], borders[at + 1]);
    for (const item of splitter.push(chunk)) items.push(JSON.parse(item.toString("utf8")));
  }
  return { items, envelope: JSON.parse(splitter.end().toString("utf8")) as unknown };
}

test("any cut of any list gives its items, and the rest of it without them", () => {
  const item = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
  const metadata = fc.dictionary(
    fc.constantFrom("items", "a", '"items":[', "\\"),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const lists = fc.record({
    kind: fc.constantFrom("List", '{"items":[', '\\"items\\":', "]}"),
    metadata,
    items: fc.array(item, { maxLength: 5 }),
    after: fc.jsonValue({ maxDepth: 2 }),
  });
  const cases = fc.tuple(lists, fc.array(fc.nat(600), { maxLength: 12 }), fc.constantFrom(undefined, 2));
  fc.assert(
    fc.property(cases, ([list, cuts, indent]) => {
      const text = ` ${JSON.stringify(list, undefined, indent)}\n`;
      const found = split(Buffer.from(text), cuts, 100_000);
      // As JSON carries it: -0 is 0 there.
      assert.deepEqual(
        found,
        JSON.parse(JSON.stringify({ items: list.items, envelope: { ...list, items: [] } })),
      );
    }),
  );
});

test("random bytes only ever give a ConnectionError, or JSON's own", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...'{}[]",:\\ 1a"items"'.split("")), { maxLength: 60 }),
      (characters) => {
        try {
          split(Buffer.from(`{"items":[${characters.join("")}`), [5, 20]);
        } catch (error) {
          assert.ok(error instanceof ConnectionError || error instanceof SyntaxError, String(error));
        }
      },
    ),
  );
});

const wrong: readonly [what: string, text: string, code: ConnectionErrorCode, says: RegExp][] = [
  ["a page of a proxy", "<html>{}</html>", "NOT_JSON", /no list: "<html>/],
  ["an array", "[1]", "MALFORMED", /no list: "\[1\]"/],
  ["null", "null", "NOT_JSON", /no list: "null"/],
  ["an item that is null", '{"items":[null]}', "MALFORMED", /no object/],
  ["an item that is a text", '{"items":["a"]}', "MALFORMED", /no object/],
  ["an item that is an array", '{"items":[[]]}', "MALFORMED", /no object/],
  ["half a list", '{"items":[{"a":1}', "MALFORMED", /ends within/],
  ["much that is no item", `{"a":"${"x".repeat(70_000)}"}`, "MALFORMED", /are no items/],
  [
    "an item that is too large",
    `{"items":[{"a":"${"x".repeat(1_000)}"}]}`,
    "TOO_LARGE",
    /larger than 1000 bytes/,
  ],
  ["two answers in one", "{}{}x", "NOT_JSON", /no list: "x"/],
];

for (const [what, text, code, says] of wrong) {
  test(`${what} is a typed error that says so`, () => {
    assert.throws(
      () => split(Buffer.from(text), [8, 10]),
      (error) => error instanceof ConnectionError && error.code === code && says.test(error.message),
    );
  });
}
