/** The controller process against a real API server: addresses given, kept, freed, adopted, and by one leader only. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import {
  FORWARDING_CONDITION,
  type ForwardingIds,
  forwardingIdsOf,
  MAX_FORWARDING_ID,
} from "#api/forwarding-ids.ts";
import {
  ANNOTATION_ADDRESSES,
  ANNOTATION_ALLOCATED_FROM,
  ANNOTATION_SHARING_KEY,
  LOADBALANCER_NAME,
} from "#api/names.ts";
import { loadBalancers, type Service, services, speakerStatuses } from "#common/kube/resource.ts";
import { watchBars } from "#test/bar.ts";
import { ControllerProcess, SYSTEM } from "#test/integration/controller-process.ts";
import { ControllerWorld, ipsOf, LONG } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

let world: ControllerWorld;
before(async () => {
  world = await ControllerWorld.start();
});
after(() => world?.[Symbol.asyncDispose]());
beforeEach(() => world.begin());
afterEach(() => world.clear());

/** The Service once it has so many addresses. */
function allocated(name: string, count = 1): Promise<Service> {
  return until(
    `${name} to have ${count} addresses`,
    async () => {
      const found = await world.service(name);
      return ipsOf(found).length === count && found;
    },
    LONG,
  );
}

function pending(name: string, reason: string): Promise<Service> {
  return until(
    `${name} to be pending: ${reason}`,
    async () => {
      const found = await world.service(name);
      const condition = found.status?.conditions?.find(({ type }) => type === "genkan.dev/AddressAllocated");
      return condition?.status === "False" && condition.reason === reason && found;
    },
    LONG,
  );
}

const idsOf = (found: Service): ForwardingIds => forwardingIdsOf(found.status?.conditions);

test("an IPv4 Service gets the first address, ipMode, ids, log line and event, in one write", async () => {
  await world.addPool("web", ["172.22.0.201-172.22.0.202"]);
  await world.addService("one");
  const found = await allocated("one");
  assert.deepEqual(found.status?.loadBalancer?.ingress, [{ ip: "172.22.0.201", ipMode: "Proxy" }]);
  assert.equal(found.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM], "web");
  assert.deepEqual(Object.keys(idsOf(found)), ["IPv4/TCP/80"]);
  assert.deepEqual(
    found.status?.conditions?.map(({ type }) => type),
    [FORWARDING_CONDITION],
  );
  const writers = found.metadata.managedFields as { manager: string; subresource?: string }[];
  assert.deepEqual(
    writers.filter(({ manager }) => manager === "genkan-controller").map(({ subresource }) => subresource),
    ["status"],
  );
  const record = await until(
    "the log line",
    () => world.controller.records("ipAllocated", `${world.namespace}/one`)[0],
  );
  assert.equal(record.msg, "IP address assigned by controller");
  assert.equal(record.ip, "172.22.0.201");
  assert.equal(record.pool, "web");
  await until("the event", async () => {
    return (await world.events()).some(
      (event) => event.reason === "IPAllocated" && event.message?.includes("172.22.0.201"),
    );
  });
});

