/** What a pass does with a kernel that refuses, loses answers, or forgets what it took. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attributes } from "#speaker/netlink/attribute.ts";
import { text, u16 } from "#speaker/netlink/bytes.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import { encodeGeneric } from "#speaker/netlink/genl.ts";
import { type Destination, Ipvs } from "#speaker/netlink/ipvs.ts";
import type { NftTable } from "#speaker/netlink/nftables.ts";
import type { NetlinkSocket, Refused, Request } from "#speaker/netlink/socket.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { Contents, type Passing } from "./contents.ts";
import type { ForwardingKernel } from "./kernel.ts";
import { planForwarding } from "./plan.ts";
import { Refusals } from "./refusals.ts";
import type { Element, ForwardedPort, ForwardingPlan } from "./types.ts";

const ERRNO = { EINVAL: 22, EEXIST: 17, ESRCH: 3, EPERM: 1, ENOMEM: 12 } as const;
const CONTROLLER = attributes({ id: [1, u16], name: [2, text] });
const FAMILY = { payload: encodeGeneric(1, 1, CONTROLLER.encode({ id: 30, name: "IPVS" })) };

interface Server {
  scheduler: string;
  readonly reals: Map<string, Destination>;
}

/** IPVS and our table as maps; requests are told by what they say they attempt. */
class FakeKernel {
  readonly servers = new Map<number, Server>();
  readonly sets = new Map<string, Map<string, Element>>();
  /** What of these attempts is refused, and with what. */
  refuse: (attempt: string) => keyof typeof ERRNO | undefined = () => undefined;
  /** Refusals that nobody hears of: the socket's buffer was full. */
  isDeaf = false;
  /** Attempts that are acknowledged and not done. */
  forget: (attempt: string) => boolean = () => false;
  refuseElement: (element: Element) => boolean = () => false;
  written = 0;
  transactions = 0;

  readonly generic = {
    get: () => FAMILY,
    batch: (requests: readonly Request[]): Refused[] => {
      const refused = requests.flatMap(({ attempt }, index) => {
        this.written += 1;
        const code = this.refuse(attempt) ?? (this.forget(attempt) ? undefined : this.#do(attempt));
        return code === undefined ? [] : [{ index, error: new NetlinkError(attempt, ERRNO[code]) }];
      });
      return this.isDeaf ? [] : refused;
    },
  } as unknown as NetlinkSocket;

  readonly table = {
    read: () => ({}),
    sets: () => [...this.sets.keys()],
    elements: (name: string) => [...(this.sets.get(name)?.values() ?? [])],
    change: ({ add, remove }: { add: Map<string, Element[]>; remove: Map<string, Element[]> }) => {
      this.transactions += 1;
      this.written += 1;
      if ([...add.values()].flat().some(this.refuseElement))
        throw new NetlinkError("change elements of table genkan", ERRNO.EINVAL);
      for (const [set, list] of remove) for (const { key } of list) this.sets.get(set)?.delete(key);
      for (const [set, list] of add) for (const one of list) this.#set(set).set(one.key, one);
    },
  } as unknown as NftTable;

  /** Routes are not what these tests are about: there are none, and all that are asked for are taken. */
  readonly route = { dump: () => [], batch: () => [] } as unknown as NetlinkSocket;

  ipvs(): Ipvs {
    const ipvs = new Ipvs(this.generic);
    ipvs.services = () => ({
      byMark: [...this.servers].map(([mark, { scheduler }]) => ({ family: 2, mark, scheduler, flags: 0x18 })),
      others: 0,
    });
    ipvs.destinations = ({ mark }) =>
      [...(this.servers.get(mark)?.reals.values() ?? [])].map((real) => ({
        ...real,
        activeConnections: 0,
        inactiveConnections: 0,
      }));
    return ipvs;
  }

  #set(name: string): Map<string, Element> {
    const set = this.sets.get(name) ?? new Map<string, Element>();
    this.sets.set(name, set);
    return set;
  }

