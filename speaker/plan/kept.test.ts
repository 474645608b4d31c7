/** A Planner that kept what it made beside one that makes everything anew, over random histories. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { CHECK, endpoint, NAMES, node, POOL, service, slice, state, view } from "#test/fakes/speaker-view.ts";
import { Pools } from "../known/pools.ts";
import type { ClusterView, NodeView, PoolView, ServiceView, SliceView, SpeakerState } from "../known/view.ts";
import { elect, reelect, turnoverOf } from "./elect.ts";
import { Planner } from "./plan.ts";
import { withKeys } from "./sorted-keys.ts";

/** A cluster as stores hold it: what does not change stays the same object. */
class Cluster {
  readonly services = new Map<string, ServiceView>();
  readonly slices = new Map<string, SliceView>();
  nodes: ReadonlyMap<string, NodeView> = new Map(NAMES.map((name) => [name, node(name)]));
  pools = new Pools([POOL]);
  live: readonly string[] = NAMES;
  dead: readonly string[] = [];
  states = new Map<string, SpeakerState>(NAMES.map((name) => [name, state(name, { hearsClaims: true })]));
  loadBalancer: ClusterView["loadBalancer"] = view({}).loadBalancer;
  changed = new Set<string>();
  claimants = new Map<string, string>();
  claimed = new Set<string>();
  /** Ids and addresses of endpoints that fail their checks. */
  failing = new Set<string>();
  checked = new Set<number>();
  /** Services and addresses of endpoints that have had their time to end. */
  over = new Set<string>();
  drained = new Set<string>();

  /** As stores would give it; with `changed` only if asked for. */
  view(own: string, isKept: boolean): ClusterView {
    const { services, nodes, pools, loadBalancer, live, dead } = this;
    const members = { live, dead, states: new Map(this.states) };
    const slicesOf = (key: string): SliceView[] =>
      [...this.slices.values()].filter((one) => one.service === key);
    const { changed, claimants, claimed, failing, checked } = this;
    const { over, drained } = this;
    const drains: ClusterView["drains"] = {
      isOver: (service, address) => over.has(`${service} ${address}`),
      changed: drained,
    };
    if (isKept)
      [this.changed, this.claimed, this.checked, this.drained] = [new Set(), new Set(), new Set(), new Set()];
    const health: ClusterView["health"] = {
      isFailing: ({ id, address }) => failing.has(`${id} ${address}`),
      changed: checked,
    };
    const claims = { claimantOf: (vip: string) => claimants.get(vip), changed: claimed };
    const view = {
      node: own,
      loadBalancer,
      nodes: new Map(nodes),
      pools,
      services,
      slicesOf,
      members,
      claims,
      health,
      drains,
    };
    return isKept ? { ...view, changed } : view;
  }
}

const KEYS = ["a/s0", "b/s1", "a/s2", "c/s3"];
const endpoints = fc.array(
  fc
    .record({
      last: fc.integer({ min: 1, max: 5 }),
      on: fc.constantFrom("n1", "n2", "n3", "n9"),
      isReady: fc.boolean(),
      isServing: fc.boolean(),
      isTerminating: fc.boolean(),
      isBroadcast: fc.nat(9).map((one) => one === 0),
    })
    .map(({ last, on, isBroadcast, ...conditions }) =>
      endpoint(last, on, { ...conditions, ...(isBroadcast && { address: "172.30.0.255" }) }),
    ),
  { maxLength: 4 },
);
/** Addresses of both families, one of a node's own, one of no pool; few enough to be shared. */
const VIPS = ["172.30.0.200", "172.30.0.201", "172.30.0.2", "192.0.2.1", "fd30::200", "203.0.113.7"];
const services = fc.record({
  vips: fc.subarray(VIPS, { maxLength: 3 }),
  isLocal: fc.boolean(),
  port: fc.constantFrom(80, 443),
  id: fc.integer({ min: 1, max: 3 }),
  hasId: fc.boolean(),
  age: fc.integer({ min: 1, max: 3 }),
  isForeign: fc.nat(9).map((one) => one === 0),
  hasCheck: fc.boolean(),
  hasDrainTimeout: fc.boolean(),
});
const POOLS: readonly (readonly PoolView[])[] = [
  [POOL],
  [{ ...POOL, addresses: ["172.30.0.0/24"] }],
  [{ ...POOL, interfaces: ["eth1"] }],
  [{ ...POOL, protocol: "bgp" }],
  [
    POOL,
    { ...POOL, name: "far", addresses: ["203.0.113.0/24"], nodeSelectors: [{ matchLabels: { rack: "a" } }] },
  ],
];
const LINKS = [
  [{ name: "eth0", prefixes: ["172.30.0.1/24"] }],
  [{ name: "eth1", prefixes: ["fd30::1/64", "203.0.113.1/24"] }],
  [],
];

