/** Properties of allocation: no address twice, sticky, freed is reusable, one change equals everything anew. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { addressesOf, DUAL, poolSet, record, written } from "#controller/testing/records.ts";

const POOLS = [
  poolSet({
    a: {
      addresses: ["10.0.0.0/29", "fd00::/126"],
      quotas: [{ namespace: "default", addresses: 6, ports: 7 }],
      shareAcrossNamespaces: true,
    },
    b: { addresses: ["10.1.0.0-10.1.0.2"], autoAssign: false },
  }),
  poolSet({
    a: ["10.0.0.2-10.0.0.5", "fd00::/126"],
    c: { addresses: ["10.0.0.0/31"], serviceAllocation: { priority: 5 } },
  }),
  poolSet({ a: ["10.0.0.0/30"], v6: ["fd00::1-fd00::2"] }),
];

const service = fc.record({
  name: fc.constantFrom("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"),
  families: fc.constantFrom(["IPv4"] as const, ["IPv6"] as const, DUAL),
  familyPolicy: fc.constantFrom("PreferDualStack", "RequireDualStack"),
  loadBalancerIp: fc.option(fc.constantFrom("10.0.0.1", "10.0.0.9", "fd00::1"), { nil: undefined, freq: 5 }),
  ports: fc.uniqueArray(fc.constantFrom("TCP/80", "TCP/443", "UDP/53"), { minLength: 1 }),
  isLocal: fc.boolean(),
  key: fc.constantFrom("", "", "", "k", "l"),
  pool: fc.constantFrom("", "", "", "a", "b", "nowhere"),
  wanted: fc.constantFrom("", "", "", "", "10.1.0.1", "10.0.0.1,fd00::2"),
});

/** Two tenants. */
const ownerOf = (name: string): { key: string; namespace: string } => {
  const namespace = name > "s5" ? "blue" : "default";
  return { key: `${namespace}/${name}`, namespace };
};

type Step =
  | { readonly what: "set"; readonly record: ServiceRecord }
  | { readonly what: "delete"; readonly name: string }
  | { readonly what: "pools"; readonly at: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: service.map(
      ({ name, key, pool, wanted, ports, ...rest }): Step => ({
        what: "set",
        record: record(name, {
          ...rest,
          ...ownerOf(name),
          ports: [...ports].sort(),
          annotations: {
            ...(key === "" ? {} : { [ANNOTATION_SHARING_KEY[0]]: key }),
            ...(pool === "" ? {} : { [ANNOTATION_POOL[1]]: pool }),
            ...(wanted === "" ? {} : { [ANNOTATION_ADDRESSES[2]]: wanted }),
          },
        }),
      }),
    ),
  },
  { weight: 3, arbitrary: service.map(({ name }): Step => ({ what: "delete", name })) },
  { weight: 1, arbitrary: fc.nat(2).map((at): Step => ({ what: "pools", at })) },
);

/** A cluster as the API server would show it, driven through an Allocator. */
class World {
  readonly services = new Map<string, ServiceRecord>();
  readonly allocator = new Allocator();
  pools = 0;

  constructor() {
    this.#write(this.allocator.rebuild(this.config(), []));
  }

  config(): { pools: (typeof POOLS)[number]; loadBalancerClass: undefined } {
    return { pools: POOLS[this.pools] ?? poolSet({}), loadBalancerClass: undefined };
  }

  run(next: Step): void {
    if (next.what === "pools") {
      this.pools = next.at;
      this.#write(this.allocator.rebuild(this.config(), this.services.values()));
      return;
    }
    const key = keyOf(next);
    const before = this.services.get(key);
    if (next.what === "delete") this.services.delete(key);
    else
      this.services.set(key, {
        ...next.record,
        ingress: before?.ingress ?? [],
        conditions: before?.conditions ?? [],
        annotations: { ...ours(before), ...next.record.annotations },
      });
    this.#write(this.allocator.update([[key, this.services.get(key)]]));
  }

  #write(touched: Iterable<string>): void {
    for (const key of touched) {
      const before = this.services.get(key);
      if (before !== undefined) this.services.set(key, written(before, this.allocator.outcome(key)));
    }
  }
}

const keyOf = (next: Step): string =>
  next.what === "set" ? next.record.key : next.what === "delete" ? ownerOf(next.name).key : "";