  #do(attempt: string): keyof typeof ERRNO | undefined {
    const [, verb, address, port, mark] =
      /^(add|edit|remove) destination (\S+) port (\d+) of fwmark (\d+)/.exec(attempt) ?? [];
    if (address !== undefined) {
      const reals = this.servers.get(Number(mark))?.reals;
      if (reals === undefined) return "ESRCH";
      if (verb === "remove") reals.delete(`${address} ${port}`);
      else reals.set(`${address} ${port}`, { address, port: Number(port), method: 0, weight: 1 });
      return undefined;
    }
    const service = /^(add|edit|remove) service fwmark (\d+) IPv4(?: scheduler (\w+))?/.exec(attempt);
    const at = Number(service?.[2]);
    if (service?.[1] === "remove") this.servers.delete(at);
    else if (service?.[1] === "add") this.servers.set(at, { scheduler: "none", reals: new Map() });
    const server = this.servers.get(at);
    if (service?.[1] === "edit" && server === undefined) return "ESRCH";
    if (service?.[1] === "edit" && server !== undefined) server.scheduler = service[3] ?? "";
    return undefined;
  }
}

const BAD = "192.0.2.255";
const port = (id: number, ...addresses: string[]): ForwardedPort => ({
  service: `team-${id}/web`,
  id,
  family: "IPv4",
  vip: `203.0.113.${id}`,
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: addresses.map((address) => ({
    address,
    port: 8080,
    isLocal: false,
    isServing: true,
    returnPath: "snat",
  })),
});
const planOf = (...ports: ForwardedPort[]): ForwardingPlan =>
  planForwarding({ nodeAddresses: {}, ports, vips: [] });

function world() {
  const kernel = new FakeKernel();
  const clock = new FakeClock();
  const refusals = new Refusals(clock);
  const contents = new Contents(kernel as unknown as ForwardingKernel, kernel.table, refusals);
  const ipvs = kernel.ipvs();
  let marks: ReadonlySet<string> = new Set();
  return {
    kernel,
    clock,
    pass(plan: ForwardingPlan) {
      const passing: Passing = { plan, changes: [], conflicts: [] };
      const before = kernel.written;
      refusals.begin();
      try {
        marks = contents.write(ipvs, marks, passing);
        if (kernel.written > before) contents.verify(ipvs, marks, plan);
      } finally {
        refusals.end();
      }
      const refused = refusals.list().map(({ service, what, code }) => `${service}: ${what}: ${code}`);
      return { writes: kernel.written - before, refused, changes: passing.changes };
    },
    reals: (mark: number) => [...(kernel.servers.get(mark)?.reals.keys() ?? [])].sort(),
    ports: () => [...(kernel.sets.get("ports4")?.keys() ?? [])].map((key) => Number(`0x${key.slice(6, 8)}`)),
  };
}