type Change = (cluster: Cluster) => void;
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ key: fc.constantFrom(...KEYS), services }).map(putService) },
  {
    weight: 4,
    arbitrary: fc.record({ key: fc.constantFrom(...KEYS), at: fc.nat(1), endpoints }).map(putSlice),
  },
  fc.constantFrom(...KEYS).map((key) => (cluster: Cluster) => {
    cluster.services.delete(key);
    cluster.changed.add(key);
  }),
  fc.record({ live: fc.subarray(NAMES), dead: fc.subarray(NAMES) }).map((members) => (cluster: Cluster) => {
    Object.assign(cluster, members);
  }),
  fc
    .record({
      name: fc.constantFrom(...NAMES),
      isReady: fc.boolean(),
      links: fc.constantFrom(...LINKS),
      hears: fc.boolean(),
      tunnels: fc.constantFrom(["gre"] as const, ["gue"] as const),
    })
    .map(({ name, hears, ...said }) => (cluster: Cluster) => {
      cluster.states.set(name, state(name, { ...said, ...(hears && { hearsClaims: true }) }));
    }),
  fc
    .record({ vip: fc.constantFrom(...VIPS), by: fc.constantFrom(...NAMES) })
    .map(({ vip, by }) => (cluster: Cluster) => {
      cluster.claimants.set(vip, by);
      cluster.claimed.add(vip);
    }),
  fc
    .record({
      id: fc.integer({ min: 1, max: 4 }),
      last: fc.integer({ min: 1, max: 5 }),
      isWell: fc.boolean(),
    })
    .map(({ id, last, isWell }) => (cluster: Cluster) => {
      const failing = cluster.failing[isWell ? "delete" : "add"].bind(cluster.failing);
      failing(`${id} ${endpoint(last, "").address}`);
      cluster.checked.add(id);
    }),
  fc
    .record({ key: fc.constantFrom(...KEYS), last: fc.integer({ min: 1, max: 5 }), isOver: fc.boolean() })
    .map(({ key, last, isOver }) => (cluster: Cluster) => {
      const one = `${key} ${endpoint(last, "").address}`;
      // A new set each time: views before this one stay as they were.
      cluster.over = new Set([...cluster.over].filter((other) => other !== one));
      if (isOver) cluster.over.add(one);
      cluster.drained.add(key);
    }),
  fc.constantFrom(...NAMES).map((name) => (cluster: Cluster) => void cluster.states.delete(name)),
  fc.constantFrom(...POOLS).map((pools) => (cluster: Cluster) => {
    cluster.pools = new Pools(pools);
  }),
  fc
    .record({ name: fc.constantFrom(...NAMES), label: fc.constantFrom("rack", LABEL_EXCLUDE_NODE, "none") })
    .map(({ name, label }) => (cluster: Cluster) => {
      cluster.nodes = new Map([...cluster.nodes, [name, node(name, { [label]: "a" })]]);
    }),
  fc
    .record({
      mode: fc.constantFrom("IPVS" as const, "KubeProxy" as const),
      scheduler: fc.constantFrom("mh", "rr"),
      loadBalancerClass: fc.constantFrom(undefined, "x/y"),
      translates: fc.boolean(),
      prefersLocal: fc.boolean(),
      tunnel: fc.constantFrom(undefined, "gre" as const, "gue" as const, "none" as const),
      keepsOwners: fc.boolean(),
    })
    .map(({ loadBalancerClass, translates, prefersLocal, tunnel, ...forwarding }) => (cluster: Cluster) => {
      const {
        loadBalancerClass: _,
        translates: __,
        prefersLocal: ___,
        tunnel: ____,
        ...others
      } = cluster.loadBalancer;
      const more = {
        ...(loadBalancerClass && { loadBalancerClass }),
        ...(translates && { translates }),
        ...(prefersLocal && { prefersLocal }),
        ...(tunnel && { tunnel }),
      };
      cluster.loadBalancer = { ...others, ...forwarding, ...more };
    }),
);

function putService({
  key,
  services: of,
}: {
  key: string;
  services: typeof services extends fc.Arbitrary<infer T> ? T : never;
}): Change {
  return (cluster) => {
    const protocol = "TCP" as const;
    cluster.services.set(
      key,
      service({
        key,
        vips: of.vips,
        isLocal: of.isLocal,
        createdAt: `2026-01-0${of.age}T00:00:00Z`,
        ports: [{ name: "http", protocol, port: of.port }],
        ids: of.hasId ? { [`IPv4/TCP/${of.port}`]: of.id, [`IPv6/TCP/${of.port}`]: of.id + 1 } : {},
        ...(of.isForeign && { loadBalancerClass: "x/y" }),
        ...(of.hasCheck && { check: CHECK }),
        ...(of.hasDrainTimeout && { drainTimeoutMs: 5_000 }),
      }),
    );
    cluster.changed.add(key);
  };
}

function putSlice({
  key,
  at,
  endpoints: own,
}: {
  key: string;
  at: number;
  endpoints: ReturnType<typeof endpoint>[];
}): Change {
  return (cluster) => {
    cluster.slices.set(`${key}-${at}`, slice(own, { service: key }));
    cluster.changed.add(key);
  };
}