test("IPv6, dual stack required and preferred: both from one pool, IPv4 first; one family where that is all", async () => {
  await world.addPool("both", ["10.1.0.0/30", "fd10::/126"]);
  await world.addService("six", { ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" });
  await world.addService("required", { ipFamilies: ["IPv6", "IPv4"], ipFamilyPolicy: "RequireDualStack" });
  assert.deepEqual(
    ipsOf(await allocated("six")).map((ip) => ip.includes(":")),
    [true],
  );
  const required = await allocated("required", 2);
  assert.deepEqual(
    ipsOf(required).map((ip) => ip.includes(":")),
    [false, true],
  );
  assert.deepEqual(Object.keys(idsOf(required)), ["IPv4/TCP/80", "IPv6/TCP/80"]);
  await world.changePool("both", { addresses: ["10.1.0.0/30", "fd10::1-fd10::2"] });
  await world.addService("preferred", { ipFamilyPolicy: "PreferDualStack" });
  assert.deepEqual(ipsOf(await allocated("preferred")).length, 1);
  await world.addService("strict", { ipFamilyPolicy: "RequireDualStack" });
  await pending("strict", "PoolExhausted");
});

test("an exhausted pool leaves the Service pending; a freed address wakes it, and nobody else moves", async () => {
  await world.addPool("tiny", ["10.2.0.1/32"]);
  await world.addService("first");
  await allocated("first");
  await world.addService("second");
  const waiting = await pending("second", "PoolExhausted");
  assert.match(waiting.status?.conditions?.[0]?.message ?? "", /AddressPool "tiny": no free IPv4 address/);
  await until("the event of the refusal", async () => {
    return (await world.events()).some(
      ({ reason, message }) => reason === "AllocationFailed" && message?.startsWith("PoolExhausted: "),
    );
  });
  const full = await until("the pool to say so", async () => {
    const found = await world.pool("tiny");
    return found?.status?.assignedIPv4 === 1 && found;
  });
  assert.equal(full.status?.availableIPv4, 0);
  assert.equal(full.status?.conditions?.find(({ type }) => type === "Valid")?.status, "True");
  await world.removeService("first");
  const woken = await allocated("second");
  assert.deepEqual(ipsOf(woken), ["10.2.0.1"]);
  assert.deepEqual(
    woken.status?.conditions?.map(({ type }) => type),
    [FORWARDING_CONDITION],
  );
});

test("what is no longer ours is cleared: another type; a foreign class is never touched", async () => {
  await world.addPool("web", ["10.3.0.0/24"]);
  await world.addService("foreign", { loadBalancerClass: "other.example/lb" });
  await world.addService("ours");
  await allocated("ours");
  await world.changeService("ours", { spec: { type: "ClusterIP" } });
  const cleared = await until("the Service to be cleared", async () => {
    const found = await world.service("ours");
    return Object.keys(idsOf(found)).length === 0 && found;
  });
  assert.deepEqual(ipsOf(cleared), []);
  assert.equal(cleared.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM], undefined);
  // A later one has an address by now, so the foreign one was seen and passed over.
  await world.addService("later");
  assert.deepEqual(ipsOf(await allocated("later")), ["10.3.0.0"]);
  const foreign = await world.service("foreign");
  assert.deepEqual([foreign.status, foreign.metadata.annotations], [{ loadBalancer: {} }, undefined]);
});

test("requested addresses: given, refused with field and value, and shared under one key", async () => {
  await world.addPool("web", ["10.4.0.0/24"]);
  await world.addService("asks", { loadBalancerIP: "10.4.0.77" });
  assert.deepEqual(ipsOf(await allocated("asks")), ["10.4.0.77"]);
  await world.addService(
    "twice",
    { loadBalancerIP: "10.4.0.78" },
    { [ANNOTATION_ADDRESSES[1]]: "10.4.0.79" },
  );
  const both = await pending("twice", "ConflictingRequest");
  assert.match(
    both.status?.conditions?.[0]?.message ?? "",
    /spec\.loadBalancerIP is "10\.4\.0\.78".*metallb\.io\/loadBalancerIPs/,
  );
  await world.addService("taken", {}, { [ANNOTATION_ADDRESSES[0]]: "10.4.0.77" });
  await pending("taken", "AddressInUse");
  const key = { [ANNOTATION_SHARING_KEY[0]]: "k" };
  await world.addService("a", {}, key);
  await allocated("a");
  await world.addService("b", { ports: [{ port: 443, protocol: "TCP" }] }, key);
  assert.deepEqual(ipsOf(await allocated("b")), ipsOf(await world.service("a")));
});

test("wrong status is corrected, and an unchanged Service is not written again", async () => {
  await world.addPool("web", ["10.5.0.0/24"]);
  await world.addService("one");
  const { metadata } = await allocated("one");
  await world.client.patch(services, {
    name: "one",
    namespace: world.namespace,
    type: "merge",
    subresource: "status",
    body: { status: { loadBalancer: { ingress: [{ ip: "9.9.9.9" }] } } },
  });
  await until("the status to be put right", async () => ipsOf(await world.service("one"))[0] === "10.5.0.0");
  const { metadata: after } = await world.service("one");
  assert.notEqual(after.resourceVersion, metadata.resourceVersion);
  await world.addService("other");
  await allocated("other");
  assert.equal((await world.service("one")).metadata.resourceVersion, after.resourceVersion);
});

test("an invalid pool says why in its status and gives nothing; the rest goes on working", async () => {
  await world.addPool("first", ["10.6.0.0/24"]);
  await until("the first to be judged", async () => (await world.pool("first"))?.status);
  await world.addPool("second", ["10.6.0.128/25", "10.7.0.0/24"], { serviceAllocation: { priority: 1 } });
  const refused = await until("the second to be judged", async () => {
    const found = await world.pool("second");
    return found?.status?.conditions?.find(({ type, status }) => type === "Valid" && status === "False");
  });
  assert.match(
    refused.message,
    /spec\.addresses\[0\]: 10\.6\.0\.128\/25 overlaps 10\.6\.0\.0\/24 of AddressPool "first"/,
  );
  await world.addService("one");
  assert.deepEqual(ipsOf(await allocated("one")), ["10.6.0.0"]);
});

test("a pool that is renamed moves nothing; one that goes away re-homes its Service, and says why", async () => {
  await world.addPool("old", ["10.8.0.5/32"]);
  await world.addService("one");
  await allocated("one");
  await world.removePool("old");
  await world.addPool("new", ["10.8.0.4/31"]);
  await until("the annotation to name the new pool", async () => {
    const found = await world.service("one");
    assert.deepEqual(ipsOf(found), ["10.8.0.5"]);
    return found.metadata.annotations?.[ANNOTATION_ALLOCATED_FROM] === "new";
  });
  await world.changePool("new", { addresses: ["10.9.0.0/24"] });
  await world.has("one", "10.9.0.0");
  await until("the event", async () => {
    return (await world.events()).some(({ message }) => message?.includes("10.8.0.5 is in no AddressPool"));
  });
});

/** As the operator and the speaker of the only node write it. */
async function speakersForward(): Promise<void> {
  const { client } = world;
  const namespace = SYSTEM;
  await client.patch(loadBalancers, {
    ...{ name: LOADBALANCER_NAME, namespace, type: "merge", subresource: "status" },
    body: { status: { speakers: { desired: 1, ready: 1 } } },
  });
  const balancer = await client.get(loadBalancers, LOADBALANCER_NAME, SYSTEM);
  await client.create(speakerStatuses, { metadata: { name: "n1", namespace } });
  const condition = { type: "ForwardingReady", status: "True", reason: "Programmed", message: "" };
  await client.patch(speakerStatuses, {
    ...{ name: "n1", namespace, type: "merge", subresource: "status" },
    body: {
      status: {
        observedGeneration: balancer?.metadata.generation,
        forwarding: { mode: "IPVS", programmed: true },
        conditions: [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }],
      },
    },
  });
}

