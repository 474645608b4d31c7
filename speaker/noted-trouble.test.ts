import assert from "node:assert/strict";
import { test } from "node:test";
import { NotedTrouble } from "./noted-trouble.ts";

function world() {
  const said: string[] = [];
  const log = {
    info: (message: string) => void said.push(message),
    warn: (message: string, fields = {}) => void said.push(`${message} ${JSON.stringify(fields)}`),
  };
  const words = { here: "here", gone: "gone", unseen: "unseen" };
  const noted = new NotedTrouble<"ClockJumped">({ log, onChange: () => void said.push("changed"), words });
  return { noted, said: () => said.splice(0) };
}

test("a trouble is said when it comes, changes and goes, and not while it stays", () => {
  const { noted, said } = world();
  noted.set(undefined);
  assert.deepEqual(said(), []);
  for (const message of ["by 5 s", "by 5 s", "by 9 s"]) noted.set({ reason: "ClockJumped", message });
  assert.deepEqual(said(), [
    'here {"reason":"ClockJumped","why":"by 5 s"}',
    "changed",
    'here {"reason":"ClockJumped","why":"by 9 s"}',
    "changed",
  ]);
  assert.equal(noted.current?.message, "by 9 s");
  noted.set(undefined);
  assert.deepEqual(said(), ["gone", "changed"]);
  assert.equal(noted.current, undefined);
});

test("a look that fails is said once in the same words, and again after one that did not; what is known stays", () => {
  const { noted, said } = world();
  noted.set({ reason: "ClockJumped", message: "by 5 s" });
  said();
  for (const text of ["a", "a", "b"]) noted.failed(new Error(text));
  noted.looked();
  noted.failed(new Error("b"));
  assert.deepEqual(said(), ['unseen {"error":"a"}', 'unseen {"error":"b"}', 'unseen {"error":"b"}']);
  assert.equal(noted.current?.message, "by 5 s");
});
