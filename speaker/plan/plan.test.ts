import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import {
  endpoint,
  NAMES,
  node,
  POOL,
  service,
  slice,
  state,
  VIP,
  view,
  type World,
} from "#test/fakes/speaker-view.ts";
import type { PoolView, ServiceView } from "../known/view.ts";
import { elect } from "./elect.ts";
import { type Plan, Planner } from "./plan.ts";

const planOf = (world: World, own = "n1"): Plan => new Planner().plan(view(world, own));
const first = (world: World, own = "n1") => planOf(world, own).addresses[0];

describe("owner", () => {
  test("the same on every node; only it has links to announce on", () => {
    const owner = elect({ vip: VIP, candidates: NAMES });
    for (const own of NAMES) {
      const address = first({}, own);
      assert.equal(address?.owner, owner);
      assert.deepEqual(address?.links, own === owner ? ["eth0"] : []);
    }
  });

  const excluded = [node("n1", { [LABEL_EXCLUDE_NODE]: "" }), node("n2"), node("n3")];
  const rack = [node("n1"), node("n2", { rack: "b" }), node("n3")];
  const pool = (changes: Partial<PoolView>): PoolView[] => [{ ...POOL, ...changes }];
  const cases: readonly [what: string, world: World, candidates: readonly string[]][] = [
    ["all", {}, NAMES],
    ["a dead speaker", { live: ["n1", "n3"] }, ["n1", "n3"]],
    ["a node with the exclude label", { nodes: excluded }, ["n2", "n3"]],
    ["a node that is not there", { nodes: [node("n1"), node("n3")] }, ["n1", "n3"]],
    ["not selected", { nodes: rack, nodeSelector: { rack: "b" } }, ["n2"]],
    [
      "the pool's nodeSelectors",
      { nodes: rack, pools: pool({ nodeSelectors: [{ matchLabels: { rack: "b" } }] }) },
      ["n2"],
    ],
    [
      "a speaker that is not ready",
      { states: { n1: state("n1"), n2: state("n2", { isReady: false }), n3: state("n3") } },
      ["n1", "n3"],
    ],
    [
      "no link up",
      { states: { n1: state("n1", { links: [] }), n2: state("n2"), n3: state("n3") } },
      ["n2", "n3"],
    ],
    [
      "the pool's interfaces",
      {
        states: {
          n1: state("n1"),
          n2: state("n2", { links: [{ name: "eth1", prefixes: [] }] }),
          n3: state("n3"),
        },
        pools: pool({ interfaces: ["eth1"] }),
      },
      ["n2"],
    ],
    [
      "Local: nodes with a usable endpoint",
      {
        services: [service({ isLocal: true })],
        slices: [slice([endpoint(1, "n3"), endpoint(2, "n2", { isReady: false })])],
      },
      ["n3"],
    ],
  ];
  for (const [what, world, candidates] of cases) {
    test(`candidates: ${what}`, () => assert.deepEqual(first(world)?.candidates, candidates));
  }

  test("nobody, and why", () => {
    assert.equal(first({ slices: [] })?.unowned, "NoUsableEndpoint");
    assert.equal(
      first({ slices: [slice([endpoint(1, "n1", { isReady: false, isServing: false })])] })?.unowned,
      "NoUsableEndpoint",
    );
    assert.equal(first({ live: [] })?.unowned, "NoCandidate");
    assert.equal(first({ pools: [{ ...POOL, protocol: "bgp" }], slices: [] })?.unowned, "NoUsableEndpoint");
    assert.equal(first({ pools: [{ ...POOL, protocol: "bgp" }], live: [] })?.unowned, "NoCandidate");
  });

  describe("an address of a bgp pool is advertised by every node that may, and owned by none", () => {
    const bgp = { ...POOL, protocol: "bgp" };
    const linkless = Object.fromEntries(NAMES.map((name) => [name, state(name, { links: [] })]));
    const local = { pools: [bgp], services: [service({ isLocal: true })] };
    const cases: [what: string, world: World, advertising: string[]][] = [
      ["policy Cluster", { pools: [bgp] }, ["n1", "n2", "n3"]],
      ["links do not matter", { pools: [bgp], states: linkless }, ["n1", "n2", "n3"]],
      ["policy Local: nodes with a pod of it", local, ["n1"]],
      [
        "the pool's nodes",
        {
          pools: [{ ...bgp, nodeSelectors: [{ matchLabels: { rack: "a" } }] }],
          nodes: [node("n1", { rack: "a" }), node("n2"), node("n3", { rack: "a" })],
        },
        ["n1", "n3"],
      ],
      ["a node that is not ready", { pools: [bgp], states: { n2: state("n2") } }, ["n2"]],
    ];
    for (const [what, world, advertising] of cases) {
      test(what, () => {
        const plans = NAMES.map((name) => [name, first(world, name)] as const);
        assert.deepEqual(
          plans.filter(([, plan]) => plan?.isAdvertised).map(([name]) => name),
          advertising,
        );
        for (const [, plan] of plans) {
          assert.deepEqual([plan?.owner, plan?.links, plan?.unowned], [undefined, [], undefined]);
          assert.deepEqual(plan?.candidates, advertising);
        }
      });
    }
  });

  test("a shared address is announced for the sake of any of its Services, and Local by any of their pods", () => {
    const other = service({
      key: "default/other",
      isLocal: true,
      ports: [{ name: "", protocol: "TCP", port: 443 }],
    });
    const slices = [
      slice([endpoint(1, "n2")]),
      slice([endpoint(2, "n3")], {
        service: "default/other",
        ports: [{ name: "", protocol: "TCP", port: 8443 }],
      }),
    ];
    const address = first({ services: [service({ isLocal: true }), other], slices });
    assert.deepEqual(address?.candidates, ["n2", "n3"]);
    assert.deepEqual(address?.services, ["default/other", "default/web"]);
    assert.deepEqual(
      first({ services: [service({ isLocal: true }), other], slices: slices.slice(1) })?.candidates,
      ["n3"],
    );
  });

  test("an address outside all connected prefixes goes on the link with the node's address", () => {
    const owner = elect({ vip: "203.0.113.1", candidates: NAMES }) ?? "";
    const pools = [{ ...POOL, addresses: ["203.0.113.0/24"] }];
    assert.deepEqual(first({ pools, services: [service({ vips: ["203.0.113.1"] })] }, owner)?.links, [
      "eth0",
    ]);
  });

  test("a pool whose links are not here is named", () => {
    assert.deepEqual(planOf({ pools: [{ ...POOL, interfaces: ["eth7"] }] }).poolsWithoutLink, ["pool"]);
    assert.deepEqual(planOf({}).poolsWithoutLink, []);
  });
});

