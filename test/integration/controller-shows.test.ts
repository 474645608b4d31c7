/** What people see of allocation, with kubectl and in events; and what they do not see: addresses that move. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { FORWARDING_CONDITION, forwardingIdsOf } from "#api/forwarding-ids.ts";
import { ANNOTATION_ALLOCATED_FROM, ANNOTATION_POOL, LOADBALANCER_NAME } from "#api/names.ts";
import { loadBalancers, type Service, services } from "#common/kube/resource.ts";
import { SYSTEM, startLeader } from "#test/integration/controller-process.ts";
import { ControllerWorld, ipsOf, LONG } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
let world: ControllerWorld;
before(async () => {
  world = await ControllerWorld.start();
});
after(() => world?.[Symbol.asyncDispose]());
beforeEach(() => world.begin());
afterEach(() => world.clear());

const addressesOf = (service: Service): string => ipsOf(service).join(" ");

/** `Warning IPReleased x2: ...` of each event about the Service, in the order of their making. */
async function told(name: string): Promise<string[]> {
  const items = await world.events();
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
  readonly #versions = new Map<string, string | undefined>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(resourceVersion: string) {
    this.#watching = this.#watch(resourceVersion);
  }

  static async begin(): Promise<Witness> {
    const { resourceVersion } = await world.client.list(services, { namespace: world.namespace });
    return new Witness(resourceVersion);
  }

  async #watch(resourceVersion: string): Promise<void> {
    const options = { namespace: world.namespace, resourceVersion };
    for await (const event of world.client.watch(services, options, this.#stop.signal)) {
      if (event.type === "BOOKMARK") continue;
      const { name, resourceVersion: version } = event.object.metadata;
      this.#versions.set(name, version);
      const list = this.seen.get(name) ?? [];
      const now = addressesOf(event.object) || "none";
      if (list.at(-1) !== now) this.seen.set(name, [...list, now]);
    }
  }

  /** Once it has seen the Services as they are now. */
  async caughtUp(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const isSeen = async () =>
        (await world.service(name)).metadata.resourceVersion === this.#versions.get(name);
      await until(`the witness to have seen ${name} as it is`, isSeen, LONG);
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
    async () => (await world.service(name)).metadata.annotations?.[ANNOTATION_ALLOCATED_FROM] === wanted,
    LONG,
  );

/** The table that kubectl prints, its cells apart. */
async function table(...more: string[]): Promise<string[][]> {
  const argv = ["--kubeconfig", world.plane.plane.kubeconfig, "get", "addresspools", "-n", SYSTEM, ...more];
  const { stdout } = await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, argv);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
}

