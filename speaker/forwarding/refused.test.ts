/** What a pass does with a kernel that refuses, or loses answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "#speaker/netlink/ipvs.ts";
import { port, wanting, world } from "#test/fakes/forwarding-passes.ts";

const BAD = "192.0.2.255";
const isAbout = (operation: Operation, address: string): boolean =>
  "destination" in operation && operation.destination.address === address;

test("a kernel without ip_vs is said to be that, before anything is written", async () => {
  const { kernel, pass } = world();
  kernel.hasIpvs = false;
  await assert.rejects(pass(wanting(port(1, "192.0.2.1"))), { code: "NoIpvs" });
  assert.equal(kernel.counter.written, 0);
  kernel.hasIpvs = true;
  assert.deepEqual((await pass(wanting(port(1, "192.0.2.1")))).refused, []);
});

test("a refused endpoint is left out alone, and said with its Service", async () => {
  const { kernel, pass, reals, ports } = world();
  kernel.refuse = (operation) => (isAbout(operation, BAD) ? "EINVAL" : undefined);
  const { refused, changes } = await pass(wanting(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2")));
  assert.deepEqual(refused, [`team-1/web: endpoint ${BAD} port 8080: EINVAL`]);
  assert.deepEqual([reals(0x1001), reals(0x1002)], [["10.0.0.1 8080"], ["10.0.0.2 8080"]]);
  assert.deepEqual(ports(), [1, 2]);
  assert.ok(!changes.some(({ name }) => name.includes(BAD)), "what was refused is no change");
});

test("a Service that the kernel does not take is not marked; what is refused for that reason alone is not said", async () => {
  const { kernel, pass, ports } = world();
  kernel.refuse = ({ kind, service }) =>
    kind === "addService" && service.mark === 0x1001 ? "ENOMEM" : undefined;
  const wanted = wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  assert.deepEqual((await pass(wanted)).refused, ["team-1/web: the virtual server: ENOMEM"]);
  assert.deepEqual(ports(), [1, 2], "its clients are refused");
  assert.deepEqual(
    [...(kernel.present.sets.get("tier1v4")?.values() ?? [])].map(({ value }) => value),
    ["02100000"],
  );
});

test("one that stays without its scheduler is not marked either, until it has it", async () => {
  const { kernel, clock, pass } = world();
  kernel.refuse = ({ kind, service }) =>
    kind === "editService" && service.mark === 0x1001 ? "ENOMEM" : undefined;
  const wanted = wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  const marked = (): number => kernel.present.sets.get("tier1v4")?.size ?? 0;
  await pass(wanted);
  assert.equal(marked(), 1);
  assert.equal((await pass(wanted)).writes, 0);
  assert.equal(marked(), 1);
  kernel.refuse = () => undefined;
  await clock.advance(2_000);
  assert.deepEqual((await pass(wanted)).refused, []);
  assert.equal(marked(), 2);
});

test("what is refused again and again is asked ever later, and at once when it is wanted otherwise", async () => {
  const { kernel, clock, pass } = world();
  kernel.refuse = (operation) => (isAbout(operation, BAD) ? "EINVAL" : undefined);
  const wanted = wanting(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  await pass(wanted);
  const asked: number[] = [];
  for (let second = 1; second <= 900; second += 1) {
    await clock.advance(1_000);
    if ((await pass(wanted)).writes > 0) asked.push(second);
  }
  assert.deepEqual(asked, [2, 6, 14, 30, 62, 126, 254, 510, 810]);
  assert.deepEqual((await pass(wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2")))).refused, []);
  assert.ok((await pass(wanted)).writes > 0, "forgotten when it was wanted no more");
});

test("refusals that get lost are found by reading back", async () => {
  const { kernel, pass, reals } = world();
  kernel.refuse = (operation) => (isAbout(operation, BAD) ? "EINVAL" : undefined);
  kernel.isDeaf = true;
  const wanted = wanting(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  assert.deepEqual((await pass(wanted)).refused, [`team-1/web: endpoint ${BAD} port 8080: NotVerified`]);
  assert.deepEqual(reals(0x1002), ["10.0.0.2 8080"]);
  assert.equal((await pass(wanted)).writes, 0);
});

test("what is acknowledged each time, and is never there, is asked ever later as well", async () => {
  const { kernel, clock, pass } = world();
  kernel.forget = (operation) => isAbout(operation, BAD);
  const wanted = wanting(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  await pass(wanted);
  const asked: number[] = [];
  for (let second = 1; second <= 40; second += 1) {
    await clock.advance(1_000);
    if ((await pass(wanted)).writes > 0) asked.push(second);
  }
  assert.deepEqual(asked, [2, 6, 14, 30]);
});

test("a kernel that takes nothing of anybody fails the pass", async () => {
  const { kernel, pass } = world();
  const wanted = wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  kernel.forget = ({ kind }) => kind === "addService";
  await assert.rejects(pass(wanted), { name: "ForwardingError", code: "KernelRefused" });
});

test("a scheduler that the kernel lacks fails the pass, unless one Service alone asks for it, until it gives it up", async () => {
  const lacks = ({ service }: Operation) =>
    "scheduler" in service && service.scheduler === "lc" ? "ENOENT" : undefined;
  const { kernel, pass } = world();
  kernel.refuse = lacks;
  const own = { ...port(1, "10.0.0.1"), scheduler: "lc", hasOwnScheduler: true };
  const { refused } = await pass(wanting(own, port(2, "10.0.0.2")));
  assert.equal(refused.length, 1);
  assert.match(refused[0] ?? "", /^team-1\/web: .*ENOENT$/);
  assert.equal(kernel.present.sets.get("tier1v4")?.size, 1, "what has no scheduler is not marked");
  const given = await pass(wanting({ ...own, scheduler: "mh" }, port(2, "10.0.0.2")));
  assert.deepEqual([given.refused, kernel.present.sets.get("tier1v4")?.size], [[], 2], "at once");
  const other = world();
  other.kernel.refuse = lacks;
  const common = wanting({ ...port(1, "10.0.0.1"), scheduler: "lc" });
  await assert.rejects(other.pass(common), { code: "NoScheduler" });
});

test("a right that is missing fails the pass at once", async () => {
  const { kernel, pass } = world();
  kernel.refuse = () => "EPERM";
  const wanted = wanting(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  await assert.rejects(pass(wanted), { name: "ForwardingError", code: "NoNetAdmin" });
});

test("elements that nftables does not take cost their owner alone, and few transactions", async () => {
  const { kernel, pass } = world();
  const ports = Array.from({ length: 250 }, (_, index) => port(index + 1, "10.0.0.1"));
  kernel.refuseElement = ({ key }) => key.startsWith("cb007107");
  const { refused } = await pass(wanting(...ports));
  assert.deepEqual(refused, ["team-7/web: its nftables elements: EINVAL"]);
  assert.equal(kernel.present.sets.get("tier1v4")?.size, 249);
  assert.ok(kernel.transactions < 30, String(kernel.transactions));
  assert.equal((await pass(wanting(...ports))).writes, 0);
});
