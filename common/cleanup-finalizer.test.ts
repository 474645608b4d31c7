import assert from "node:assert/strict";
import { test } from "node:test";
import { CLEANUP_FINALIZER, FIELD_MANAGER } from "#api/names.ts";
import { hasOurFinalizer, withoutOurs } from "#common/cleanup-finalizer.ts";

const writes = (manager: string, finalizer: string, subresource?: string): object => ({
  manager,
  operation: "Update",
  ...(subresource === undefined ? {} : { subresource }),
  fieldsV1: { "f:metadata": { "f:finalizers": { ".": {}, [`v:"${finalizer}"`]: {} } } },
});
const OURS = writes(FIELD_MANAGER.controller, CLEANUP_FINALIZER, "status");

const CASES: readonly (readonly [
  string,
  readonly string[] | undefined,
  readonly object[] | undefined,
  boolean,
])[] = [
  ["none", undefined, [OURS], false],
  ["another one", ["example.com/hold"], [OURS], false],
  ["ours", ["example.com/hold", CLEANUP_FINALIZER], [OURS], true],
  [
    "a cloud's",
    [CLEANUP_FINALIZER],
    [writes("cloud-controller-manager", CLEANUP_FINALIZER, "status")],
    false,
  ],
  ["ours and a cloud's", [CLEANUP_FINALIZER], [writes("cloud", CLEANUP_FINALIZER), OURS], true],
  [
    "ours, where we wrote another one only",
    [CLEANUP_FINALIZER],
    [writes("cloud", CLEANUP_FINALIZER), writes(FIELD_MANAGER.controller, "x/y")],
    false,
  ],
  ["one without a known writer", [CLEANUP_FINALIZER], undefined, true],
  ["one whose writers cannot be read", [CLEANUP_FINALIZER], [{}, { manager: "odd" }], true],
];

for (const [what, finalizers, managedFields, isOurs] of CASES) {
  test(`a Service with ${what}: ${isOurs ? "ours to take off" : "not ours"}`, () => {
    const metadata = { name: "s", finalizers, managedFields } as never;
    assert.equal(hasOurFinalizer({ metadata }), isOurs);
  });
}

test("finalizers of others stay, in their order", () => {
  assert.deepEqual(withoutOurs(["a/b", CLEANUP_FINALIZER, "c/d"]), ["a/b", "c/d"]);
  assert.deepEqual(withoutOurs(undefined), []);
});
