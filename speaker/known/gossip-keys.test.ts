import assert from "node:assert/strict";
import { test } from "node:test";
import { projectKeys } from "./gossip-keys.ts";

const KEY = Buffer.alloc(32, 7).toString("base64");
const OTHER = Buffer.alloc(16, 9).toString("base64");
const secret = (keys: string) =>
  ({ metadata: {}, data: { keys: Buffer.from(keys).toString("base64") } }) as never;

test("one key a line, whatever stands behind it", () => {
  const { keys } = projectKeys(secret(`${KEY} 2026-11-29T00:00:00.000Z\n\n${OTHER}\n`));
  assert.deepEqual(
    keys.map((key) => Buffer.from(key).toString("base64")),
    [KEY, OTHER],
  );
});

test("what is no key is refused, and the error has no word of it", () => {
  const hidden = Buffer.from("secret").toString("base64");
  for (const keys of ["", `${hidden} x\n`, `${KEY}\n${hidden}\n`, `${KEY}\n`.repeat(9)]) {
    assert.throws(
      () => projectKeys(secret(keys)),
      (error: Error) =>
        /data\.keys is .* it has to be up to 8 lines/.test(error.message) && !error.message.includes(hidden),
    );
  }
});
