import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, changesFor } from "#hack/guest/user-mode/fit.ts";
import { KernelSourceError } from "#hack/guest/user-mode/sources.ts";

const OLD = { name: "linux-source-6.12", version: "1", suite: "trixie" };

test("Linux 7 needs no change; 6.12 needs one, which fits once or ends the build", () => {
  assert.deepEqual(changesFor({ ...OLD, name: "linux-source-7.2" }), []);
  const [change, ...others] = changesFor(OLD);
  assert.ok(change !== undefined && others.length === 0);
  const text = `a\n${change.from}\nb\n`;
  assert.equal(changed(text, change), `a\n${change.to}\nb\n`);
  for (const wrong of ["a\n", text + text]) assert.throws(() => changed(wrong, change), KernelSourceError);
});
