import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDocuments } from "#cli/documents.ts";

const namesOf = (text: string): readonly (readonly [string, number])[] =>
  readDocuments("f", text).found.map(({ object, line }) => [
    (object.metadata as { name: string }).name,
    line,
  ]);
const messagesOf = (text: string): readonly string[] =>
  readDocuments("f", text).unreadable.map(({ line, message }) => `${line}: ${message}`);

const object = (name: string): string => `apiVersion: v1\nkind: A\nmetadata: { name: ${name} }\n`;

test("documents, lists and lists in lists are told apart, with their lines", () => {
  const item = (name: string): string => `- ${object(name).trim().replaceAll("\n", "\n  ")}\n`;
  const text = `# head\n---\n${object("a")}---\n---\nkind: List\napiVersion: v1\nitems:\n${item("b")}${item("c")}---\n${object("d")}`;
  assert.deepEqual(namesOf(text), [
    ["a", 3],
    ["b", 11],
    ["c", 14],
    ["d", 18],
  ]);
  const typed = "apiVersion: genkan.dev/v1beta1\nkind: BGPPeerList\nitems:\n- metadata: { name: p }\n";
  const [peer] = readDocuments("f", typed).found;
  assert.deepEqual([peer?.object.apiVersion, peer?.object.kind], ["genkan.dev/v1beta1", "BGPPeer"]);
  assert.deepEqual(namesOf(JSON.stringify({ apiVersion: "v1", kind: "A", metadata: { name: "j" } })), [
    ["j", 1],
  ]);
});

test("scalars are read as kubectl reads them", () => {
  const text = `${object("a")}spec: { a: off, b: yes, community: 65000:30, quoted: "no", merged: { <<: &m { a: 1 }, b: 2 } }\n`;
  assert.deepEqual(readDocuments("f", text).found[0]?.object.spec, {
    a: false,
    b: true,
    community: "65000:30",
    quoted: "no",
    merged: { a: 1, b: 2 },
  });
});

test("what cannot be read is told with its line, and the rest is read", () => {
  const text = `${object("a")}---\na: [1\n---\n${object("b")}`;
  assert.deepEqual(
    namesOf(text).map(([name]) => name),
    ["a", "b"],
  );
  assert.equal(messagesOf(text).length, 1);
  assert.match(messagesOf("a: 1\na: 2\n")[0] ?? "", /^2: Map keys must be unique/);
  assert.deepEqual(messagesOf("kind: A\nmetadata: {}\n"), [
    "1: is no manifest: apiVersion and kind are not both there",
  ]);
});

test("bombs end soon: aliases of aliases, brackets without end, lists in lists", () => {
  const levels = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(10)}]`);
  const bomb = `a0: &a0 [x]\n${levels.join("\n")}\napiVersion: v1\nkind: A\n`;
  assert.match(messagesOf(bomb)[0] ?? "", /resource exhaustion/);
  assert.equal(messagesOf("[".repeat(50_000)).length, 1);
  assert.equal(messagesOf(`${"{a: ".repeat(25_000)}`).length, 1);
  let nested: object = { apiVersion: "v1", kind: "A" };
  for (let depth = 0; depth < 20; depth += 1) nested = { apiVersion: "v1", kind: "List", items: [nested] };
  assert.match(messagesOf(JSON.stringify(nested))[0] ?? "", /lists lie more than 4 deep/);
  assert.match(messagesOf(" ".repeat(16 * 1024 * 1024 + 1))[0] ?? "", /longer than/);
});

test("any text ends in objects or messages, never in an error", () => {
  const piece = fc.constantFrom(
    "apiVersion: v1",
    "kind: A",
    "items:",
    "- ",
    "\n",
    "---\n",
    "&a ",
    "*a",
    "<<: ",
    "[",
    "{",
    "}",
    '"',
    ": ",
    "  ",
    "!!map ",
    "|\n",
    "\t",
    "%YAML 1.1\n",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 40 }), (pieces) => {
      readDocuments("f", pieces.join(""));
    }),
    { numRuns: 2_000 },
  );
});
