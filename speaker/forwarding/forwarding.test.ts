/** What passes and audits do with a kernel that changes, or forgets what it took; and that a pass touches its own alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange } from "#api/address.ts";
import type { Operation } from "#speaker/netlink/ipvs.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { port, wanting, world } from "#test/fakes/forwarding-passes.ts";
import { Forwarding } from "./forwarding.ts";
import { markOf } from "./mark.ts";
import { marksOfPort } from "./plan-port.ts";
import { PORTION_SIZES } from "./portions.ts";
import { DEFAULT_SETTINGS, type ForwardedPort, type ForwardingInput } from "./types.ts";

const BAD = "192.0.2.255";
const BIT = DEFAULT_SETTINGS.routingBit;
const isAbout = (operation: Operation, address: string): boolean =>
  "destination" in operation && operation.destination.address === address;

const many = (count: number): ForwardedPort[] =>
  Array.from({ length: count }, (_, index) => ({
    ...port(index + 1, "10.0.0.1", "10.0.0.2"),
    vip: `203.0.${index >> 8}.${index & 255}`,
  }));

test("one endpoint that changes among many costs reads and writes of its own Service alone", async () => {
  const { kernel, pass } = world();
  const ports = many(1_000);
  await pass(wanting(...ports));
  const next = ports.with(500, { ...(ports[500] as ForwardedPort), ...port(501, "10.0.0.1", "10.0.0.3") });
  const [read, transactions] = [kernel.read, kernel.transactions];
  const { writes } = await pass(wanting(...next));
  // Two endpoints behind SNAT: an element each beside the real servers.
  assert.ok(kernel.read - read <= 20, `${kernel.read - read} entries read`);
  assert.ok(writes <= 10, `${writes} written`);
  assert.ok(kernel.transactions - transactions <= 2);
});

test("told connections are bound at first, and where virtual servers had to be put back", async () => {
  const { kernel, pass, clock } = world();
  const sync = { link: { name: "eth0", index: 2 }, address: "192.0.2.1", peers: [] };
  const wanted = { ...wanting(port(1, "10.0.0.1")), sync };
  const count = async (): Promise<number> => {
    await clock.advance(20_000);
    await pass(wanted);
    return kernel.bound;
  };
  await pass(wanting(port(1, "10.0.0.1")));
  assert.equal(kernel.bound, 0, "where nothing is shared");
  assert.equal(await count(), 1);
  assert.equal(await count(), 1);
  kernel.present.routes.add("203.0.113.99");
  assert.equal(await count(), 1);
  kernel.present.servers.clear();
  assert.equal(await count(), 2);
});

test("a pass without changes reads and writes no entry", async () => {
  const { kernel, pass } = world();
  const wanted = wanting(...many(1_000));
  await pass(wanted);
  const { read } = kernel;
  assert.equal((await pass(wanted)).writes, 0);
  assert.equal(kernel.read, read);
});

/** What others do, and within how long it is found. */
const DRIFTS: readonly [what: string, damage: (kernel: FakeForwardingKernel) => void, withinMs: number][] = [
  ["a service that is removed", ({ present }) => void present.servers.delete("2/4097"), 5_000],
  [
    "a service with another scheduler",
    ({ present }) => {
      const server = present.servers.get("2/4097");
      if (server !== undefined) server.service = { ...server.service, scheduler: "rr" };
    },
    5_000,
  ],
  [
    "a real server that is removed",
    ({ present }) => void present.servers.get("2/4097")?.reals.clear(),
    60_000,
  ],
  [
    "an element that is removed",
    (kernel) => kernel.dropElement("tier1v4", "cb007101" + "0600000000500000"),
    5_000,
  ],
  ["an element that is added", (kernel) => kernel.addElement("vips4", { key: "0a000009" }), 5_000],
  ["the table that is removed", (kernel) => kernel.dropTable(), 5_000],
  ["a route that is removed", ({ present }) => void present.routes.delete("203.0.113.1"), 60_000],
  ["a route that is added", ({ present }) => void present.routes.add("203.0.113.99"), 60_000],
];
for (const [what, damage, withinMs] of DRIFTS) {
  test(`found by itself, and put right by the next pass: ${what}`, async () => {
    const { kernel, clock, forwarding, drifts } = world();
    const wanted = { ...wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2")), vips: ["203.0.113.1"] };
    await forwarding.reconcile(wanted);
    await clock.advance(20_000);
    assert.equal(drifts(), 0, "nothing is found where nothing is wrong");
    const right = kernel.describe();
    damage(kernel);
    assert.notDeepEqual(kernel.describe(), right);
    await clock.advance(withinMs);
    // The table itself is looked at in each pass.
    if (kernel.present.hasTable) assert.ok(drifts() > 0);
    await forwarding.reconcile(wanted);
    assert.deepEqual(kernel.describe(), right);
    assert.equal((await forwarding.reconcile(wanted)).writes, 0);
    forwarding.close();
  });
}

test("passes for changes that come one after the other look at the skeleton now and then", async () => {
  const { kernel, clock, pass } = world();
  let looked = 0;
  const { ensure } = kernel.skeleton;
  kernel.skeleton.ensure = (wanted) => {
    looked += 1;
    return ensure(wanted);
  };
  for (let at = 1; at <= 40; at += 1) {
    await pass(wanting(port(1, `10.0.0.${at}`)));
    await clock.advance(100);
  }
  assert.equal(looked, 2);
  kernel.dropTable();
  const { changes } = await pass(wanting(port(1, "10.0.0.1")));
  assert.ok(
    changes.some(({ kind }) => kind === "ruleset"),
    "the table is gone, and is made anew at once",
  );
});

test("what differs is shown beside what is wanted", async () => {
  const { kernel, forwarding } = world();
  await forwarding.reconcile(wanting(port(1, "10.0.0.1")));
  assert.equal(forwarding.difference().entries, 0);
  kernel.present.servers.get("2/4097")?.reals.clear();
  await forwarding.audit();
  const { entries, virtualServers } = forwarding.difference();
  assert.equal(entries, 1);
  assert.equal(virtualServers[0]?.wanted?.realServers[0]?.address, "10.0.0.1");
  assert.deepEqual(virtualServers[0]?.there?.destinations, []);
});

test("a foreign service with a mark of ours is left alone until it goes, and its port is not marked meanwhile", async () => {
  const { kernel, forwarding, ports } = world();
  const service = { family: 2, mark: 0x1001, scheduler: "rr", flags: 0 };
  kernel.present.servers.set("2/4097", { service, reals: new Map() });
  const wanted = wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  const { conflicts } = await forwarding.reconcile(wanted);
  assert.deepEqual(conflicts, ["mark 0x1001 belongs to a foreign IPVS service"]);
  assert.deepEqual((await forwarding.reconcile(wanted)).conflicts, conflicts);
  assert.equal(kernel.present.servers.get("2/4097")?.service.scheduler, "rr");
  assert.deepEqual(
    [...(kernel.present.sets.get("tier1v4")?.values() ?? [])].map(({ value }) => value),
    ["02100000"],
  );
  kernel.present.servers.delete("2/4097");
  assert.deepEqual((await forwarding.reconcile(wanted)).conflicts, []);
  assert.equal(kernel.present.servers.get("2/4097")?.service.scheduler, "mh");
  assert.equal(kernel.present.sets.get("tier1v4")?.size, 2);
  assert.deepEqual(ports(), [1, 2]);
});

test("removal takes away all of ours, leaves the foreign, and a pass after it makes everything anew", async () => {
  const { kernel, forwarding } = world();
  const foreign = { family: 2, mark: 77, scheduler: "rr", flags: 0 };
  kernel.present.servers.set("2/77", { service: foreign, reals: new Map() });
  const wanted = { ...wanting(port(1, "10.0.0.1")), vips: ["203.0.113.1"] };
  await forwarding.reconcile(wanted);
  const made = kernel.describe();
  await forwarding.remove();
  assert.deepEqual(kernel.describe(), { servers: [["2/77", "rr", 0, []]], sets: [], routes: [] });
  await forwarding.reconcile(wanted);
  assert.deepEqual(kernel.describe(), made);
});

test("removal closes the way into our chains first: what kube-proxy would take is never turned away", async () => {
  const { kernel, forwarding } = world();
  const routed = [parseRange("10.9.0.0-10.9.0.255")];
  await forwarding.reconcile({ ...wanting(port(1, "10.0.0.1")), vips: ["203.0.113.1"], routed });
  const order: string[] = [];
  const { change } = kernel.elements;
  kernel.elements.change = (changes) => {
    order.push(...changes.remove.keys());
    change(changes);
  };
  await forwarding.remove();
  const sets = order.filter((set) => /4$/.test(set));
  assert.deepEqual(sets.slice(0, 2), ["routed4", "vips4"]);
  assert.ok(sets.includes("ports4") && sets.includes("tier1v4"), order.join());
});

test("a pass that is asked to gives way after a portion, and the next one begins with what changed since", async () => {
  const { kernel, forwarding } = world();
  const ports = Array.from({ length: 200 }, (_, at) => port(at + 1, "10.0.0.1", "10.0.0.2", "10.0.0.3"));
  const first = await forwarding.reconcile(wanting(...ports), () => true);
  assert.equal(first.isComplete, false);
  // The comparison with what was there before comes first, as far as it is asked for another pass.
  for (let { whole } = first; whole.size === 0; )
    ({ whole } = await forwarding.reconcile(wanting(...ports), () => true));
  assert.ok(kernel.present.servers.size < 100 && kernel.present.servers.size > 0);
  const changed = wanting(...ports.with(199, port(200, "10.0.0.9")));
  let second = await forwarding.reconcile(changed, () => true);
  while (second.writes === 0) second = await forwarding.reconcile(changed, () => true);
  assert.deepEqual([second.isComplete, kernel.present.servers.has(`2/${0x1000 | 200}`)], [false, true]);
  assert.ok(second.whole.size < 200);
  assert.equal((await forwarding.reconcile(changed)).isComplete, true);
  assert.equal(kernel.present.servers.size, 200);
});

test("inputs that change everything, each before the one before it was planned, keep none of it from the kernel", async () => {
  const { kernel, clock } = world();
  const forwarding = new Forwarding(kernel, { clock, portions: { ...PORTION_SIZES, few: 2, servers: 5 } });
  // So many endpoints that the first portions are empty: what belongs together is looked for.
  const everything = (round: number): ForwardingInput =>
    wanting(
      ...Array.from({ length: 100 }, (_, at) =>
        port(at + 1, ...Array.from({ length: 25 }, (_, end) => `10.${round >> 8}.${round & 255}.${end}`)),
      ),
    );
  await forwarding.reconcile(everything(0));
  const writing: number[] = [];
  for (let round = 1; writing.length < 5; round += 1) {
    assert.ok(round < 1_000, "nothing is written");
    if ((await forwarding.reconcile(everything(round), () => true)).writes > 0) writing.push(round);
  }
  // Some ten steps for each of the plans.
  assert.ok((writing.at(-1) ?? 0) < 500, String(writing));
  await forwarding.reconcile(everything(0));
  const fresh = new FakeForwardingKernel();
  await new Forwarding(fresh, { clock }).reconcile(everything(0));
  assert.deepEqual(kernel.describe(), fresh.describe());
});

test("while a plan is half made nothing is taken for damage, and afterwards damage is found again", async () => {
  const { kernel, clock, forwarding, drifts } = world();
  const ports = Array.from({ length: 200 }, (_, at) => port(at + 1, "10.0.0.1"));
  await forwarding.reconcile(wanting(...ports));
  const others = wanting(...ports.map(({ id }) => port(id, "10.0.0.2")));
  const { virtualServers } = forwarding.counts();
  while (forwarding.counts().virtualServers === virtualServers)
    assert.equal((await forwarding.reconcile(others, () => true)).writes, 0);
  await clock.advance(10_000);
  assert.equal(drifts(), 0);
  await forwarding.reconcile(others);
  await clock.advance(10_000);
  assert.equal(drifts(), 0);
  kernel.present.servers.delete(`2/${0x1001}`);
  await clock.advance(5_000);
  assert.ok(drifts() > 0);
  forwarding.close();
});

test("what was refused stays refused over a pass that gave way before it came to it", async () => {
  const { kernel, forwarding } = world();
  const ports = Array.from({ length: 200 }, (_, at) => port(at + 1, "10.0.0.1", "10.0.0.2", "10.0.0.3"));
  kernel.refuse = (operation) => (isAbout(operation, BAD) ? "EINVAL" : undefined);
  const bad = port(201, "10.0.0.1", BAD);
  assert.equal((await forwarding.reconcile(wanting(...ports, bad))).refused.length, 1);
  const others = ports.map(({ id }) => port(id, "10.0.0.7", "10.0.0.8", "10.0.0.9"));
  const { isComplete, refused } = await forwarding.reconcile(wanting(...others, bad), () => true);
  assert.deepEqual([isComplete, refused.length], [false, 1]);
  const { written } = kernel.counter;
  await forwarding.reconcile(wanting(...others, bad));
  const after = kernel.counter.written;
  assert.ok(after > written);
  assert.equal((await forwarding.reconcile(wanting(...others, bad))).writes, 0, "its pause is not over");
});

test("a service that the kernel keeps stays ours, also where its mark's record went in another portion", async () => {
  const { kernel, clock, forwarding } = world();
  const asking = (...ports: ForwardedPort[]): ForwardingInput => ({
    ...wanting(...ports),
    vips: ports.map(({ vip }) => vip),
  });
  await forwarding.reconcile(asking());
  await clock.advance(500);
  // A refusal that nobody hears of: the second one stays unsettled, so that there are two portions.
  kernel.isDeaf = true;
  kernel.refuse = (operation) => (isAbout(operation, BAD) ? "EINVAL" : undefined);
  await forwarding.reconcile(asking(port(5, "10.0.0.1"), port(1, BAD)));
  kernel.isDeaf = false;
  kernel.dropTable();
  // The audit finds what is missing, the record of the mark among it.
  await clock.advance(500);
  kernel.refuse = ({ service }) => (service.mark === 0x1005 ? "ENOMEM" : undefined);
  await forwarding.reconcile(asking(port(1)));
  assert.ok(kernel.present.servers.has(`2/${0x1005}`));
  kernel.refuse = () => undefined;
  for (const _ of [1, 2]) {
    await clock.advance(310_000);
    await forwarding.reconcile(asking(port(1)));
  }
  assert.equal(kernel.present.servers.size, 0);
});

test("what a pass had in hand when it failed is looked at by the next one", async () => {
  const { kernel, forwarding, reals } = world();
  const ports = Array.from({ length: 200 }, (_, at) => port(at + 1, "10.0.0.1", "10.0.0.2", "10.0.0.3"));
  await forwarding.reconcile(wanting(...ports));
  const others = ports.map(({ id }) => port(id, "10.0.0.1", "10.0.0.2", "10.0.0.4"));
  kernel.refuse = ({ service }) => (service.mark === 0x1001 ? "EPERM" : undefined);
  await assert.rejects(forwarding.reconcile(wanting(...others)), { code: "NoNetAdmin" });
  kernel.refuse = () => undefined;
  await forwarding.reconcile(wanting(...others));
  for (const { id } of ports)
    assert.deepEqual(reals(0x1000 | id), ["10.0.0.1 8080", "10.0.0.2 8080", "10.0.0.4 8080"]);
});

test("who began to take in others' connections holds until all that are in use were told of and could be bound", async () => {
  const { kernel, clock, forwarding } = world();
  const peers = [{ node: "n2", address: "192.0.2.2" }];
  const sync = { link: { name: "eth0", index: 2 }, address: "192.0.2.1", peers };
  const input = wanting(port(1, "10.0.0.1"));
  const holds = async (more: Partial<ForwardingInput> = { sync }): Promise<boolean> =>
    (await forwarding.reconcile({ ...input, ...more })).isGathering ?? false;
  assert.equal(await holds(), false, "an earlier process began it");
  await clock.advance(60_000);
  kernel.skeleton.syncStartedAt = clock.now();
  assert.equal(await holds(), true);
  assert.equal(await holds({ sync: { ...sync, peers: [] } }), false, "there is nobody to tell");
  assert.equal(await holds({}), false, "nothing is shared");
  kernel.skeleton.syncTrouble = { code: "SyncUnheard", message: "" };
  assert.equal(await holds(), false, "waiting would not help");
  kernel.skeleton.syncTrouble = undefined;
  await clock.advance(5_999);
  assert.equal(await holds(), true);
  await clock.advance(1);
  assert.equal(await holds(), false);
});

test("the audit finds nothing wrong with a list that is only bound to, and finds one that got a scheduler", async () => {
  const { kernel, forwarding } = world();
  const { servers } = kernel.present;
  const settings = { ...DEFAULT_SETTINGS, sharesConnections: true };
  const input = { ...wanting(port(1, "10.0.0.1")), settings };
  await forwarding.reconcile(input);
  const second = servers.get(`2/${input.ports.flatMap((one) => marksOfPort(one, settings))[1]}`);
  assert.equal(second?.service.scheduler, "none");
  assert.equal(await forwarding.audit(), 0);
  second.service = { ...second.service, scheduler: "mh" };
  assert.equal(await forwarding.audit(), 1);
  await forwarding.reconcile(input);
  assert.equal(second.service.scheduler, "none");
});

test("whose a mark is: of both tiers, and of no mark that only looks like one of ours", async () => {
  const { forwarding, pass } = world();
  assert.equal(forwarding.serviceOf(markOf(7, 1, BIT)), undefined);
  const local = port(7, "198.51.100.7");
  const held = { ...local, endpoints: local.endpoints.map((one) => ({ ...one, isLocal: true })) };
  await pass(wanting(held));
  const [first = 0, second = 0, ...more] = marksOfPort(held, DEFAULT_SETTINGS);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [first, second, markOf(7, 2, BIT), markOf(8, 1, BIT), 7].map((mark) => forwarding.serviceOf(mark)),
    ["team-7/web", "team-7/web", undefined, undefined, undefined],
  );
});