test("kubectl get addresspools: protocol, auto, assigned, available, age; addresses with -o wide", async () => {
  await world.addPool("a", ["10.1.0.0/30", "fd01::/126"]);
  await world.addPool("b", ["10.2.0.0/31"], { protocol: "bgp", autoAssign: false });
  await world.addService("one");
  await world.has("one", "10.1.0.0");
  await world.addService("both", { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" });
  await world.has("both", "10.1.0.1 fd01::1");
  await until(
    "the counts",
    async () => {
      const rows = await table();
      assert.deepEqual(
        rows.map((row) => row.slice(0, -1)),
        [
          ["NAME", "PROTOCOL", "AUTO", "ASSIGNED4", "AVAILABLE4", "ASSIGNED6", "AVAILABLE6"],
          ["a", "layer2", "true", "2", "2", "1", "2"],
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
  await world.removeService("both");
  await until("the count to sink", async () => (await table())[1]?.slice(3, 7).join() === "1,3,0,3", LONG);
});

test("spec.logLevel counts at once, and the process goes on", async () => {
  const change = (logLevel: string | null) =>
    world.client.patch(loadBalancers, {
      ...{ name: LOADBALANCER_NAME, namespace: SYSTEM, type: "merge" },
      body: { spec: { logLevel } },
    });
  const { controller } = world;
  const heard = (level: string) =>
    until(
      `the level ${level}`,
      () => controller.logs.findLast(({ msg }) => msg === "log level")?.logLevel === level,
      LONG,
    );
  await heard("info");
  await change("debug");
  await heard("debug");
  await change(null);
  await heard("info");
  assert.ok(controller.leads);
  assert.equal(controller.logs.filter(({ msg }) => msg === "controller started").length, 1);
});

test("events tell of changes and of nothing else, over restarts too", async () => {
  await world.addPool("a", ["10.1.0.0/32"]);
  await world.addService("one");
  await world.has("one", "10.1.0.0");
  await world.addService("two");
  const expected = {
    one: ['Normal IPAllocated: Assigned 10.1.0.0 from AddressPool "a"'],
    two: ['Warning AllocationFailed: PoolExhausted: AddressPool "a": no free IPv4 address'],
  };
  const all = async () => ({ one: await told("one"), two: await told("two") });
  await until(
    "both to be told of",
    async () => {
      assert.deepEqual(await all(), expected);
      return true;
    },
    LONG,
  );
  const [condition] = (await world.service("two")).status?.conditions ?? [];
  assert.deepEqual(
    [condition?.type, condition?.status, condition?.reason, condition?.message],
    ["genkan.dev/AddressAllocated", "False", "PoolExhausted", 'AddressPool "a": no free IPv4 address'],
  );
  const versions = async () => [
    (await world.service("one")).metadata.resourceVersion,
    (await world.service("two")).metadata.resourceVersion,
  ];
  for (const name of ["one", "two"])
    await world.changeService(name, { metadata: { labels: { touched: "yes" } } });
  await world.changePool("a", { avoidBuggyIPs: false, serviceAllocation: { priority: 3 } });
  const before = await versions();
  await world.controller.end("SIGTERM");
  world.controller = await startLeader(world.plane, "c1");
  await world.addPool("b", ["10.2.0.0/32"], { autoAssign: false });
  await world.addService("last", { loadBalancerIP: "10.2.0.0" });
  await world.has("last", "10.2.0.0");
  await until("the last to be told of", async () => (await told("last")).length > 0, LONG);
  assert.deepEqual(await all(), expected);
  assert.deepEqual(await versions(), before);
});

test("a refused request clears the old address and says so; without it the Service is served again", async () => {
  await world.addPool("a", ["10.1.0.0/24"]);
  await world.addService("owner");
  await world.has("owner", "10.1.0.0");
  await world.addService("asks");
  await world.has("asks", "10.1.0.1");
  await world.changeService("asks", { spec: { loadBalancerIP: "10.1.0.0" } });
  await world.has("asks", "");
  const found = await world.service("asks");
  assert.deepEqual(forwardingIdsOf(found.status?.conditions), {});
  const words =
    "spec.loadBalancerIP: 10.1.0.0 refused: 10.1.0.0 is held by " +
    `Service ${world.namespace}/owner, which has no sharing key (annotation allow-shared-ip)`;
  const [condition] = found.status?.conditions ?? [];
  assert.deepEqual([condition?.reason, condition?.message], ["AddressInUse", words]);
  await until("both events", async () => (await told("asks")).length === 3, LONG);
  assert.deepEqual((await told("asks")).slice(1), [
    "Normal IPReleased: 10.1.0.1 is no longer this Service's address: spec.loadBalancerIP asks for 10.1.0.0 instead of 10.1.0.1",
    `Warning AllocationFailed: AddressInUse: ${words}`,
  ]);
  await world.changeService("asks", { spec: { loadBalancerIP: null } });
  await world.has("asks", "10.1.0.1");
  const after = (await world.service("asks")).status?.conditions ?? [];
  assert.deepEqual(
    after.map(({ type }) => type),
    [FORWARDING_CONDITION],
  );
  assert.equal(addressesOf(await world.service("owner")), "10.1.0.0");
});

test("a pool split in two, joined and renamed again: nothing moves, not for a moment", async () => {
  await world.addPool("whole", ["10.1.0.0/24"]);
  await world.addService("low");
  await world.addService("high", { loadBalancerIP: "10.1.0.200" });
  await world.has("low", "10.1.0.0");
  await world.has("high", "10.1.0.200");
  const witness = await Witness.begin();
  try {
    await world.changePool("whole", { addresses: ["10.1.0.0/25"] });
    await world.addPool("upper", ["10.1.0.128/25"]);
    await from("high", "upper");
    await world.removePool("upper");
    await world.changePool("whole", { addresses: ["10.1.0.0/24"] });
    await from("high", "whole");
    await world.removePool("whole");
    await world.addPool("renamed", ["10.1.0.0/24"]);
    await from("high", "renamed");
    await from("low", "renamed");
    await witness.caughtUp("low", "high");
  } finally {
    await witness.end();
  }
  assert.deepEqual(Object.fromEntries(witness.seen), { low: ["10.1.0.0"], high: ["10.1.0.200"] });
});

test("a pool that shrinks re-homes the Service that it no longer covers, and that one alone", async () => {
  await world.addPool("a", ["10.1.0.0/24"]);
  await world.addService("inside");
  await world.addService("outside", { loadBalancerIP: "10.1.0.200" });
  await world.has("inside", "10.1.0.0");
  await world.has("outside", "10.1.0.200");
  await world.changeService("outside", { spec: { loadBalancerIP: null } });
  const { metadata } = await world.service("inside");
  await world.changePool("a", { addresses: ["10.1.0.0/25"] });
  await world.has("outside", "10.1.0.1");
  assert.equal((await world.service("inside")).metadata.resourceVersion, metadata.resourceVersion);
  await until("the events", async () => (await told("outside")).length === 3, LONG);
  assert.deepEqual((await told("outside")).slice(1), [
    "Warning IPReleased: 10.1.0.200 is no longer this Service's address: 10.1.0.200 is in no AddressPool",
    'Normal IPAllocated: Assigned 10.1.0.1 from AddressPool "a"',
  ]);
});

test("a pool edited into what is refused says so and goes on with its last valid configuration", async () => {
  await world.addPool("a", ["10.1.0.0/24"]);
  await world.addPool("b", ["10.2.0.0/24"], { autoAssign: false });
  const asks = (name: string): Promise<void> => world.addService(name, {}, { [ANNOTATION_POOL[0]]: "b" });
  const valid = async (): Promise<string> => {
    const { status } = (await world.pool("b")) ?? {};
    const condition = status?.conditions?.find(({ type }) => type === "Valid");
    return `${condition?.status} ${condition?.message}`.trim();
  };
  await asks("before");
  await world.has("before", "10.2.0.0");
  await world.changePool("b", { addresses: ["10.3.0.0/24", "10.1.0.128/25"] });
  const words = 'False spec.addresses[1]: 10.1.0.128/25 overlaps 10.1.0.0/24 of AddressPool "a"';
  await until("it to say so", async () => (await valid()) === words, LONG);
  await asks("after");
  await world.has("after", "10.2.0.1");
  assert.equal(addressesOf(await world.service("before")), "10.2.0.0");
  await world.changePool("b", { addresses: ["10.2.0.0/23"] });
  await until("it to be valid again", async () => (await valid()) === "True", LONG);
  assert.equal(addressesOf(await world.service("after")), "10.2.0.1");
});
