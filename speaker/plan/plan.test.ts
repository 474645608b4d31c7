/** Who attracts an address. */
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
import type { PoolView } from "../known/view.ts";
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
  const cases: [what: string, world: World, candidates: readonly string[]][] = [
    ["all", {}, NAMES],
    ["a dead speaker", { live: ["n1", "n3"] }, ["n1", "n3"]],
    ["a node with the exclude label", { nodes: excluded }, ["n2", "n3"]],
    ["the exclude label where it is ignored", { nodes: excluded, ignoresExcludeLabel: true }, NAMES],
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
  const going = (...names: string[]): NonNullable<World["nodes"]> =>
    NAMES.map((name) => ({ ...node(name), ...(names.includes(name) && { departure: "Cordoned" as const }) }));
  const localOn = (name: string): World => ({
    services: [service({ isLocal: true })],
    slices: [slice([endpoint(1, name)])],
  });
  cases.push(
    ["a node that is drained", { nodes: going("n2") }, ["n1", "n3"]],
    ["a drained node where that does not matter", { nodes: going("n2"), drain: "None" }, NAMES],
    ["all nodes drained", { nodes: going(...NAMES) }, NAMES],
    [
      "Local: a drained node, as long as no other one has a pod",
      { nodes: going("n2"), ...localOn("n2") },
      ["n2"],
    ],
    ["Local: a drained node without a pod", { nodes: going("n2"), ...localOn("n3") }, ["n3"]],
    ["bgp: a drained node goes on", { nodes: going("n2"), pools: pool({ protocol: "bgp" }) }, NAMES],
  );
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

  test("of an address that only nodes with pods advertise, each knows how many it has", () => {
    const pools = [{ ...POOL, protocol: "bgp" }];
    const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n2")])];
    const podsOf = (isLocal: boolean) =>
      NAMES.map((name) => first({ pools, services: [service({ isLocal })], slices }, name)?.localPods);
    assert.deepEqual(podsOf(true), [1, 2, undefined]);
    assert.deepEqual(podsOf(false), [undefined, undefined, undefined]);
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
