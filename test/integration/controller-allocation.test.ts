/** The controller process against a real API server: addresses given, kept, freed, adopted, and by one leader only. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import {
  ANNOTATION_ADDRESSES,
  ANNOTATION_ALLOCATED_FROM,
  ANNOTATION_FORWARDING_IDS,
  ANNOTATION_SHARING_KEY,
} from "#api/names.ts";
import {
  type AddressPool,
  addressPools,
  events,
  loadBalancers,
  type Service,
  services,
} from "#common/kube/resource.ts";
import { ControllerProcess, SYSTEM, startGenkan, startLeader } from "#test/integration/controller.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 15_000 } as const;

let plane: TestPlane;
let controller: ControllerProcess;
/** Of the present test: nothing is left over from one test to the next. */
let namespace = "";
let tests = 0;

before(async () => {
  plane = await startGenkan();
  controller = await startLeader(plane, "c0");
});

after(async () => {
  await controller?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  tests += 1;
  namespace = await plane.namespace(`test-${tests}`);
});

afterEach(async () => {
  for (const { metadata } of (await plane.client.list(services, { namespace })).items) {
    await plane.client.remove(services, metadata.name, { namespace });
  }
  for (const { metadata } of (await plane.client.list(addressPools)).items) {
    await plane.client.remove(addressPools, metadata.name, { namespace: SYSTEM });
  }
});

async function pool(
  name: string,
  addresses: readonly string[],
  spec: Partial<AddressPool["spec"]> = {},
): Promise<void> {
  await plane.client.create(addressPools, {
    metadata: { name, namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: [...addresses], ...spec } as AddressPool["spec"],
  });
}

type Spec = NonNullable<Service["spec"]>;

async function service(
  name: string,
  spec: Partial<Spec> = {},
  annotations: Record<string, string> = {},
): Promise<void> {
  await plane.client.create(services, {
    metadata: { name, namespace, annotations },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }], ...spec } as Spec,
  });
}

const read = async (name: string): Promise<Service> => {
  const found = await plane.client.get(services, name, namespace);
  assert.ok(found !== undefined, `Service ${name} is gone`);
  return found;
};
const ips = (found: Service): string[] =>
  (found.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");

/** The Service once it has so many addresses. */
function allocated(name: string, count = 1): Promise<Service> {
  return until(
    `${name} to have ${count} addresses`,
    async () => {
      const found = await read(name);
      return ips(found).length === count && found;
    },
    LONG,
  );
}

function pending(name: string, reason: string): Promise<Service> {
  return until(
    `${name} to be pending: ${reason}`,
    async () => {
      const found = await read(name);
      const condition = found.status?.conditions?.find(({ type }) => type === "genkan.dev/AddressAllocated");
      return condition?.status === "False" && condition.reason === reason && found;
    },
    LONG,
  );
}

const idsOf = (found: Service): Record<string, number> =>
  JSON.parse(found.metadata.annotations?.[ANNOTATION_FORWARDING_IDS] ?? "{}") as Record<string, number>;

test("an IPv4 Service gets the first address, ipMode, ids, log line and event, in one write", async () => {
  await pool("web", ["172.22.0.201-172.22.0.202"]);
  await service("one");
  const found = await allocated("one");
  assert.deepEqual(found.status?.loadBalancer?.ingress, [{ ip: "172.22.0.201", ipMode: "Proxy" }]);
  assert.equal(found.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM], "web");
  assert.deepEqual(Object.keys(idsOf(found)), ["IPv4/TCP/80"]);
  assert.equal(found.status?.conditions, undefined);
  const writers = found.metadata.managedFields as { manager: string; subresource?: string }[];
  assert.deepEqual(
    writers.filter(({ manager }) => manager === "genkan-controller").map(({ subresource }) => subresource),
    ["status"],
  );
  const record = await until("the log line", () => controller.records("ipAllocated", `${namespace}/one`)[0]);
  assert.equal(record.msg, "IP address assigned by controller");
  assert.equal(record.ip, "172.22.0.201");
  assert.equal(record.pool, "web");
  await until("the event", async () => {
    const { items } = await plane.client.list(events, { namespace });
    return items.some((event) => event.reason === "IPAllocated" && event.message?.includes("172.22.0.201"));
  });
});

