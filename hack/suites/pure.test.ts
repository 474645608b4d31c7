import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { pureFiles, touchesNothing } from "#hack/suites/pure.ts";
import { filesOf, SUITES } from "#hack/suites/suites.ts";

test("a file with hooks of its own, sockets, real time or the environment has a process of its own", () => {
  for (const line of [
    "before(() => {});",
    'import { connect } from "node:net";',
    'import { readFile } from "node:fs/promises";',
    "process.env.HOME = '/';",
    "mock.timers.enable();",
    'import { systemClock } from "#common/clock.ts";',
    'import { openSocket } from "#speaker/native/socket.ts";',
    'import { FakeApiServer } from "#test/fakes/api-server.ts";',
  ]) {
    assert.equal(touchesNothing(`import assert from "node:assert/strict";\n${line}\n`), false, line);
  }
  assert.ok(touchesNothing('import { test } from "node:test";\ntest("a", () => {});\n'));
  assert.ok(touchesNothing('describe("a", () => {\n  before(() => {});\n});\n'), "hooks of a part of a file");
});

test("all that share a process are files of the suite unit, and most of them do", () => {
  const unit = SUITES.find(({ name }) => name === "unit");
  assert.ok(unit?.sharedProcesses);
  const files = filesOf(unit, CHECKOUT);
  const pure = pureFiles(CHECKOUT);
  assert.deepEqual(
    pure.filter((file) => !files.includes(file)),
    [],
  );
  assert.ok(pure.length * 2 > files.length, `${pure.length} of ${files.length}`);
});
