import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceAccounts, services } from "#common/kube/resource.ts";
import { changeOf } from "#operator/change.ts";
import { child } from "#operator/children/child.ts";
import { site } from "#test/fakes/operator-view.ts";

const identity = { site, name: "genkan-webhook", component: "webhook" } as const;
const wanted = child(services, identity, { spec: { type: "ClusterIP", ports: [{ port: 443 }] } });
const metadata = {
  ...wanted.object.metadata,
  uid: "u",
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
};
const actual = (change: object = {}, strangers: readonly string[] = []) => ({
  resource: services,
  object: { ...wanted.object, metadata, ...change },
  strangers,
});

test("what says all that is wanted, and more by default, is left alone", () => {
  const spec = { type: "ClusterIP", ports: [{ port: 443 }], clusterIP: "10.0.0.1" };
  assert.equal(changeOf(wanted, actual({ spec })), undefined);
});

test("a field that says something else is named", () => {
  const spec = { type: "ClusterIP", ports: [{ port: 80 }] };
  const path = "spec.ports[0].port";
  assert.deepEqual(changeOf(wanted, actual({ spec })), { why: `${path} differs`, path, hasStrangers: false });
});

test("a field that is wanted no longer shows in the fingerprint", () => {
  const less = child(services, identity, { spec: { type: "ClusterIP" } });
  assert.match(changeOf(less, actual())?.path ?? "", /fingerprint$/);
});

test("what others put in counts, beside a difference and alone", () => {
  const strangers = ["kubectl-edit", "somebody"];
  const alone = changeOf(wanted, actual({}, strangers));
  assert.deepEqual(alone, {
    why: "changed by kubectl-edit, somebody besides genkan-operator",
    path: undefined,
    hasStrangers: true,
  });
  assert.equal(changeOf(wanted, actual({ spec: {} }, strangers))?.hasStrangers, true);
});

test("a child without fields of its own needs nothing but its metadata", () => {
  const account = child(serviceAccounts, { ...identity, name: "speaker" }, {});
  const object = {
    ...account.object,
    metadata: {
      ...account.object.metadata,
      uid: "u",
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
  };
  assert.equal(changeOf(account, { resource: serviceAccounts, object, strangers: [] }), undefined);
});
