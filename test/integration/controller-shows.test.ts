/** What people see of allocation, with kubectl and in events; and what they do not see: addresses that move. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { ANNOTATION_ALLOCATED_FROM, ANNOTATION_FORWARDING_IDS, ANNOTATION_POOL } from "#api/names.ts";
import { type AddressPool, addressPools, events, type Service, services } from "#common/kube/resource.ts";
import { type ControllerProcess, SYSTEM, startGenkan, startLeader } from "#test/integration/controller.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LONG = { deadlineMs: 15_000 } as const;

let plane: TestPlane;
let controller: ControllerProcess;
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
  namespace = await plane.namespace(`shows-${tests}`);
});
afterEach(async () => {
  for (const { metadata } of (await plane.client.list(services, { namespace })).items) {
    await plane.client.remove(services, metadata.name, { namespace });
  }
  for (const { metadata } of (await plane.client.list(addressPools)).items) {
    await plane.client.remove(addressPools, metadata.name, { namespace: SYSTEM });
  }
});

const pool = (name: string, addresses: string[], spec: Partial<AddressPool["spec"]> = {}): Promise<unknown> =>
  plane.client.create(addressPools, {
    metadata: { name, namespace: SYSTEM },
    spec: { protocol: "layer2", addresses, ...spec } as AddressPool["spec"],
  });
const changePool = (name: string, spec: Partial<AddressPool["spec"]>): Promise<unknown> =>
  plane.client.patch(addressPools, { name, namespace: SYSTEM, type: "merge", body: { spec } });

type Spec = NonNullable<Service["spec"]>;
const service = (name: string, spec: Partial<Spec> = {}): Promise<unknown> =>
  plane.client.create(services, {
    metadata: { name, namespace },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }], ...spec } as Spec,
  });
const change = (name: string, body: object): Promise<unknown> =>
  plane.client.patch(services, { name, namespace, type: "merge", body });

async function read(name: string): Promise<Service> {
  const found = await plane.client.get(services, name, namespace);
  assert.ok(found !== undefined, `Service ${name} is gone`);
  return found;
}
const addressesOf = ({ status }: Service): string =>
  (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(" ");
const has = (name: string, addresses: string): Promise<unknown> =>
  until(`${name} to have ${addresses}`, async () => addressesOf(await read(name)) === addresses, LONG);

/** `Warning IPReleased x2: ...` of each event about the Service, in the order of their making. */
async function told(name: string): Promise<string[]> {
  const { items } = await plane.client.list(events, { namespace });
  return items
    .filter(({ involvedObject }) => involvedObject.name === name)
    .sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
    .map(
      ({ type, reason, count, message }) => `${type} ${reason}${count === 1 ? "" : ` x${count}`}: ${message}`,
    );
}

/** Every address that Services of the namespace were ever seen with, by a watch that misses nothing. */
class Witness {
  readonly seen = new Map<string, string[]>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor() {
    this.#watching = this.#watch();
  }

  async #watch(): Promise<void> {
    const { resourceVersion } = await plane.client.list(services, { namespace });
    const options = { namespace, resourceVersion };
    for await (const event of plane.client.watch(services, options, this.#stop.signal)) {
      if (event.type === "BOOKMARK") continue;
      const { name } = event.object.metadata;
      const list = this.seen.get(name) ?? [];
      const now = addressesOf(event.object) || "none";
      if (list.at(-1) !== now) this.seen.set(name, [...list, now]);
    }
  }

  end(): Promise<void> {
    this.#stop.abort();
    return this.#watching;
  }
}

const from = (name: string, wanted: string): Promise<unknown> =>
  until(
    `${name} to be of pool ${wanted}`,
    async () => (await read(name)).metadata.annotations?.[ANNOTATION_ALLOCATED_FROM] === wanted,
    LONG,
  );

/** The table that kubectl prints, its cells apart. */
async function table(...more: string[]): Promise<string[][]> {
  const argv = ["--kubeconfig", plane.plane.kubeconfig, "get", "addresspools", "-n", SYSTEM, ...more];
  const { stdout } = await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, argv);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}