function ours(before: ServiceRecord | undefined): Record<string, string> {
  const kept = Object.entries(before?.annotations ?? {}).filter(([name]) =>
    /forwarding-ids|ip-allocated/.test(name),
  );
  return Object.fromEntries(kept);
}

/** Of two causes of a refusal either may be named, so only that there is one counts. */
function stateOf(allocator: Allocator): unknown {
  return [...allocator.outcomes()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { allocation, refusal }]) => [
      key,
      addressesOf({ allocation } as never),
      allocation?.ids,
      refusal !== undefined,
    ]);
}

function checkInvariants(allocator: Allocator): void {
  const holders = new Map<string, { key: string | undefined; ports: Set<string> }>();
  const ids = new Set<number>();
  for (const { vips, ports, sharing, ids: mine } of allocator.ledger.allocations()) {
    for (const { address } of vips) {
      const held = holders.get(address) ?? { key: sharing?.key, ports: new Set() };
      if (holders.has(address))
        assert.ok(sharing !== undefined && held.key === sharing.key, `${address} is held twice`);
      for (const port of ports) {
        assert.ok(!held.ports.has(port), `${port} of ${address} is held twice`);
        held.ports.add(port);
      }
      holders.set(address, held);
    }
    assert.equal(Object.keys(mine).length, vips.length * ports.length);
    for (const id of Object.values(mine)) {
      assert.ok(!ids.has(id), `id ${id} is given twice`);
      ids.add(id);
    }
  }
  let assigned = 0n;
  for (const pool of allocator.config.pools.list()) {
    const use = allocator.ledger.use(pool);
    for (const namespace of ["default", "blue"]) {
      const its = [...allocator.ledger.allocations()]
        .filter(({ service }) => service.startsWith(`${namespace}/`))
        .flatMap(({ vips, ports }) => vips.map((vip) => ({ ...vip, ports: ports.length })))
        .filter((vip) => vip.pool === pool.name);
      assert.deepEqual(allocator.ledger.heldBy(namespace, pool.name), {
        addresses: new Set(its.map((vip) => vip.address)).size,
        ports: its.reduce((sum, vip) => sum + vip.ports, 0),
      });
    }
    assigned += use.assigned.IPv4 + use.assigned.IPv6;
    assert.ok(use.available.IPv4 >= 0n && use.available.IPv6 >= 0n);
  }
  assert.equal(assigned, BigInt(holders.size));
}

test("after any changes: nothing is held twice, and a controller that starts anew finds nothing to change", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const world = new World();
      for (const next of steps) {
        world.run(next);
        checkInvariants(world.allocator);
      }
      const fresh = new Allocator();
      fresh.rebuild(world.config(), world.services.values());
      assert.deepEqual(stateOf(fresh), stateOf(world.allocator));
    }),
    { numRuns: 400 },
  );
});

test("where no pool shares across namespaces, no address is in two of them", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const world = new World();
      world.run({ what: "pools", at: 1 });
      for (const next of steps) if (next.what !== "pools") world.run(next);
      const namespaces = new Map<string, string>();
      for (const { service, vips } of world.allocator.ledger.allocations()) {
        for (const { address } of vips) {
          const [namespace = ""] = service.split("/");
          assert.equal(namespaces.get(address) ?? namespace, namespace, address);
          namespaces.set(address, namespace);
        }
      }
    }),
  );
});

test("settling everything anew in place changes nothing either", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
      const world = new World();
      for (const next of steps) world.run(next);
      const before = stateOf(world.allocator);
      world.allocator.rebuild(world.config(), world.services.values());
      assert.deepEqual(stateOf(world.allocator), before);
    }),
  );
});

test("a change of one Service moves no address of another", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
      const world = new World();
      for (const next of steps) {
        const before = new Map([...world.services].map(([key, each]) => [key, each.ingress]));
        world.run(next);
        if (next.what === "pools") continue;
        const changed = keyOf(next);
        for (const [key, ingress] of before) {
          if (key === changed) continue;
          const now = world.services.get(key)?.ingress ?? [];
          // A waiting Service may get what was freed; what somebody has stays.
          const isRequired =
            world.services.get(key)?.familyPolicy === "RequireDualStack" && ingress.length === 1;
          if (!isRequired)
            for (const each of ingress)
              assert.ok(
                now.some(({ ip }) => ip === each.ip),
                `${key} lost ${each.ip}`,
              );
        }
      }
    }),
  );
});

