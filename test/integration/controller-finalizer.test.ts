/** spec.cleanupFinalizer: Services that stay until their addresses are withdrawn, against the real API server. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { CLEANUP_FINALIZER, LOADBALANCER_NAME } from "#api/names.ts";
import { loadBalancers, type Service, services } from "#common/kube/resource.ts";
import { SYSTEM, startLeader } from "#test/integration/controller-process.ts";
import { ControllerWorld, ipsOf, LONG } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

let world: ControllerWorld;
before(async () => {
  world = await ControllerWorld.start();
  await world.addPool("web", ["10.50.0.0/28"]);
});
after(() => world?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.begin();
  await set(true);
});

async function set(cleanupFinalizer: boolean): Promise<void> {
  const body = { spec: { cleanupFinalizer } };
  await world.client.patch(loadBalancers, {
    name: LOADBALANCER_NAME,
    namespace: SYSTEM,
    type: "merge",
    body,
  });
}

const find = (name: string): Promise<Service | undefined> =>
  world.client.get(services, name, world.namespace);
const finalizersOf = (service: Service | undefined): readonly string[] | undefined =>
  service?.metadata.finalizers ?? (service === undefined ? undefined : []);

/** Waits until these are the Service's finalizers; undefined: until it is gone. */
async function bears(name: string, wanted: readonly string[] | undefined): Promise<void> {
  await until(
    `${name} to ${wanted === undefined ? "be gone" : `have the finalizers ${wanted.join()}`}`,
    async () => finalizersOf(await find(name))?.join() === wanted?.join(),
    LONG,
  );
}

test("it comes with the address, goes and comes with the type, and a deleted Service ends without its address", async () => {
  await world.addService("typed");
  await bears("typed", [CLEANUP_FINALIZER]);
  assert.equal(ipsOf(await world.service("typed")).length, 1);
  await world.changeService("typed", { spec: { type: "ClusterIP" } });
  await bears("typed", []);
  await world.changeService("typed", { spec: { type: "LoadBalancer" } });
  await bears("typed", [CLEANUP_FINALIZER]);
  const { resourceVersion } = await world.client.list(services, { namespace: world.namespace });
  await world.removeService("typed");
  const seen: string[] = [];
  const options = { namespace: world.namespace, resourceVersion };
  for await (const event of world.client.watch(services, options, AbortSignal.timeout(LONG.deadlineMs))) {
    if (event.type === "BOOKMARK") continue;
    seen.push(`${event.type} ${ipsOf(event.object).length}`);
    if (event.type === "DELETED") break;
  }
  assert.deepEqual(seen, ["MODIFIED 1", "MODIFIED 0", "DELETED 0"]);
});

test("cluster IP and node port of a Service that ends so are free again", async () => {
  const taken = async (name: string): Promise<true> => {
    await world.addService(name, { clusterIP: "10.96.0.77", ports: [{ port: 80, nodePort: 30_077 }] });
    return true;
  };
  await taken("first");
  await bears("first", [CLEANUP_FINALIZER]);
  await world.removeService("first");
  await bears("first", undefined);
  // The API server frees both a moment after the object is gone.
  await until("both to be taken once more", () => taken("second"), LONG);
  await world.removeService("second");
});

test("switched off, Services lose it and keep their addresses; a cloud's stays", async () => {
  await world.client.create(
    services,
    {
      metadata: { name: "cloud", namespace: world.namespace, finalizers: [CLEANUP_FINALIZER] },
      spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
    } as never,
    { fieldManager: "cloud-controller-manager" },
  );
  await world.addService("ours");
  await bears("ours", [CLEANUP_FINALIZER]);
  await until("cloud to have an address", async () => ipsOf(await world.service("cloud")).length === 1, LONG);
  await set(false);
  await bears("ours", []);
  assert.equal(ipsOf(await world.service("ours")).length, 1);
  await bears("cloud", [CLEANUP_FINALIZER]);
  await world.changeService("cloud", { metadata: { finalizers: [] } });
});

test("while no controller runs a deleted Service waits, and the next one lets it go", async () => {
  await world.addService("waiting");
  await bears("waiting", [CLEANUP_FINALIZER]);
  await world.controller.end("SIGKILL");
  await world.removeService("waiting");
  assert.notEqual((await find("waiting"))?.metadata.deletionTimestamp, undefined);
  world.controller = await startLeader(world.plane, "c1");
  await bears("waiting", undefined);
});

test("a controller that is stopped lets no Service go; one that is stopped as Genkan is removed lets all go", async () => {
  await world.addService("kept");
  await bears("kept", [CLEANUP_FINALIZER]);
  await world.controller.end("SIGTERM");
  await bears("kept", [CLEANUP_FINALIZER]);
  await world.client.remove(loadBalancers, LOADBALANCER_NAME, { namespace: SYSTEM });
  world.controller = await startLeader(world.plane, "c2");
  await bears("kept", []);
  await world.client.create(loadBalancers, {
    metadata: { name: LOADBALANCER_NAME, namespace: SYSTEM },
    spec: { cleanupFinalizer: true },
  });
  await bears("kept", [CLEANUP_FINALIZER]);
  // It does not see the deletion as the leader: it asks as it ends.
  world.controller.pause();
  await world.client.remove(loadBalancers, LOADBALANCER_NAME, { namespace: SYSTEM });
  const ending = world.controller.end("SIGTERM");
  world.controller.resume();
  await ending;
  await bears("kept", []);
});
