/** Which endpoints a node checks, and what becomes of those that fail. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHECK, endpoint, service, slice, VIP, view, type World } from "#test/fakes/speaker-view.ts";
import type { HealthCheck } from "../known/view.ts";
import { type Plan, Planner } from "./plan.ts";

const planOf = (world: World, own = "n1"): Plan => new Planner().plan(view(world, own));
const checked = (check: HealthCheck = CHECK) => service({ check });
const failing = (...addresses: readonly string[]): NonNullable<World["health"]> => ({
  isFailing: ({ address }) => addresses.includes(address),
  changed: new Set(),
});

describe("what is checked", () => {
  const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n1", { isReady: false })])];

  test("the ready endpoints of this node, at their own port, and of Services that ask for it alone", () => {
    const { checks } = planOf({ services: [checked()], slices });
    assert.deepEqual(
      checks.map(({ service, address, port, places }) => ({ service, address, port, places })),
      [
        {
          service: "default/web",
          ...{ address: "10.244.0.1", port: 8080, places: [{ id: 7, address: "10.244.0.1", port: 8080 }] },
        },
      ],
    );
    assert.deepEqual(planOf({ services: [service()], slices }).checks, []);
    assert.deepEqual(planOf({ services: [checked()], slices, mode: "KubeProxy" }).checks, []);
  });

  test("with a port of the check's own, once for all ports of the Service", () => {
    const ports = [
      { name: "http", protocol: "TCP" as const, port: 80 },
      { name: "other", protocol: "UDP" as const, port: 81 },
    ];
    const own = service({ ports, ids: { "IPv4/TCP/80": 7, "IPv4/UDP/81": 9 }, vips: [VIP, "172.30.0.201"] });
    const both = [
      slice([endpoint(1, "n1")], { ports: ports.map((one) => ({ ...one, port: one.port + 8_000 })) }),
    ];
    const idsOf = (check: HealthCheck) =>
      planOf({ services: [{ ...own, check }], slices: both }).checks.map(({ port, places }) => [
        port,
        places.map(({ id }) => id),
      ]);
    assert.deepEqual(idsOf({ ...CHECK, port: 9_000 }), [[9_000, [7, 9]]]);
    assert.deepEqual(idsOf(CHECK), [[8_080, [7]]]);
    assert.deepEqual(idsOf({ ...CHECK, kind: "udp" }), [[8_081, [9]]]);
  });

  test("the list is the same object while nothing in it changes", () => {
    const planner = new Planner();
    const world = { services: [checked()], slices };
    const first = planner.plan(view(world)).checks;
    assert.equal(first.length, 1);
    const more = [...slices, slice([endpoint(9, "n3")])];
    assert.equal(planner.plan(view({ services: [checked()], slices: more })).checks, first);
    assert.notEqual(
      planner.plan(view({ ...world, services: [checked({ ...CHECK, rise: 3 })] })).checks,
      first,
    );
  });

  test("no more than a node can check in time: namespaces in turn, and the rest is said", () => {
    const of = (namespace: string, count: number, intervalMs: number) =>
      Array.from({ length: count }, (_, at) => ({
        one: service({
          key: `${namespace}/s${at}`,
          check: { ...CHECK, intervalMs },
          ids: { "IPv4/TCP/80": at + 1 },
        }),
        endpoints: slice([endpoint(1 + (at % 200), "n1")], { service: `${namespace}/s${at}` }),
      }));
    const all = [...of("greedy", 400, 100), ...of("modest", 5, 500)];
    const { checks, leftOut } = planOf({
      services: all.map(({ one }) => one),
      slices: all.map(({ endpoints }) => endpoints),
    });
    assert.equal(checks.filter(({ service }) => service.startsWith("modest/")).length, 5);
    assert.ok(checks.reduce((rate, { check }) => rate + 1_000 / check.intervalMs, 0) <= 500);
    const said = leftOut.find(({ reason }) => reason === "TooManyChecks");
    assert.match(
      said?.message ?? "",
      new RegExp(`^${405 - checks.length} endpoints of this node are not checked`),
    );
    assert.ok(said?.services.every((key) => key.startsWith("greedy/")));
  });
});

describe("what fails its checks", () => {
  const standing = (world: World, own = "n1") =>
    planOf(world, own).ports[0]?.endpoints.map(({ address, isServing, isFailing }) =>
      [address.slice(9), isServing ? "serves" : "drains", isFailing === true ? "fails" : ""].join(" ").trim(),
    );
  const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n2")])];
  const services = [checked()];

  test("gets no new connections while another one is well, on every node", () => {
    for (const own of ["n1", "n3"]) {
      assert.deepEqual(standing({ services, slices, health: failing("10.244.0.2") }, own), [
        "1 serves",
        "2 drains fails",
        "3 serves",
      ]);
    }
  });

  test("counts for nothing where the Service asks for no checks", () => {
    assert.deepEqual(standing({ slices, health: failing("10.244.0.2") }), [
      "1 serves",
      "2 serves",
      "3 serves",
    ]);
  });

  test("if all fail, all stay, and the Service is told; also if the others are on dead nodes or not ready", () => {
    const all = planOf({ services, slices, health: failing("10.244.0.1", "10.244.0.2", "10.244.0.3") });
    assert.deepEqual(
      all.ports[0]?.endpoints.map(({ isServing }) => isServing),
      [true, true, true],
    );
    assert.deepEqual(all.leftOut, [
      {
        reason: "AllFailing",
        message:
          "all endpoints of TCP/80 of Service default/web fail their checks, so all of them get connections",
        services: ["default/web"],
      },
    ]);
    const dead = { services, slices, dead: ["n2"], health: failing("10.244.0.1") };
    assert.deepEqual(standing(dead), ["1 serves", "2 drains", "3 drains"]);
    const unready = [slice([endpoint(1, "n1"), endpoint(2, "n2", { isReady: false })])];
    assert.deepEqual(standing({ services, slices: unready, health: failing("10.244.0.1") }), [
      "1 serves",
      "2 drains",
    ]);
  });

  test("of UDP it is left out: a client that keeps its port would stay with it for good", () => {
    const ports = [{ name: "dns", protocol: "UDP" as const, port: 53 }];
    const own = service({ ports, ids: { "IPv4/UDP/53": 7 }, check: { ...CHECK, kind: "udp" } });
    const pods = [slice([endpoint(1, "n1"), endpoint(2, "n2")], { ports })];
    assert.deepEqual(standing({ services: [own], slices: pods, health: failing("10.244.0.2") }), [
      "1 serves",
    ]);
  });

  test("a Planner that kept what it made looks again at the Services of the ids alone that changed", () => {
    const planner = new Planner();
    const bad = new Set<string>();
    const world = (changed: readonly number[]): World => ({
      ...{ services, slices },
      health: { isFailing: ({ address }) => bad.has(address), changed: new Set(changed) },
    });
    const first = planner.plan({ ...view(world([])), changed: new Set() });
    bad.add("10.244.0.2");
    const unheard = planner.plan({ ...view(world([99])), services: byKey, changed: new Set() });
    assert.equal(unheard.ports, first.ports);
    const heard = planner.plan({ ...view(world([7])), services: byKey, changed: new Set() });
    assert.deepEqual(
      heard.ports[0]?.endpoints.map(({ isServing }) => isServing),
      [true, false, true],
    );
  });
  const byKey = new Map(services.map((one) => [one.key, one]));

  test("annotations that cannot be used are told to their Service", () => {
    const { leftOut } = planOf({ services: [service({ faults: ["x is wrong", "y too"] })], slices });
    assert.deepEqual(leftOut, [
      {
        reason: "UnusableAnnotation",
        message: "what annotations of Service default/web ask for is left out: x is wrong, and 1 more of it",
        services: ["default/web"],
      },
    ]);
  });
});