describe("forwarded ports", () => {
  const endpointsOf = (world: World, own = "n1") =>
    planOf(world, own).ports[0]?.endpoints.map(({ address, port, isLocal, isServing, returnPath }) =>
      [
        address.slice(9),
        port,
        isLocal ? "local" : "remote",
        isServing ? "serving" : "draining",
        returnPath,
      ].join(" "),
    );

  test("all ready endpoints with the port of the slice, on every node", () => {
    const slices = [slice([endpoint(2, "n2"), endpoint(1, "n1")])];
    assert.deepEqual(endpointsOf({ slices }), [
      "1 8080 local serving direct",
      "2 8080 remote serving direct",
    ]);
    assert.deepEqual(endpointsOf({ slices }, "n3"), [
      "1 8080 remote serving direct",
      "2 8080 remote serving direct",
    ]);
  });

  const gone = { isReady: false, isTerminating: true };
  const cases: readonly [what: string, world: World, expected: readonly string[]][] = [
    [
      "terminating ones drain",
      { slices: [slice([endpoint(1, "n1"), endpoint(2, "n1", gone)])] },
      ["1 8080 local serving direct", "2 8080 local draining direct"],
    ],
    [
      "terminating ones serve if there is nothing else",
      { slices: [slice([endpoint(2, "n1", gone)])] },
      ["2 8080 local serving direct"],
    ],
    [
      "those that terminate and serve no more finish what they have begun",
      { slices: [slice([endpoint(1, "n1"), endpoint(2, "n1", { ...gone, isServing: false })])] },
      ["1 8080 local serving direct", "2 8080 local draining direct"],
    ],
    [
      "those not ready do, too",
      { slices: [slice([endpoint(1, "n1"), endpoint(2, "n1", { isReady: false, isServing: false })])] },
      ["1 8080 local serving direct", "2 8080 local draining direct"],
    ],
    [
      "without any that is usable there is nothing to forward to",
      { slices: [slice([endpoint(2, "n1", { isReady: false, isServing: false })])] },
      [],
    ],
    [
      "a dead node's get nothing new",
      { dead: ["n2"], slices: [slice([endpoint(1, "n1"), endpoint(2, "n2")])] },
      ["1 8080 local serving direct", "2 8080 remote draining direct"],
    ],
    [
      "a dead node's serve if there is nothing else",
      { dead: ["n2"], slices: [slice([endpoint(2, "n2")])] },
      ["2 8080 remote serving direct"],
    ],
    [
      "without a speaker there: source translated",
      { slices: [slice([endpoint(1, "n9"), endpoint(2, "")])] },
      ["1 8080 remote serving snat", "2 8080 remote serving snat"],
    ],
    [
      "in two slices: once, ready if either says so",
      { slices: [slice([endpoint(1, "n1", gone)]), slice([endpoint(1, "n1")])] },
      ["1 8080 local serving direct"],
    ],
    [
      "of another name or protocol: not ours",
      {
        slices: [
          slice([endpoint(1, "n1")], {
            ports: [
              { name: "x", protocol: "TCP", port: 1 },
              { name: "http", protocol: "UDP", port: 2 },
            ],
          }),
        ],
      },
      [],
    ],
  ];
  for (const [what, world, expected] of cases)
    test(what, () => assert.deepEqual(endpointsOf(world), expected));

  test("policy, affinity, source ranges of the family and ids go through; a port without id waits", () => {
    const vips = [VIP, "fd30::200"];
    const own = service({
      vips,
      isLocal: true,
      hasAffinity: true,
      sourceRanges: { IPv4: ["10.0.0.0/8"], IPv6: ["fd00::/8"] },
    });
    const [four, six] = planOf({ services: [own] }).ports;
    assert.deepEqual(
      [four?.id, four?.sourceRanges, four?.preferLocal, four?.affinity],
      [7, ["10.0.0.0/8"], true, true],
    );
    assert.deepEqual(
      [six?.id, six?.family, six?.sourceRanges, six?.endpoints],
      [8, "IPv6", ["fd00::/8"], []],
    );
    assert.deepEqual(planOf({ services: [service({ ids: {} })] }).ports, []);
  });

  test("a family of which no range is named is open", () => {
    const own = service({ vips: [VIP, "fd30::200"], sourceRanges: { IPv4: [], IPv6: ["fd00::/8"] } });
    assert.deepEqual(
      planOf({ services: [own] }).ports.map(({ sourceRanges }) => sourceRanges),
      [undefined, ["fd00::/8"]],
    );
  });

  test("mode KubeProxy forwards nothing and announces as before", () => {
    const plan = planOf({ mode: "KubeProxy" });
    assert.deepEqual(plan.ports, []);
    assert.deepEqual(plan.addresses, planOf({}).addresses);
  });
});

