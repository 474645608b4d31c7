import assert from "node:assert/strict";
import { test } from "node:test";
import { type ManagedFields, otherWriterOf } from "#common/kube/managers.ts";

const STATUS = { ours: "ours", subresource: "status" } as const;
const INGRESS = ["status", "loadBalancer"];
const writes = (manager: string, more: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  operation: "Update",
  subresource: "status",
  time: "2026-01-01T00:00:00Z",
  fieldsV1: { "f:status": { "f:loadBalancer": { "f:ingress": {} } } },
  ...more,
});

const cases: readonly (readonly [string, readonly unknown[] | undefined, string | undefined])[] = [
  ["nobody is known", undefined, undefined],
  ["we alone", [writes("ours")], undefined],
  ["k3s beside us", [writes("ours"), writes("k3s")], "k3s"],
  [
    "the last one counts, wherever it stands",
    [writes("late", { time: "2026-01-02T00:00:00Z" }), writes("early")],
    "late",
  ],
  [
    "conditions are another field",
    [writes("other", { fieldsV1: { "f:status": { "f:conditions": {} } } })],
    undefined,
  ],
  ["another subresource", [writes("kubectl", { subresource: "scale" })], undefined],
  ["the object itself", [{ ...writes("kubectl"), subresource: undefined }], undefined],
  ["entries without fields", [{ manager: "odd" }, {}], undefined],
  ["names of objects' own functions are no fields", [writes("odd", { fieldsV1: {} })], undefined],
];
for (const [name, entries, writer] of cases) {
  test(`who writes status.loadBalancer: ${name}`, () => {
    assert.equal(otherWriterOf(entries, INGRESS, STATUS), writer);
  });
}

test("items of lists are found under their keys, or under the list that is written as a whole", () => {
  const at = (fieldsV1: ManagedFields["fieldsV1"]) =>
    otherWriterOf([{ manager: "mirror", fieldsV1 }], ["spec", "containers", "[]", "image"], {
      ours: "ours",
      subresource: undefined,
    });
  const item = (name: string) => ({
    "f:spec": { "f:containers": { [`k:{"name":"${name}"}`]: { "f:image": {} } } },
  });
  assert.equal(at(item("speaker")), "mirror");
  assert.equal(at({ "f:spec": { "f:containers": {} } }), "mirror");
  assert.equal(at({ "f:spec": { "f:containers": { 'k:{"name":"a"}': { "f:env": {} } } } }), undefined);
});
