/** What is not ours, and what two Services claim. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { endpoint, service, slice, state, VIP, view, type World } from "#test/fakes/speaker-view.ts";
import type { ServiceView } from "../known/view.ts";
import { type Plan, Planner } from "./plan.ts";

const planOf = (world: World, own = "n1"): Plan => new Planner().plan(view(world, own));

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
