/** What a node forwards. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { endpoint, service, slice, state, VIP, view, type World } from "#test/fakes/speaker-view.ts";
import type { EndpointView } from "../known/view.ts";
import { type Plan, Planner } from "./plan.ts";

const planOf = (world: World, own = "n1"): Plan => new Planner().plan(view(world, own));

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

  test("each names its node, if the slice does", () => {
    const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "")])];
    const nodes = planOf({ slices }).ports[0]?.endpoints.map(({ node }) => node);
    assert.deepEqual(nodes, ["n1", "n2", undefined]);
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
      "returnPath SNAT: those of other nodes answer by this one",
      { translates: true, slices: [slice([endpoint(1, "n1"), endpoint(2, "n2")])] },
      ["1 8080 local serving direct", "2 8080 remote serving snat"],
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

  const takesGre = state("n2", { tunnels: ["gre"] });
  const tunnelsOf = (world: World): unknown => {
    const plan = planOf({
      slices: [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n3"), endpoint(4, "n9")])],
      states: { n1: state("n1", { tunnels: ["gre"] }), n2: takesGre, n3: state("n3") },
      ...world,
    });
    const { endpoints = [] } = plan.ports[0] ?? {};
    return [endpoints.map(({ tunnel = "ipip" }) => tunnel), plan.otherwiseReached];
  };
  const TUNNELS: readonly [what: string, world: World, endpoints: readonly string[], otherwise: string[]][] =
    [
      ["nothing else is asked for", {}, ["ipip", "ipip", "ipip", "ipip"], []],
      [
        "gre: to those that say that they take it, and to nobody else",
        { tunnel: "gre" },
        ["ipip", "gre", "ipip", "ipip"],
        ["n3"],
      ],
      ["gue: nobody takes it", { tunnel: "gue" }, ["ipip", "ipip", "ipip", "ipip"], ["n2", "n3"]],
      [
        "none: to those on the link",
        { tunnel: "none", onLink: ["n3"] },
        ["ipip", "ipip", "none", "ipip"],
        ["n2"],
      ],
      [
        "what is translated is sent by none",
        { tunnel: "gre", translates: true },
        ["ipip", "ipip", "ipip", "ipip"],
        ["n3"],
      ],
      [
        "the dead are not said",
        { tunnel: "gre", live: ["n1", "n2"], dead: ["n3"] },
        ["ipip", "gre", "ipip", "ipip"],
        [],
      ],
    ];
  for (const [what, world, endpoints, otherwise] of TUNNELS)
    test(`tunnels: ${what}`, () => assert.deepEqual(tunnelsOf(world), [endpoints, otherwise]));

  test("one that ends keeps its connections until its Service's time is over, unless nobody else serves", () => {
    const ends = { isReady: false, isTerminating: true };
    const world = (drainTimeoutMs: number | undefined, ...last: readonly EndpointView[]): World => ({
      services: [service(drainTimeoutMs === undefined ? {} : { drainTimeoutMs })],
      slices: [slice([...last])],
      drains: {
        isOver: (key, address) => key === service().key && address === "10.244.0.2",
        changed: new Set(),
      },
    });
    const others = [endpoint(1, "n1"), endpoint(3, "n1", ends)];
    const [local, gone] = ["1 8080 local serving direct", "3 8080 local draining direct"];
    assert.deepEqual(endpointsOf(world(5_000, endpoint(2, "n1", ends), ...others)), [local, gone]);
    assert.deepEqual(endpointsOf(world(5_000, endpoint(2, "n1", ends))), ["2 8080 local serving direct"]);
    assert.deepEqual(endpointsOf(world(5_000, endpoint(2, "n1"))), ["2 8080 local serving direct"]);
    assert.equal(endpointsOf(world(undefined, endpoint(2, "n1", ends), ...others))?.length, 3);
  });

  test("stations of other nodes are known where packets are handed on as they are, and nowhere else", () => {
    const link = (hardware: string) => ({ name: "eth0", prefixes: ["172.30.0.2/24"], hardware });
    const states = {
      n1: state("n1", { links: [link("020000000001")] }),
      n2: state("n2", { links: [link("020000000002"), link("0200")] }),
    };
    assert.deepEqual(planOf({ tunnel: "none", states }).stations, ["020000000002"]);
    assert.equal(planOf({ tunnel: "gre", states }).stations, undefined);
  });

  test("what is translated because the LoadBalancer asks for it is no fault of a node", () => {
    const slices = [slice([endpoint(2, "n2"), endpoint(3, "n9")])];
    assert.equal(planOf({ slices }).translated, 1);
    assert.equal(planOf({ slices, translates: true }).translated, 0);
  });

  test("where nodes prefer their own pods, every Service's do as with policy Local", () => {
    const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2")])];
    assert.deepEqual(
      [planOf({ slices }), planOf({ slices, prefersLocal: true })].map(({ ports }) => ports[0]?.preferLocal),
      [false, true],
    );
  });

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