describe("what is not ours, and what two Services claim", () => {
  const other = (changes: Partial<ServiceView> = {}): ServiceView =>
    service({
      key: "mallory/web",
      uid: "u2",
      createdAt: "2026-01-02T00:00:00Z",
      vips: ["172.30.0.201"],
      ids: { "IPv4/TCP/80": 9 },
      ...changes,
    });
  const forwarded = (plan: Plan): string[] => plan.ports.map(({ vip, id }) => `${vip} ${id}`);
  const reasons = (plan: Plan): string[] => plan.leftOut.map(({ reason }) => reason);

  test("one id twice: the older Service keeps it on every node, the other is left out alone, and said", () => {
    const third = other({ key: "c/web", vips: ["172.30.0.202"], ids: { "IPv4/TCP/80": 10 } });
    const thief = other({ ids: { "IPv4/TCP/80": 7 } });
    for (const services of [
      [service(), thief, third],
      [third, thief, service()],
    ]) {
      const plan = planOf({ services, slices: [] });
      assert.deepEqual(forwarded(plan).sort(), [`${VIP} 7`, "172.30.0.202 10"]);
      assert.deepEqual(reasons(plan), ["DuplicateClaim"]);
      assert.match(
        plan.leftOut[0]?.message ?? "",
        /^TCP\/80 of Service mallory\/web .* forwarding id 7 is of Service default\/web, which is older$/,
      );
    }
  });

  test("one address and port twice: the older Service has it", () => {
    const plan = planOf({ services: [other({ vips: [VIP] }), service()], slices: [] });
    assert.deepEqual(forwarded(plan), [`${VIP} 7`]);
    assert.deepEqual(reasons(plan), ["DuplicateClaim"]);
  });

  test("an endpoint that is a broadcast address of this node's link is left out alone, and said with its Service", () => {
    const bad = endpoint(1, "n2", { address: "172.30.0.255" });
    const unusable = [{ address: "239.1.1.1", why: "is in 224.0.0.0/4 (multicast)" }];
    const slices = [slice([bad, endpoint(2, "n2")], { unusable })];
    const plan = planOf({ slices });
    assert.deepEqual(
      plan.ports.map(({ endpoints }) => endpoints.map(({ address }) => address)),
      [["10.244.0.2"]],
    );
    assert.deepEqual(plan.leftOut, [
      {
        reason: "UnusableEndpoint",
        message:
          "endpoint 239.1.1.1 of Service default/web is left out: it is in 224.0.0.0/4 (multicast), and 1 more of it",
        services: ["default/web"],
      },
    ]);
    assert.deepEqual(planOf({ slices: [slice([bad])] }).addresses[0]?.unowned, "NoUsableEndpoint");
  });

  test("another node's word about its links takes no endpoint from anybody", () => {
    const victim = endpoint(7, "n2");
    const lie = state("n2", { links: [{ name: "eth0", prefixes: ["172.30.0.2/24", "10.244.0.5/29"] }] });
    const states = { n1: state("n1"), n2: lie, n3: state("n3") };
    const plan = planOf({ slices: [slice([victim])], states });
    assert.deepEqual([plan.ports[0]?.endpoints.length, plan.leftOut], [1, []]);
  });

  test("a Service of another class, and one without a class where ours have one, get nothing", () => {
    const foreign = other({ loadBalancerClass: "example.com/other" });
    assert.deepEqual(planOf({ services: [foreign] }).vips, []);
    const classed = view({ services: [service(), foreign] });
    const loadBalancer = { ...classed.loadBalancer, loadBalancerClass: "example.com/other" };
    assert.deepEqual(new Planner().plan({ ...classed, loadBalancer }).vips, ["172.30.0.201"]);
  });

  test("a node's own address is never a Service's, whoever wrote it into the status", () => {
    const plan = planOf({ services: [service(), other({ vips: ["172.30.0.2", "172.30.0.201"] })] });
    assert.deepEqual(plan.vips, [VIP, "172.30.0.201"]);
    assert.deepEqual(plan.leftOut, [
      {
        reason: "NodeAddress",
        message:
          "nothing is done for 172.30.0.2, which the status of Service mallory/web has: it is an address of node n2",
        services: ["mallory/web"],
      },
    ]);
    assert.ok(!plan.ports.some(({ vip }) => vip === "172.30.0.2"));
  });

  test("an address of no pool is neither announced nor forwarded; the pool is found by the address", () => {
    const plan = planOf({ services: [service(), other({ vips: ["192.0.2.1"] })] });
    assert.deepEqual(plan.vips, [VIP]);
    assert.deepEqual(reasons(plan), ["NoPool"]);
    assert.deepEqual(
      plan.addresses.map(({ pool }) => pool),
      ["pool"],
    );
  });
});