test("a restarted controller adopts what it finds; mode KubeProxy writes ipMode VIP, and IPVS waits for speakers", async () => {
  await world.addPool("web", ["10.10.0.0/24"]);
  await world.addService("gone");
  await allocated("gone");
  await world.addService("stays");
  const before = await allocated("stays");
  await world.controller.end("SIGTERM");
  await world.removeService("gone");
  await world.addService("new");
  world.controller = await new ControllerProcess("c1", world.plane.plane.kubeconfig).started();
  assert.deepEqual(ipsOf(await allocated("new")), ["10.10.0.0"]);
  const kept = await world.service("stays");
  assert.equal(kept.metadata.resourceVersion, before.metadata.resourceVersion);
  const mode = (value: string): Promise<unknown> =>
    world.client.patch(loadBalancers, {
      name: "loadbalancer",
      namespace: SYSTEM,
      type: "merge",
      body: { spec: { forwarding: { mode: value } } },
    });
  await mode("KubeProxy");
  await until(
    "ipMode VIP",
    async () => (await world.service("stays")).status?.loadBalancer?.ingress?.[0]?.ipMode === "VIP",
  );
  await mode("IPVS");
  await world.addService("newer");
  await allocated("newer");
  const told = (await world.service("stays")).status?.loadBalancer?.ingress?.[0]?.ipMode;
  assert.equal(told, "VIP", "no speaker forwards yet");
  await speakersForward();
  await until(
    "ipMode Proxy",
    async () => (await world.service("stays")).status?.loadBalancer?.ingress?.[0]?.ipMode === "Proxy",
  );
});