test("kubectl get addresspools: protocol, auto, assigned, available, age; addresses with -o wide", async () => {
  await pool("a", ["10.1.0.0/30", "fd01::/126"]);
  await pool("b", ["10.2.0.0/31"], { protocol: "bgp", autoAssign: false });
  await service("one");
  await has("one", "10.1.0.0");
  await service("both", { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" });
  await has("both", "10.1.0.1 fd01::");
  await until(
    "the counts",
    async () => {
      const rows = await table();
      assert.deepEqual(
        rows.map((row) => row.slice(0, -1)),
        [
          ["NAME", "PROTOCOL", "AUTO", "ASSIGNED4", "AVAILABLE4", "ASSIGNED6", "AVAILABLE6"],
          ["a", "layer2", "true", "2", "2", "1", "3"],
          ["b", "bgp", "false", "0", "2", "0", "0"],
        ],
      );
      assert.equal(rows[0]?.at(-1), "AGE");
      assert.match(rows[1]?.at(-1) ?? "", /^\d+[smh]/);
      return true;
    },
    LONG,
  );
  const [head, first, second] = await table("-o", "wide");
  assert.deepEqual(head?.slice(7, 9), ["ADDRESSES", "VALID"]);
  assert.deepEqual(first?.slice(7, 9), ['["10.1.0.0/30","fd01::/126"]', "True"]);
  assert.deepEqual(second?.slice(7, 9), ['["10.2.0.0/31"]', "True"]);
  await plane.client.remove(services, "both", { namespace });
  await until("the count to sink", async () => (await table())[1]?.slice(3, 7).join() === "1,3,0,4", LONG);
});

test("events tell of changes and of nothing else, over restarts too", async () => {
  await pool("a", ["10.1.0.0/32"]);
  await service("one");
  await has("one", "10.1.0.0");
  await service("two");
  const expected = {
    one: ['Normal IPAllocated: Assigned 10.1.0.0 from AddressPool "a"'],
    two: ['Warning AllocationFailed: PoolExhausted: AddressPool "a": no free IPv4 address'],
  };
  const all = async () => ({ one: await told("one"), two: await told("two") });
  await until("both to be told of", async () => (await told("two")).length > 0, LONG);
  assert.deepEqual(await all(), expected);
  const [condition] = (await read("two")).status?.conditions ?? [];
  assert.deepEqual(
    [condition?.type, condition?.status, condition?.reason, condition?.message],
    ["genkan.dev/AddressAllocated", "False", "PoolExhausted", 'AddressPool "a": no free IPv4 address'],
  );
  const versions = async () => [
    (await read("one")).metadata.resourceVersion,
    (await read("two")).metadata.resourceVersion,
  ];
  for (const name of ["one", "two"]) await change(name, { metadata: { labels: { touched: "yes" } } });
  await changePool("a", { avoidBuggyIPs: false, serviceAllocation: { priority: 3 } });
  const before = await versions();
  await controller.end("SIGTERM");
  controller = await startLeader(plane, "c1");
  await pool("b", ["10.2.0.0/32"], { autoAssign: false });
  await service("last", { loadBalancerIP: "10.2.0.0" });
  await has("last", "10.2.0.0");
  await until("the last to be told of", async () => (await told("last")).length > 0, LONG);
  assert.deepEqual(await all(), expected);
  assert.deepEqual(await versions(), before);
});

test("a refused request clears the old address and says so; without it the Service is served again", async () => {
  await pool("a", ["10.1.0.0/24"]);
  await service("owner");
  await has("owner", "10.1.0.0");
  await service("asks");
  await has("asks", "10.1.0.1");
  await change("asks", { spec: { loadBalancerIP: "10.1.0.0" } });
  await has("asks", "");
  const found = await read("asks");
  assert.equal(found.metadata.annotations?.[ANNOTATION_FORWARDING_IDS], undefined);
  const words =
    "spec.loadBalancerIP: 10.1.0.0 refused: 10.1.0.0 is held by " +
    `Service ${namespace}/owner, which has no sharing key (annotation allow-shared-ip)`;
  const [condition] = found.status?.conditions ?? [];
  assert.deepEqual([condition?.reason, condition?.message], ["AddressInUse", words]);
  await until("both events", async () => (await told("asks")).length === 3, LONG);
  assert.deepEqual((await told("asks")).slice(1), [
    "Warning IPReleased: 10.1.0.1 is no longer this Service's address: spec.loadBalancerIP asks for 10.1.0.0 instead of 10.1.0.1",
    `Warning AllocationFailed: AddressInUse: ${words}`,
  ]);
  await change("asks", { spec: { loadBalancerIP: null } });
  await has("asks", "10.1.0.1");
  assert.equal((await read("asks")).status?.conditions, undefined);
  assert.equal(addressesOf(await read("owner")), "10.1.0.0");
});

test("a pool split in two, joined and renamed again: nothing moves, not for a moment", async () => {
  await pool("whole", ["10.1.0.0/24"]);
  await service("low");
  await service("high", { loadBalancerIP: "10.1.0.200" });
  await has("low", "10.1.0.0");
  await has("high", "10.1.0.200");
  const witness = new Witness();
  try {
    await changePool("whole", { addresses: ["10.1.0.0/25"] });
    await pool("upper", ["10.1.0.128/25"]);
    await from("high", "upper");
    await plane.client.remove(addressPools, "upper", { namespace: SYSTEM });
    await changePool("whole", { addresses: ["10.1.0.0/24"] });
    await from("high", "whole");
    await plane.client.remove(addressPools, "whole", { namespace: SYSTEM });
    await pool("renamed", ["10.1.0.0/24"]);
    await from("high", "renamed");
    await from("low", "renamed");
  } finally {
    await witness.end();
  }
  assert.deepEqual(Object.fromEntries(witness.seen), { low: ["10.1.0.0"], high: ["10.1.0.200"] });
});

test("a pool that shrinks re-homes the Service that it no longer covers, and that one alone", async () => {
  await pool("a", ["10.1.0.0/24"]);
  await service("inside");
  await service("outside", { loadBalancerIP: "10.1.0.200" });
  await has("inside", "10.1.0.0");
  await has("outside", "10.1.0.200");
  await change("outside", { spec: { loadBalancerIP: null } });
  const { metadata } = await read("inside");
  await changePool("a", { addresses: ["10.1.0.0/25"] });
  await has("outside", "10.1.0.1");
  assert.equal((await read("inside")).metadata.resourceVersion, metadata.resourceVersion);
  await until("the events", async () => (await told("outside")).length === 3, LONG);
  assert.deepEqual((await told("outside")).slice(1), [
    "Warning IPReleased: 10.1.0.200 is no longer this Service's address: 10.1.0.200 is in no AddressPool",
    'Normal IPAllocated: Assigned 10.1.0.1 from AddressPool "a"',
  ]);
});

test("a pool edited into what is refused says so and goes on with its last valid configuration", async () => {
  await pool("a", ["10.1.0.0/24"]);
  await pool("b", ["10.2.0.0/24"], { autoAssign: false });
  const asks = async (name: string): Promise<unknown> =>
    plane.client.create(services, {
      metadata: { name, namespace, annotations: { [ANNOTATION_POOL[0]]: "b" } },
      spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] } as Spec,
    });
  const valid = async (): Promise<string> => {
    const { status } = (await plane.client.get(addressPools, "b", SYSTEM)) ?? {};
    const condition = status?.conditions?.find(({ type }) => type === "Valid");
    return `${condition?.status} ${condition?.message}`.trim();
  };
  await asks("before");
  await has("before", "10.2.0.0");
  await changePool("b", { addresses: ["10.3.0.0/24", "10.1.0.128/25"] });
  const words = 'False spec.addresses[1]: 10.1.0.128/25 overlaps 10.1.0.0/24 of AddressPool "a"';
  await until("it to say so", async () => (await valid()) === words, LONG);
  await asks("after");
  await has("after", "10.2.0.1");
  assert.equal(addressesOf(await read("before")), "10.2.0.0");
  await changePool("b", { addresses: ["10.2.0.0/23"] });
  await until("it to be valid again", async () => (await valid()) === "True", LONG);
  assert.equal(addressesOf(await read("after")), "10.2.0.1");
});
