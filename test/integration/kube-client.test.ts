/** The client's calls against a real API server: apply and its owners, status, conflict, removal, pages, events. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isConflict, KubeError } from "#common/kube/error.ts";
import { EventRecorder } from "#common/kube/events.ts";
import { configMaps, events, namespaces, services } from "#common/kube/resource.ts";
import { real, TestPlane } from "#test/integration/plane.ts";

let plane: TestPlane;
before(async () => {
  plane = await TestPlane.start();
});
after(() => plane?.[Symbol.asyncDispose]());

test("apply creates, changes, leaves others' fields alone, takes them only by force, and gives up what it drops", async () => {
  const { client } = plane;
  const metadata = { name: "owned", namespace: await plane.namespace("apply") };
  const mine = { fieldManager: "mine" };
  await client.apply(configMaps, { metadata, data: { a: "1", b: "1" } }, mine);
  await client.apply(configMaps, { metadata, data: { c: "theirs" } }, { fieldManager: "theirs" });
  await assert.rejects(client.apply(configMaps, { metadata, data: { a: "1", c: "mine" } }, mine), isConflict);
  const forced = await client.apply(
    configMaps,
    { metadata, data: { a: "2", c: "mine" } },
    { ...mine, force: true },
  );
  assert.deepEqual(forced.data, { a: "2", c: "mine" }, "b was ours and is dropped");
  const same = await client.apply(configMaps, { metadata, data: { a: "2", c: "mine" } }, mine);
  assert.equal(
    same.metadata.resourceVersion,
    forced.metadata.resourceVersion,
    "applying it again writes nothing",
  );
  const tried = await client.apply(configMaps, { metadata, data: { a: "9" } }, { ...mine, dryRun: true });
  assert.deepEqual(tried.data, { a: "9" });
  assert.deepEqual((await client.get(configMaps, "owned", "apply"))?.data, { a: "2", c: "mine" });
});

test("status is written through its subresource, by apply, patch and replace", async () => {
  const { client } = plane;
  const metadata = { name: "web", namespace: await plane.namespace("status") };
  const spec = {
    type: "LoadBalancer",
    ports: [{ name: "http", port: 80 }],
    loadBalancerClass: "genkan.dev/test",
  };
  const made = await client.create(services, { metadata, spec });
  assert.equal(made.status?.loadBalancer?.ingress, undefined);
  const loadBalancer = (ip: string) => ({ loadBalancer: { ingress: [{ ip, ipMode: "Proxy" }] } });
  const ip = async () =>
    (await client.get(services, "web", "status"))?.status?.loadBalancer?.ingress?.[0]?.ip;

  await client.apply(
    services,
    { metadata, status: loadBalancer("192.0.2.1") },
    { fieldManager: "genkan", subresource: "status" },
  );
  assert.equal(await ip(), "192.0.2.1");
  await client.patch(services, {
    ...metadata,
    type: "merge",
    subresource: "status",
    body: { status: loadBalancer("192.0.2.2") },
  });
  assert.equal(await ip(), "192.0.2.2");
  const read = await client.get(services, "web", "status");
  assert.ok(read !== undefined);
  const replaced = await client.replace(
    services,
    { ...read, status: loadBalancer("192.0.2.3") },
    { subresource: "status" },
  );
  assert.equal(await ip(), "192.0.2.3");
  assert.equal(replaced.spec?.ports?.[0]?.port, 80);
  await client.patch(services, {
    ...metadata,
    type: "json",
    body: [{ op: "add", path: "/metadata/annotations", value: { k: "v" } }],
  });
  await assert.rejects(
    client.replace(services, { ...read, status: loadBalancer("192.0.2.4") }, { subresource: "status" }),
    isConflict,
  );
});

test("remove says whether it was there, and removes no other object of the name", async () => {
  const { client } = plane;
  const namespace = await plane.namespace("remove");
  const made = await client.create(configMaps, { metadata: { name: "a", namespace } });
  await assert.rejects(client.remove(configMaps, "a", { namespace, uid: "another" }), isConflict);
  assert.equal(await client.remove(configMaps, "a", { namespace, uid: made.metadata.uid }), true);
  assert.equal(await client.remove(configMaps, "a", { namespace }), false);
  assert.equal(await client.get(configMaps, "a", namespace), undefined);
});

test("a list comes in pages, chosen by label", async () => {
  const { client } = plane;
  const namespace = await plane.namespace("pages");
  for (const name of ["a", "b", "c", "d", "e"]) {
    const labels = { parity: name < "c" ? "low" : "high" };
    await client.create(configMaps, { metadata: { name, namespace, labels } });
  }
  const names: string[] = [];
  let continueToken: string | undefined;
  let pages = 0;
  do {
    const page = await client.list(configMaps, {
      namespace,
      labelSelector: "parity=high",
      limit: 2,
      ...(continueToken === undefined ? {} : { continueToken }),
    });
    names.push(...page.items.map((item) => item.metadata.name));
    ({ continueToken } = page);
    pages += 1;
  } while (continueToken !== undefined);
  assert.deepEqual(names, ["c", "d", "e"]);
  assert.equal(pages, 2);
});

test("a refusal has the server's code, reason and words", async () => {
  const { client } = plane;
  await assert.rejects(
    client.create(services, { metadata: { name: "Not A Name", namespace: "default" } }),
    (error) =>
      error instanceof KubeError &&
      error.code === 422 &&
      error.reason === "Invalid" &&
      /metadata.name/.test(error.message),
  );
  await assert.rejects(
    client.create(namespaces, { metadata: { name: "default" } }),
    (error) => isConflict(error) && error instanceof KubeError && error.reason === "AlreadyExists",
  );
  assert.match(await client.version(), /^v1\.\d+/);
});

test("equal events become one with a count", async () => {
  const namespace = await plane.namespace("events");
  const target = await plane.client.create(configMaps, { metadata: { name: "about", namespace } });
  const recorder = new EventRecorder({
    ...real,
    client: plane.client,
    component: "genkan-test",
    instance: "here",
  });
  const about = { ...target, apiVersion: "v1", kind: "ConfigMap" };
  for (let count = 0; count < 3; count += 1) {
    recorder.emit(about, { type: "Normal", reason: "SessionEstablished", message: "it happened" });
    await recorder.flush();
  }
  recorder.emit(about, { type: "Warning", reason: "SessionLost", message: "x".repeat(5_000) });
  await recorder.flush();
  assert.equal(recorder.dropped, 0);
  const { items } = await plane.client.list(events, {
    namespace,
    fieldSelector: "involvedObject.name=about",
  });
  assert.deepEqual(items.map((event) => [event.type, event.reason, event.count]).sort(), [
    ["Normal", "SessionEstablished", 3],
    ["Warning", "SessionLost", 1],
  ]);
});