describe("a kept Planner gives what a new one gives", () => {
  test("after any history of single changes", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 25 }), (changes) => {
        const cluster = new Cluster();
        const planner = new Planner();
        for (const make of changes) {
          make(cluster);
          assert.deepEqual(
            planner.plan(cluster.view("n1", true)),
            new Planner().plan(cluster.view("n1", false)),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test("after views of which only the addresses were asked for, and views that could not be planned", async () => {
    const step = fc.record({
      change,
      what: fc.constantFrom("plan", "attract", "throw", "give way"),
      /** When it gives way: after so many pieces. */
      pieces: fc.nat(6),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const cluster = new Cluster();
        const planner = new Planner(1);
        for (const { change: make, what, pieces } of steps) {
          make(cluster);
          const view = cluster.view("n1", true);
          // What no Service has changed in asks for none, and so does not fail: it is planned like any other.
          if (what === "throw" && view.changed?.size !== 0) {
            const services = { keys: () => fail(), get: () => fail() };
            assert.throws(() => planner.attract({ ...view, services }), /on purpose/);
            continue;
          }
          const anew = new Planner().plan(cluster.view("n1", false));
          const { addresses, vips } = planner.attract(view);
          assert.deepEqual([addresses, vips], [anew.addresses, anew.vips]);
          if (what === "attract") continue;
          let left = pieces;
          if (what === "give way") {
            await planner.forwardInSlices(
              async () => undefined,
              () => left-- <= 0,
            );
            continue;
          }
          const { addresses: _, vips: __, poolsWithoutLink: ___, ...ports } = anew;
          assert.deepEqual(await planner.forwardInSlices(async () => undefined), ports);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("and after a Service whose claims changed when half of it was planned", async () => {
    const cluster = new Cluster();
    const put = (ids: Record<string, number>): void => {
      // In no pool: what has an id is not forwarded.
      cluster.services.set("a/s0", service({ key: "a/s0", vips: ["203.0.113.7"], ids }));
      cluster.changed.add("a/s0");
    };
    const planner = new Planner(1);
    put({});
    planner.attract(cluster.view("n1", true));
    assert.equal(
      await planner.forwardInSlices(
        async () => undefined,
        () => true,
      ),
      undefined,
    );
    put({ "IPv4/TCP/80": 1 });
    assert.deepEqual(planner.plan(cluster.view("n1", true)), new Planner().plan(cluster.view("n1", false)));
  });

  test("and lets others have their turn while thousands of Services are planned", async () => {
    const cluster = new Cluster();
    const names = Array.from({ length: 1_000 }, (_, at) => `a/s${at}`);
    for (const [at, key] of names.entries()) {
      cluster.services.set(key, service({ key, ids: { "IPv4/TCP/80": at + 1 } }));
      cluster.changed.add(key);
    }
    const planner = new Planner();
    planner.attract(cluster.view("n1", true));
    let turns = 0;
    const planned = await planner.forwardInSlices(async () => {
      turns += 1;
    });
    assert.ok(turns >= 10, `${turns} turns`);
    const anew = new Planner().plan(cluster.view("n1", false));
    assert.deepEqual([planned?.ports, planned?.leftOut], [anew.ports, anew.leftOut]);
  });

  test("and the same objects where nothing changed", () => {
    const cluster = new Cluster();
    for (const key of KEYS) {
      cluster.services.set(
        key,
        service({
          key,
          vips: [`172.30.0.20${KEYS.indexOf(key)}`],
          ids: { "IPv4/TCP/80": KEYS.indexOf(key) + 1 },
        }),
      );
      cluster.slices.set(key, slice([endpoint(1, "n1"), endpoint(2, "n2")], { service: key }));
    }
    const planner = new Planner();
    const before = planner.plan(cluster.view("n1", true));
    putSlice({ key: "a/s0", at: 0, endpoints: [endpoint(3, "n2")] })(cluster);
    const after = planner.plan(cluster.view("n1", true));
    assert.equal(after.addresses, before.addresses, "who attracts what is the same");
    assert.notEqual(after.ports, before.ports);
    const others = ({ service: key }: { service?: string }): boolean => key !== "a/s0";
    const kept = before.ports.filter(others);
    assert.ok(after.ports.filter(others).every((port, at) => port === kept[at]));
    const idle = planner.plan(cluster.view("n1", true));
    assert.deepEqual([idle.ports === after.ports, idle.addresses === after.addresses], [true, true]);
  });
});

function fail(): never {
  throw new Error("on purpose");
}

test("an election among those who came gives what one among all gives", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^n[0-9]{1,2}$/), { maxLength: 12 });
  fc.assert(
    fc.property(names, names, fc.ipV4(), (before, now, vip) => {
      const winner = elect({ vip, candidates: before });
      if (winner === undefined) return;
      assert.equal(reelect(vip, winner, turnoverOf(before, now), now), elect({ vip, candidates: now }));
    }),
  );
});

test("keys stay sorted, whether few or many change at once", () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 300 }).map(String), { maxLength: 150 });
  fc.assert(
    fc.property(keys, keys, keys, (before, added, removed) => {
      const gone = new Set(removed.filter((key) => !added.includes(key)));
      const expected = [...new Set([...before, ...added])].filter((key) => !gone.has(key)).sort();
      assert.deepEqual(withKeys([...before].sort(), new Set(added), gone), expected);
    }),
  );
});
