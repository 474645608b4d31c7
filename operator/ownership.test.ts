import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldSet, ManagedFields } from "#common/kube/managers.ts";
import { adopted, strangersIn } from "#operator/ownership.ts";

const OURS = "genkan-operator";
const entry = (
  manager: string,
  operation: string,
  fieldsV1: FieldSet,
  subresource?: string,
): ManagedFields => ({
  manager,
  operation,
  apiVersion: "apps/v1",
  fieldsType: "FieldsV1",
  fieldsV1,
  ...(subresource === undefined ? {} : { subresource }),
});

const ours = entry(OURS, "Apply", { "f:spec": { "f:replicas": {} } });
const restart = { "f:kubectl.kubernetes.io/restartedAt": {} };

test("strangers are those who own content", () => {
  const cases: [string, ManagedFields, string[]][] = [
    ["ourselves", ours, []],
    ["an edit", entry("kubectl-edit", "Update", { "f:spec": { "f:paused": {} } }), ["kubectl-edit"]],
    ["status", entry("kubelet", "Update", { "f:status": { "f:replicas": {} } }, "status"), []],
    ["scale", entry("kubectl", "Update", { "f:spec": { "f:replicas": {} } }, "scale"), []],
    ["the revision annotation", entry("kcm", "Update", { "f:metadata": { "f:annotations": {} } }), []],
    [
      "a rollout restart",
      entry("kubectl-rollout", "Update", {
        "f:spec": { "f:template": { "f:metadata": { "f:annotations": { ".": {}, ...restart } } } },
      }),
      [],
    ],
    [
      "a restart and something else",
      entry("kubectl-rollout", "Update", {
        "f:spec": { "f:template": { "f:metadata": { "f:annotations": { ...restart, "f:other": {} } } } },
      }),
      ["kubectl-rollout"],
    ],
    ["our own name by update", entry(OURS, "Update", { "f:data": {} }), [OURS]],
  ];
  for (const [name, fields, strangers] of cases) {
    assert.deepEqual(strangersIn([ours, fields], OURS), strangers, name);
  }
});

test("adoption unites the strangers' fields with ours and leaves the others alone", () => {
  const status = entry("kubelet", "Update", { "f:status": {} }, "status");
  const edit = entry("kubectl-edit", "Update", {
    "f:spec": { "f:template": { "f:spec": { "f:nodeSelector": { "f:disk": {} } } } },
  });
  const result = adopted([ours, status, edit], OURS, "apps/v1");
  assert.deepEqual(result[0], status);
  assert.equal(result.length, 2);
  assert.deepEqual(result[1]?.fieldsV1, {
    "f:spec": { "f:replicas": {}, "f:template": { "f:spec": { "f:nodeSelector": { "f:disk": {} } } } },
  });
  assert.deepEqual(strangersIn(result, OURS), []);
});

test("an object that we never applied is adopted as a whole", () => {
  const created = entry("kubectl-create", "Update", { "f:data": { "f:tls.crt": {} } });
  const result = adopted([created], OURS, "v1");
  assert.equal(result.length, 1);
  assert.equal(result[0]?.manager, OURS);
  assert.equal(result[0]?.apiVersion, "v1");
  assert.deepEqual(result[0]?.fieldsV1, created.fieldsV1);
});