test("IPv6, dual stack required and preferred: both from one pool, IPv4 first; one family where that is all", async () => {
  await pool("both", ["10.1.0.0/30", "fd10::/126"]);
  await service("six", { ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" });
  await service("required", { ipFamilies: ["IPv6", "IPv4"], ipFamilyPolicy: "RequireDualStack" });
  assert.deepEqual(
    ips(await allocated("six")).map((ip) => ip.includes(":")),
    [true],
  );
  const required = await allocated("required", 2);
  assert.deepEqual(
    ips(required).map((ip) => ip.includes(":")),
    [false, true],
  );
  assert.deepEqual(Object.keys(idsOf(required)), ["IPv4/TCP/80", "IPv6/TCP/80"]);
  await plane.client.patch(addressPools, {
    name: "both",
    namespace: SYSTEM,
    type: "merge",
    body: { spec: { addresses: ["10.1.0.0/30", "fd10::-fd10::1"] } },
  });
  await service("preferred", { ipFamilyPolicy: "PreferDualStack" });
  assert.deepEqual(ips(await allocated("preferred")).length, 1);
  await service("strict", { ipFamilyPolicy: "RequireDualStack" });
  await pending("strict", "PoolExhausted");
});

test("an exhausted pool leaves the Service pending; a freed address wakes it, and nobody else moves", async () => {
  await pool("tiny", ["10.2.0.1/32"]);
  await service("first");
  await allocated("first");
  await service("second");
  const waiting = await pending("second", "PoolExhausted");
  assert.match(waiting.status?.conditions?.[0]?.message ?? "", /AddressPool "tiny": no free IPv4 address/);
  await until("the event of the refusal", async () => {
    const { items } = await plane.client.list(events, { namespace });
    return items.some(
      ({ reason, message }) => reason === "AllocationFailed" && message?.startsWith("PoolExhausted: "),
    );
  });
  const full = await until("the pool to say so", async () => {
    const found = await plane.client.get(addressPools, "tiny", SYSTEM);
    return found?.status?.assignedIPv4 === 1 && found;
  });
  assert.equal(full.status?.availableIPv4, 0);
  assert.equal(full.status?.conditions?.find(({ type }) => type === "Valid")?.status, "True");
  await plane.client.remove(services, "first", { namespace });
  const woken = await allocated("second");
  assert.deepEqual(ips(woken), ["10.2.0.1"]);
  assert.equal(woken.status?.conditions, undefined);
});

test("what is no longer ours is cleared: another type; a foreign class is never touched", async () => {
  await pool("web", ["10.3.0.0/24"]);
  await service("foreign", { loadBalancerClass: "other.example/lb" });
  await service("ours");
  await allocated("ours");
  await plane.client.patch(services, {
    name: "ours",
    namespace,
    type: "merge",
    body: { spec: { type: "ClusterIP" } },
  });
  const cleared = await until("the Service to be cleared", async () => {
    const found = await read("ours");
    return found.metadata.annotations?.[ANNOTATION_FORWARDING_IDS] === undefined && found;
  });
  assert.deepEqual(ips(cleared), []);
  assert.equal(cleared.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM], undefined);
  // A later one has an address by now, so the foreign one was seen and passed over.
  await service("later");
  assert.deepEqual(ips(await allocated("later")), ["10.3.0.0"]);
  const foreign = await read("foreign");
  assert.deepEqual([foreign.status, foreign.metadata.annotations], [{ loadBalancer: {} }, undefined]);
});

test("requested addresses: given, refused with field and value, and shared under one key", async () => {
  await pool("web", ["10.4.0.0/24"]);
  await service("asks", { loadBalancerIP: "10.4.0.77" });
  assert.deepEqual(ips(await allocated("asks")), ["10.4.0.77"]);
  await service("twice", { loadBalancerIP: "10.4.0.78" }, { [ANNOTATION_ADDRESSES[1]]: "10.4.0.79" });
  const both = await pending("twice", "ConflictingRequest");
  assert.match(
    both.status?.conditions?.[0]?.message ?? "",
    /spec\.loadBalancerIP is "10\.4\.0\.78".*metallb\.io\/loadBalancerIPs/,
  );
  await service("taken", {}, { [ANNOTATION_ADDRESSES[0]]: "10.4.0.77" });
  await pending("taken", "AddressInUse");
  const key = { [ANNOTATION_SHARING_KEY[0]]: "k" };
  await service("a", {}, key);
  await allocated("a");
  await service("b", { ports: [{ port: 443, protocol: "TCP" }] }, key);
  assert.deepEqual(ips(await allocated("b")), ips(await read("a")));
});

test("wrong status is corrected, and an unchanged Service is not written again", async () => {
  await pool("web", ["10.5.0.0/24"]);
  await service("one");
  const { metadata } = await allocated("one");
  await plane.client.patch(services, {
    name: "one",
    namespace,
    type: "merge",
    subresource: "status",
    body: { status: { loadBalancer: { ingress: [{ ip: "9.9.9.9" }] } } },
  });
  await until("the status to be put right", async () => ips(await read("one"))[0] === "10.5.0.0");
  const { metadata: after } = await read("one");
  assert.notEqual(after.resourceVersion, metadata.resourceVersion);
  await service("other");
  await allocated("other");
  assert.equal((await read("one")).metadata.resourceVersion, after.resourceVersion);
});

test("an invalid pool says why in its status and gives nothing; the rest goes on working", async () => {
  await pool("first", ["10.6.0.0/24"]);
  await until(
    "the first to be judged",
    async () => (await plane.client.get(addressPools, "first", SYSTEM))?.status,
  );
  await pool("second", ["10.6.0.128/25", "10.7.0.0/24"], { serviceAllocation: { priority: 1 } });
  const refused = await until("the second to be judged", async () => {
    const found = await plane.client.get(addressPools, "second", SYSTEM);
    return found?.status?.conditions?.find(({ type, status }) => type === "Valid" && status === "False");
  });
  assert.match(
    refused.message,
    /spec\.addresses\[0\]: 10\.6\.0\.128\/25 overlaps 10\.6\.0\.0\/24 of AddressPool "first"/,
  );
  await service("one");
  assert.deepEqual(ips(await allocated("one")), ["10.6.0.0"]);
});

test("a pool that is renamed moves nothing; one that goes away re-homes its Service, and says why", async () => {
  await pool("old", ["10.8.0.5/32"]);
  await service("one");
  await allocated("one");
  await plane.client.remove(addressPools, "old", { namespace: SYSTEM });
  await pool("new", ["10.8.0.4/31"]);
  await until("the annotation to name the new pool", async () => {
    const found = await read("one");
    assert.deepEqual(ips(found), ["10.8.0.5"]);
    return found.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM] === "new";
  });
  await plane.client.patch(addressPools, {
    name: "new",
    namespace: SYSTEM,
    type: "merge",
    body: { spec: { addresses: ["10.9.0.0/24"] } },
  });
  await until(
    "the Service to have another address",
    async () => ips(await read("one"))[0] === "10.9.0.0",
    LONG,
  );
  await until("the event", async () => {
    const { items } = await plane.client.list(events, { namespace });
    return items.some(({ message }) => message?.includes("10.8.0.5 is in no AddressPool"));
  });
});