test("an id that an older build gave, and that no mark holds now, is given anew at the start; nothing else changes", async () => {
  await world.addPool("web", ["10.14.0.0/24"]);
  await world.addService("high");
  const { status } = await allocated("high");
  await world.addService("stays");
  const other = await allocated("stays");
  await world.controller.end("SIGTERM");
  const conditions = status?.conditions?.map((condition) => ({
    ...condition,
    message: condition.message?.replace(/=\d+/, `=${MAX_FORWARDING_ID + 1}`),
  }));
  await world.client.patch(services, {
    ...{ name: "high", namespace: world.namespace, type: "merge", subresource: "status" },
    body: { status: { conditions } },
  });
  assert.deepEqual(idsOf(await world.service("high")), {}, "speakers forward nothing by it");
  world.controller = await new ControllerProcess("c1", world.plane.plane.kubeconfig).started();
  const given = await until("an id", async () => Object.values(idsOf(await world.service("high")))[0], LONG);
  assert.ok(!Object.values(idsOf(other)).includes(given));
  assert.deepEqual((await world.service("high")).status?.loadBalancer, status?.loadBalancer);
  assert.equal((await world.service("stays")).metadata.resourceVersion, other.metadata.resourceVersion);
});

test("what whoever edits Services can write changes no id: no annotation, and no status either", async () => {
  await world.addPool("web", ["10.11.0.0/24"]);
  await world.addService("original");
  const original = await allocated("original");
  await world.addService("copy", {}, { "genkan.dev/forwarding-ids": JSON.stringify(idsOf(original)) });
  const copy = await allocated("copy");
  assert.notDeepEqual(idsOf(copy), idsOf(original));
  // As a user does it: the main resource, with a status in it.
  await world.changeService("copy", {
    metadata: { annotations: { [ANNOTATION_ALLOCATED_FROM]: "other" } },
    status: original.status ?? {},
  });
  await world.addService("later");
  await allocated("later");
  assert.deepEqual(idsOf(await world.service("copy")), idsOf(copy));
  assert.deepEqual(idsOf(await world.service("original")), idsOf(original));
});

test("of two replicas one allocates; when it is killed the other does, and no address is there twice", async () => {
  await world.addPool("web", ["10.12.0.0/24"]);
  await using second = await new ControllerProcess("c2", world.plane.plane.kubeconfig).started();
  const create = async (from: number, to: number): Promise<void> => {
    await Promise.all(Array.from({ length: to - from }, (_, at) => world.addService(`s${from + at}`)));
  };
  await create(0, 20);
  const burst = create(20, 40);
  await world.controller.end("SIGKILL");
  const bars = await watchBars();
  const killedAt = performance.now();
  await burst;
  await until("the second to lead", () => second.leads, LONG);
  const tookMs = performance.now() - killedAt;
  await bars.hold("the way from death to leading", tookMs, 10_000);
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => allocated(`s${at}`)));
  assert.equal(new Set(all.flatMap(ipsOf)).size, 40);
  assert.equal(new Set(all.flatMap((each) => Object.values(idsOf(each)))).size, 40);
  world.controller = await new ControllerProcess("c3", world.plane.plane.kubeconfig).started();
  await second.end("SIGTERM");
  await until("the third to lead", () => world.controller.leads, LONG);
  await world.addService("last");
  assert.deepEqual(ipsOf(await allocated("last")), ["10.12.0.40"]);
});

test("after the API server was away, nothing has changed and allocation goes on", async () => {
  await world.addPool("web", ["10.13.0.0/24"]);
  await world.addService("stays");
  const before = await allocated("stays");
  await world.plane.plane.stopProgram("kube-apiserver");
  // Longer than the Lease: leadership is lost, and has to be won again.
  await until("leadership to be lost", () => !world.controller.leads, LONG);
  await world.plane.plane.startProgram("kube-apiserver");
  await world.addService("new");
  assert.deepEqual(ipsOf(await allocated("new")), ["10.13.0.1"]);
  assert.equal((await world.service("stays")).metadata.resourceVersion, before.metadata.resourceVersion);
});
