/** What a controller's token may write, judged by a real API server; that its own writes pass, privileges.test.ts shows. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ANNOTATION_ALLOCATED_FROM,
  CLEANUP_FINALIZER,
  CONTROLLER_LEASE,
  CONTROLLER_NAME,
  OPERATOR_LEASE,
  speakerLease,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { KubeError } from "#common/kube/error.ts";
import { leases, nodes, secrets, services, speakerStatuses } from "#common/kube/resource.ts";
import { watchBars } from "#test/bar.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { clientOf } from "#test/integration/tokens.ts";
import { until } from "#test/until.ts";

const TENANT = "tenant";
const namespace = NAMESPACE;
type Attempt = (client: KubeClient) => Promise<unknown>;

let world: OperatorWorld;
let operator: OperatorProcess;
let controller: KubeClient;

before(async () => {
  world = await OperatorWorld.start(["node1"]);
  await world.plane.namespace(TENANT);
  await world.client.create(services, {
    metadata: {
      name: "web",
      namespace: TENANT,
      annotations: { kept: "as it is", [ANNOTATION_ALLOCATED_FROM]: "old" },
      labels: { app: "web" },
      finalizers: ["tenant.example/kept"],
    },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  operator = world.operator();
  await world.createLoadBalancer();
  await world.playStatus({ desired: 1, ready: 1 });
  controller = await clientOf(world.plane, { namespace, serviceAccount: CONTROLLER_NAME, node: "node1" });
  for (const attempt of [metadataBy({ annotations: { other: "x" } }), lease(speakerLease("node1"))]) {
    await until("the policy to be in force", async () =>
      /ValidatingAdmissionPolicy/.test(await outcome(attempt)),
    );
  }
});

after(async () => {
  controller?.close();
  await operator?.stop();
  await world?.[Symbol.asyncDispose]();
});

const metadataBy =
  (metadata: object): Attempt =>
  (client) =>
    client.patch(services, {
      name: "web",
      namespace: TENANT,
      subresource: "status",
      type: "merge",
      body: { metadata, status: { loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }] } } },
    });

const lease =
  (name: string): Attempt =>
  (client) =>
    client.create(leases, { metadata: { name, namespace }, spec: { holderIdentity: "evil" } });

/** The API server's words for a 403, or that it passed. */
async function outcome(attempt: Attempt): Promise<string> {
  try {
    await attempt(controller);
    return "it passed";
  } catch (error) {
    if (error instanceof KubeError && error.code === 403) return error.message;
    throw error;
  }
}

const BY_POLICY: Readonly<Record<string, Attempt>> = {
  "adds an annotation": metadataBy({ annotations: { other: "x" } }),
  "changes an annotation": metadataBy({ annotations: { kept: "no" } }),
  "removes an annotation": metadataBy({ annotations: { kept: null } }),
  "adds more annotations than are compared": metadataBy({
    annotations: Object.fromEntries(Array.from({ length: 600 }, (_none, at) => [`a${at}`, ""])),
  }),
  "adds a label": metadataBy({ labels: { role: "x" } }),
  "removes a label": metadataBy({ labels: { app: null } }),
  "sets a finalizer": metadataBy({ finalizers: ["evil.example/for-ever"] }),
  "sets another finalizer beside its own": metadataBy({
    finalizers: ["tenant.example/kept", "evil.example/for-ever", CLEANUP_FINALIZER],
  }),
  "removes another's finalizer": metadataBy({ finalizers: [] }),
  "sets an owner": metadataBy({
    ownerReferences: [{ apiVersion: "v1", kind: "Namespace", name: "x", uid: "x" }],
  }),
  "makes a speaker's Lease": lease(speakerLease("node1")),
};

for (const [what, attempt] of Object.entries(BY_POLICY)) {
  test(`refused by policy: a controller that, with a status, ${what}`, async () => {
    const words = await outcome(attempt);
    assert.match(words, /ValidatingAdmissionPolicy '[a-z-]+' with binding/);
    assert.doesNotMatch(words, /resulted in error/);
  });
}

test("its own annotation may come, change and go with a status", async () => {
  for (const value of ["pool", "other", null]) {
    assert.equal(
      await outcome(metadataBy({ annotations: { [ANNOTATION_ALLOCATED_FROM]: value } })),
      "it passed",
    );
  }
  const service = await world.client.get(services, "web", TENANT);
  assert.deepEqual(service?.metadata.annotations, { kept: "as it is" });
  assert.equal(service?.status?.loadBalancer?.ingress?.[0]?.ip, "192.0.2.1");
});

test("the finalizer for load balancers may come and go with a status", async () => {
  for (const finalizers of [["tenant.example/kept", CLEANUP_FINALIZER], ["tenant.example/kept"]]) {
    assert.equal(await outcome(metadataBy({ finalizers })), "it passed");
    const service = await world.client.get(services, "web", TENANT);
    assert.deepEqual(service?.metadata.finalizers, finalizers);
  }
});

test("whatever a tenant fills a Service's metadata with, its status is written in time", async () => {
  const many = Object.fromEntries(Array.from({ length: 30_000 }, (_none, at) => [`a${at}`, ""]));
  const finalizers = Array.from({ length: 5_000 }, (_none, at) => `tenant.example/f${at}`);
  await world.client.create(services, {
    metadata: { name: "heavy", namespace: TENANT, annotations: many, labels: many, finalizers },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  const write = (client: KubeClient, pool: string): Promise<unknown> =>
    client.patch(services, {
      name: "heavy",
      namespace: TENANT,
      subresource: "status",
      type: "merge",
      body: { metadata: { annotations: { [ANNOTATION_ALLOCATED_FROM]: pool } } },
    });
  const timed = async (work: Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work;
    return performance.now() - began;
  };
  // By somebody whom no policy judges: what such an object costs the API server anyway.
  const unjudged = await timed(write(world.client, "one"));
  const bars = await watchBars();
  const judged = await timed(write(controller, "two"));
  // A comparison of all of it took more than 30 s.
  const what = `with policies, after ${unjudged.toFixed(0)} ms without, it`;
  await bars.hold(what, judged, 3 * unjudged + 2_000);
});

const BY_RIGHTS: Readonly<Record<string, Attempt>> = {
  "changes a Service's selector": (client) =>
    client.patch(services, {
      name: "web",
      namespace: TENANT,
      type: "merge",
      body: { spec: { selector: { app: "evil" } } },
    }),
  "takes the operator's Lease": (client) =>
    client.patch(leases, { name: OPERATOR_LEASE, namespace, type: "merge", body: { spec: {} } }),
  "removes its own Lease": (client) => client.remove(leases, CONTROLLER_LEASE, { namespace }),
  "reads the webhook's key": (client) => client.get(secrets, WEBHOOK_SECRET_NAME, namespace),
  "writes a SpeakerStatus": (client) =>
    client.create(speakerStatuses, { metadata: { name: "node1", namespace } }),
  "patches a node": (client) =>
    client.patch(nodes, { name: "node1", type: "merge", body: { metadata: { labels: { x: "y" } } } }),
};

for (const [what, attempt] of Object.entries(BY_RIGHTS)) {
  test(`refused for want of rights: a controller that ${what}`, async () => {
    const words = await outcome(attempt);
    assert.match(words, /forbidden/i);
    assert.doesNotMatch(words, /ValidatingAdmissionPolicy/);
  });
}