test("a restarted controller adopts what it finds; mode KubeProxy writes ipMode VIP", async () => {
  await pool("web", ["10.10.0.0/24"]);
  await service("gone");
  await allocated("gone");
  await service("stays");
  const before = await allocated("stays");
  await controller.end("SIGTERM");
  await plane.client.remove(services, "gone", { namespace });
  await service("new");
  controller = await new ControllerProcess("c1", plane.plane.kubeconfig).started();
  assert.deepEqual(ips(await allocated("new")), ["10.10.0.0"]);
  const kept = await read("stays");
  assert.equal(kept.metadata.resourceVersion, before.metadata.resourceVersion);
  const mode = (value: string): Promise<unknown> =>
    plane.client.patch(loadBalancers, {
      name: "loadbalancer",
      namespace: SYSTEM,
      type: "merge",
      body: { spec: { forwarding: { mode: value } } },
    });
  await mode("KubeProxy");
  await until(
    "ipMode VIP",
    async () => (await read("stays")).status?.loadBalancer?.ingress?.[0]?.ipMode === "VIP",
  );
  await mode("IPVS");
  await until(
    "ipMode Proxy",
    async () => (await read("stays")).status?.loadBalancer?.ingress?.[0]?.ipMode === "Proxy",
  );
});

test("a copied ids annotation is put right: the older Service keeps its ids", async () => {
  await pool("web", ["10.11.0.0/24"]);
  await service("original");
  const original = await allocated("original");
  await service(
    "copy",
    {},
    { [ANNOTATION_FORWARDING_IDS]: original.metadata.annotations?.[ANNOTATION_FORWARDING_IDS] ?? "" },
  );
  const copy = await allocated("copy");
  assert.notDeepEqual(idsOf(copy), idsOf(original));
  assert.deepEqual(idsOf(await read("original")), idsOf(original));
});

test("of two replicas one allocates; when it is killed the other does, and no address is there twice", async () => {
  await pool("web", ["10.12.0.0/24"]);
  await using second = await new ControllerProcess("c2", plane.plane.kubeconfig).started();
  const create = async (from: number, to: number): Promise<void> => {
    await Promise.all(Array.from({ length: to - from }, (_, at) => service(`s${from + at}`)));
  };
  await create(0, 20);
  const burst = create(20, 40);
  await controller.end("SIGKILL");
  const killedAt = performance.now();
  await burst;
  await until("the second to lead", () => second.leads, LONG);
  const tookMs = performance.now() - killedAt;
  assert.ok(tookMs < 10_000, `the second leads only after ${Math.round(tookMs)} ms`);
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => allocated(`s${at}`)));
  assert.equal(new Set(all.flatMap(ips)).size, 40);
  assert.equal(new Set(all.flatMap((each) => Object.values(idsOf(each)))).size, 40);
  controller = await new ControllerProcess("c3", plane.plane.kubeconfig).started();
  await second.end("SIGTERM");
  await until("the third to lead", () => controller.leads, LONG);
  await service("last");
  assert.deepEqual(ips(await allocated("last")), ["10.12.0.40"]);
});

test("after the API server was away, nothing has changed and allocation goes on", async () => {
  await pool("web", ["10.13.0.0/24"]);
  await service("stays");
  const before = await allocated("stays");
  await plane.plane.stopProgram("kube-apiserver");
  // Longer than the Lease: leadership is lost, and has to be won again.
  await until("leadership to be lost", () => !controller.leads, LONG);
  await plane.plane.startProgram("kube-apiserver");
  await service("new");
  assert.deepEqual(ips(await allocated("new")), ["10.13.0.1"]);
  assert.equal((await read("stays")).metadata.resourceVersion, before.metadata.resourceVersion);
});
