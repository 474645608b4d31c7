/** A tenant who writes as fast as he can, and another one who makes one Service meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOTATION_SHARING_KEY, DEFAULT_NAMESPACE, LOADBALANCER_NAME } from "#api/names.ts";
import { NOTHING_RESERVED } from "#api/reserved.ts";
import { systemClock } from "#common/clock.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { addressPools, loadBalancers, namespaces, type Service, services } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { NO_SPANS } from "#common/trace/exporter.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { SpeakerRecord } from "#controller/status/handover.ts";
import type { LoadBalancerRecord } from "#controller/stores.ts";
import { runTerm, Term } from "#controller/term.ts";
import { addressesOf, record } from "#controller/testing/records.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

const namespace = DEFAULT_NAMESPACE;
const quiet = {
  spans: NO_SPANS,
  log: silentLogger,
  events: { emit: () => undefined },
  namespace,
};
const POOL = { metadata: { name: "a", namespace }, spec: { protocol: "layer2", addresses: ["10.0.0.0/16"] } };

/** Services of the tenant who writes, all of them changed without end. */
const MANY = 1_000;
/** Writes for him between another's Service and its address: those under way, and a turn or two. */
const FEW = 32;

test("a tenant who changes 1,000 Services without end delays another's first address by a few writes", async (t) => {
  await using server = await FakeApiServer.start();
  const service = (owner: string, name: string, key?: string): void => {
    const before = server.get(services, `${owner}/${name}`);
    const annotations = key === undefined ? {} : { [ANNOTATION_SHARING_KEY[0]]: key };
    server.put(services, {
      metadata: { name, namespace: owner, creationTimestamp: "2026-01-01T00:00:00Z", annotations },
      spec: {
        type: "LoadBalancer",
        ipFamilies: ["IPv4"],
        ports: [{ name: "http", protocol: "TCP", port: 80 }],
      },
      ...(before?.status !== undefined && { status: before.status }),
    } as unknown as Service);
  };
  const hasAddress = (key: string): boolean =>
    server.get(services, key)?.status?.loadBalancer?.ingress?.[0]?.ip !== undefined;
  for (const name of ["red", "blue"]) server.put(namespaces, { metadata: { name } });
  server.put(addressPools, POOL as never);
  server.put(loadBalancers, { metadata: { name: LOADBALANCER_NAME, namespace }, spec: {} } as never);
  for (let at = 0; at < MANY; at += 1) service("red", `s${at}`);
  const client = createKubeClient(server.connection);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const options = { ...quiet, client, clock: systemClock, random: systemRandom };
  const ended = runTerm(options, stop.signal);
  await until("all of them to have addresses", () => hasAddress(`red/s${MANY - 1}`), { deadlineMs: 60_000 });

  // Each of the controller's writes is answered by another change at once: its queue never gets shorter.
  let changes = 0;
  const change = (): void => service("red", `s${changes % MANY}`, `key-${changes++}`);
  const patches = (path: string): number[] =>
    server.requests.flatMap((seen, at) => (seen.method === "PATCH" && seen.path.includes(path) ? [at] : []));
  let answered = 0;
  const cancel = server.objects.onChange(() => {
    const written = patches("/namespaces/red/services/").length;
    for (; answered < written; answered += 1) queueMicrotask(change);
  });
  server.requests.length = 0;
  for (let at = 0; at < MANY; at += 1) change();
  await until("the controller to be busy with him", () => answered > FEW, { deadlineMs: 30_000 });
  const from = server.requests.length;
  service("blue", "one");
  await until("her Service to have an address", () => hasAddress("blue/one"), { deadlineMs: 60_000 });
  cancel();
  const [hers = Number.POSITIVE_INFINITY] = patches("/namespaces/blue/services/one/");
  const his = patches("/namespaces/red/services/").filter((at) => at >= from && at < hers).length;
  assert.ok(his <= FEW, `${his} writes for him came first`);
  stop.abort();
  await ended;
  client.close();
});

/** Time that also passes while something is done. */
class BusyClock extends FakeClock {
  busyMs = 0;

  override now(): number {
    return super.now() + this.busyMs;
  }
}

test("who frees something in a loop has those who wait looked at for a share of the time only", async (t) => {
  const clock = new BusyClock();
  const serviceStore = new Store<ServiceRecord>();
  const stores = {
    services: serviceStore,
    servicesIn: serviceStore.addIndex((each) => [each.namespace]),
    pools: new Store<never>(),
    loadBalancers: new Store<LoadBalancerRecord>(),
    speakers: new Store<SpeakerRecord>(),
    namespaces: new Store<Readonly<Record<string, string>>>(),
    reserved: { reserved: NOTHING_RESERVED, onChange: () => () => undefined },
  };
  stores.pools.set(`${namespace}/a`, {
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    ...POOL,
  } as never);
  stores.loadBalancers.set(`${namespace}/${LOADBALANCER_NAME}`, {
    metadata: { name: LOADBALANCER_NAME },
    spec: {},
  } as never);
  const put = (each: ServiceRecord): void => stores.services.set(each.key, each);
  const stop = new AbortController();
  t.after(() => stop.abort());
  // No write ever ends: what is settled is all that counts here.
  const patch = (): Promise<never> =>
    new Promise((_, reject) => stop.signal.addEventListener("abort", () => reject(new Error("stopped"))));
  const client = { patch } as unknown as KubeClient;
  const term = new Term({ ...quiet, client, clock, random: fixedRandom() }, stores as never);
  // Settling takes so long.
  const update = term.allocator.update.bind(term.allocator);
  term.allocator.update = (...args) => {
    clock.busyMs += 50;
    return update(...args);
  };
  put(record("busy", { loadBalancerIp: "10.0.0.9" }));
  put(record("waits", { loadBalancerIp: "10.0.0.9", createdAt: "2026-02-01T00:00:00Z" }));
  const ended = term.run(stop.signal);
  await clock.advance(0);
  assert.equal(term.allocator.outcome("default/waits")?.refusal?.reason, "AddressInUse");

  /** True if those who wait were looked at. */
  const toggle = async (port: string): Promise<boolean> => {
    const before = term.allocator.outcome("default/waits");
    put(record("busy", { loadBalancerIp: "10.0.0.9", ports: [port] }));
    await clock.advance(0);
    assert.deepEqual(term.allocator.outcome("default/busy")?.allocation?.ports, [port]);
    return term.allocator.outcome("default/waits") !== before;
  };
  assert.equal(await toggle("TCP/1"), true);
  assert.equal(await toggle("TCP/2"), false);
  put(record("new"));
  assert.equal(await toggle("TCP/3"), false);
  assert.deepEqual(addressesOf(term.allocator.outcome("default/new")), ["10.0.0.0"]);
  // What was owed is done later, with nobody asking.
  put(record("busy", { loadBalancerIp: "10.0.0.8" }));
  await clock.advance(0);
  assert.equal(term.allocator.outcome("default/waits")?.allocation, undefined);
  await clock.advance(1_000);
  assert.deepEqual(addressesOf(term.allocator.outcome("default/waits")), ["10.0.0.9"]);
  stop.abort();
  await ended;
});