test("the order in which Services come does not matter to who has what, as long as there is enough", () => {
  const names = ["a", "b", "c", "d", "e"];
  fc.assert(
    fc.property(fc.shuffledSubarray(names, { minLength: 5 }), (order) => {
      const records = names.map((name, at) => record(name, { createdAt: `2026-01-01T00:00:0${at}Z` }));
      const config = { pools: poolSet({ a: ["10.0.0.0/24"] }), loadBalancerClass: undefined };
      const sorted = new Allocator();
      sorted.rebuild(config, records);
      const shuffled = new Allocator();
      shuffled.rebuild(
        config,
        order.map((name) => records[names.indexOf(name)] ?? record(name)),
      );
      assert.deepEqual(stateOf(shuffled), stateOf(sorted));
    }),
  );
});

test("a freed address goes to the Service that waits longest, and to it alone", () => {
  const allocator = new Allocator();
  const config = { pools: poolSet({ a: ["10.0.0.0/32"] }), loadBalancerClass: undefined };
  const waiting = ["young", "old"].map((name, at) =>
    record(name, { createdAt: `2026-01-01T00:00:0${5 - at}Z` }),
  );
  allocator.rebuild(config, [record("first"), ...waiting]);
  assert.equal(allocator.outcome("default/old")?.refusal?.reason, "PoolExhausted");
  const touched = allocator.update([["default/first", undefined]]);
  assert.ok(touched.has("default/old"));
  assert.deepEqual(addressesOf(allocator.outcome("default/old")), ["10.0.0.0"]);
  assert.equal(allocator.outcome("default/young")?.refusal?.reason, "PoolExhausted");
});

/** A Service that no other is in the way of, whatever it asks for; `at`: its own number. */
const unrivalled = (at: number): fc.Arbitrary<ServiceRecord> =>
  fc
    .constantFrom(
      {},
      { loadBalancerIp: `10.0.0.${100 + at}` },
      { loadBalancerIp: `10.9.0.${at}` },
      { annotations: { [ANNOTATION_POOL[0]]: "b" } },
      { annotations: { [ANNOTATION_POOL[0]]: "b" }, families: DUAL, familyPolicy: "RequireDualStack" },
      { annotations: { [ANNOTATION_ADDRESSES[0]]: `10.1.0.${100 + at},fd00::${100 + at}` }, families: DUAL },
      { annotations: { [ANNOTATION_POOL[0]]: "nowhere" } },
      { annotations: { [ANNOTATION_SHARING_KEY[0]]: "k" }, ports: [`TCP/${1_000 + at}`] },
      { families: ["IPv6"] as const },
    )
    .map((more) => record(`s${at}`, { createdAt: `2026-01-01T00:00:0${at}Z`, ...more }));

test("Services and pools in any order of events: the same Services have addresses, and of the same pools", () => {
  const pools = { a: ["10.0.0.0/24"], b: { addresses: ["10.1.0.0/24", "fd00::/64"], autoAssign: false } };
  const events = fc
    .tuple(...Array.from({ length: 6 }, (_, at) => unrivalled(at)))
    .chain((records) =>
      fc
        .shuffledSubarray([...records, "a", "b"] as const, { minLength: 8 })
        .map((order) => ({ records, order })),
    );
  const end = (order: readonly (ServiceRecord | "a" | "b")[]): unknown => {
    const allocator = new Allocator();
    const present = new Map<string, ServiceRecord>();
    const has: Record<string, (typeof pools)["a" | "b"]> = {};
    for (const event of order) {
      if (typeof event === "string") {
        has[event] = pools[event];
        allocator.rebuild({ pools: poolSet(has), loadBalancerClass: undefined }, present.values());
        continue;
      }
      present.set(event.key, event);
      allocator.update([[event.key, event]]);
    }
    checkInvariants(allocator);
    return [...allocator.outcomes()]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, { request, allocation, refusal }]) => [
        key,
        // Which address a Service gets that asks for none depends on who was first.
        allocation?.vips.map((vip) => (request.addresses.length > 0 ? vip.address : [vip.pool, vip.family])),
        refusal?.reason,
      ]);
  };
  fc.assert(
    fc.property(events, ({ records, order }) => {
      assert.deepEqual(end(order), end(["a", "b", ...records]));
    }),
    { numRuns: 500 },
  );
});
