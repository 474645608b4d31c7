import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "#common/kube/client.ts";
import { services } from "#common/kube/resource.ts";
import { NotLeadingError, whileLeading } from "#controller/leading.ts";

const CALLS = ["get", "list", "create", "replace", "patch", "apply", "remove"] as const;

test("reads always pass; every kind of write passes while leading and is not sent afterwards", async () => {
  const sent: string[] = [];
  const record = (call: string) => async (): Promise<void> => void sent.push(call);
  const bare = Object.fromEntries(CALLS.map((call) => [call, record(call)])) as unknown as KubeClient;
  let leads = true;
  const client = whileLeading(bare, () => leads);
  const object = { metadata: { name: "s", namespace: "n", uid: "u", resourceVersion: "1" } };
  const all: Readonly<Record<(typeof CALLS)[number], () => Promise<unknown>>> = {
    get: () => client.get(services, "s"),
    list: () => client.list(services),
    create: () => client.create(services, object),
    replace: () => client.replace(services, object),
    patch: () => client.patch(services, { name: "s", type: "merge", body: {} }),
    apply: () => client.apply(services, object, { fieldManager: "f" }),
    remove: () => client.remove(services, "s"),
  };
  for (const call of CALLS) await all[call]();
  assert.deepEqual(sent, CALLS);
  leads = false;
  for (const call of CALLS.slice(0, 2)) await all[call]();
  for (const call of CALLS.slice(2)) await assert.rejects(all[call](), NotLeadingError);
  assert.deepEqual(sent.slice(CALLS.length), CALLS.slice(0, 2));
});