test("a refused endpoint is left out alone, and said with its Service", () => {
  const { kernel, pass, reals, ports } = world();
  kernel.refuse = (attempt) => (attempt.includes(BAD) ? "EINVAL" : undefined);
  const { refused, changes } = pass(planOf(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2")));
  assert.deepEqual(refused, [`team-1/web: endpoint ${BAD} port 8080: EINVAL`]);
  assert.deepEqual([reals(0x1001), reals(0x1002)], [["10.0.0.1 8080"], ["10.0.0.2 8080"]]);
  assert.deepEqual(ports(), [1, 2]);
  assert.ok(!changes.some(({ name }) => name.includes(BAD)), "what was refused is no change");
});

test("a Service that the kernel does not take is not marked; what is refused for that reason alone is not said", () => {
  const { kernel, pass, ports } = world();
  kernel.refuse = (attempt) => (attempt.startsWith("add service fwmark 4097 ") ? "ENOMEM" : undefined);
  const plan = planOf(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  assert.deepEqual(pass(plan).refused, ["team-1/web: the virtual server: ENOMEM"]);
  assert.deepEqual(ports(), [1, 2], "its clients are refused");
  assert.deepEqual(
    [...(kernel.sets.get("tier1v4")?.values() ?? [])].map(({ value }) => value),
    ["02100000"],
  );
});

test("one that stays without its scheduler is not marked either, until it has it", async () => {
  const { kernel, clock, pass } = world();
  kernel.refuse = (attempt) =>
    attempt === "edit service fwmark 4097 IPv4 scheduler mh" ? "ENOMEM" : undefined;
  const plan = planOf(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  const marked = (): number => kernel.sets.get("tier1v4")?.size ?? 0;
  pass(plan);
  assert.equal(marked(), 1);
  assert.equal(pass(plan).writes, 0);
  assert.equal(marked(), 1);
  kernel.refuse = () => undefined;
  await clock.advance(2_000);
  assert.deepEqual(pass(plan).refused, []);
  assert.equal(marked(), 2);
});

test("what is refused again and again is asked ever later, and at once when it is wanted otherwise", async () => {
  const { kernel, clock, pass } = world();
  kernel.refuse = (attempt) => (attempt.includes(BAD) ? "EINVAL" : undefined);
  const plan = planOf(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  pass(plan);
  const asked: number[] = [];
  for (let second = 1; second <= 900; second += 1) {
    await clock.advance(1_000);
    if (pass(plan).writes > 0) asked.push(second);
  }
  assert.deepEqual(asked, [2, 6, 14, 30, 62, 126, 254, 510, 810]);
  assert.deepEqual(pass(planOf(port(1, "10.0.0.1"), port(2, "10.0.0.2"))).refused, []);
  assert.ok(pass(plan).writes > 0, "forgotten when it was wanted no more");
});

test("refusals that get lost are found by reading back", () => {
  const { kernel, pass, reals } = world();
  kernel.refuse = (attempt) => (attempt.includes(BAD) ? "EINVAL" : undefined);
  kernel.isDeaf = true;
  const plan = planOf(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  assert.deepEqual(pass(plan).refused, [`team-1/web: endpoint ${BAD} port 8080: NotVerified`]);
  assert.deepEqual(reals(0x1002), ["10.0.0.2 8080"]);
  assert.equal(pass(plan).writes, 0);
});

test("what is acknowledged each time, and is never there, is asked ever later as well", async () => {
  const { kernel, clock, pass } = world();
  kernel.forget = (attempt) => attempt.includes(BAD);
  const plan = planOf(port(1, BAD, "10.0.0.1"), port(2, "10.0.0.2"));
  pass(plan);
  const asked: number[] = [];
  for (let second = 1; second <= 40; second += 1) {
    await clock.advance(1_000);
    if (pass(plan).writes > 0) asked.push(second);
  }
  assert.deepEqual(asked, [2, 6, 14, 30]);
});

test("a kernel that takes nothing of anybody fails the pass", () => {
  const { kernel, pass } = world();
  const plan = planOf(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  kernel.forget = (attempt) => attempt.startsWith("add service");
  assert.throws(() => pass(plan), { name: "ForwardingError", code: "KernelRefused" });
});

test("a right that is missing fails the pass at once", () => {
  const { kernel, pass } = world();
  kernel.refuse = () => "EPERM";
  const plan = planOf(port(1, "10.0.0.1"), port(2, "10.0.0.2"));
  assert.throws(() => pass(plan), { name: "ForwardingError", code: "NoNetAdmin" });
});

test("elements that nftables does not take cost their owner alone, and few transactions", () => {
  const { kernel, pass } = world();
  const ports = Array.from({ length: 250 }, (_, index) => port(index + 1, "10.0.0.1"));
  kernel.refuseElement = ({ key }) => key.startsWith("cb007107");
  const { refused } = pass(planOf(...ports));
  assert.deepEqual(refused, ["team-7/web: its nftables elements: EINVAL"]);
  assert.equal(kernel.sets.get("tier1v4")?.size, 249);
  assert.ok(kernel.transactions < 30, String(kernel.transactions));
  assert.equal(pass(planOf(...ports)).writes, 0);
});
