import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ContestedReason } from "#api/v1beta1/conditions.ts";
import { SERVICE_CONDITION } from "#controller/status/plan.ts";
import { contestedMessage } from "#controller/status/rival.ts";
import { record } from "#controller/testing/records.ts";
import { type TermWorld, termWorld } from "#test/fakes/term.ts";

const KEY = "default/web";
const THEIRS = { ingress: [{ ip: "172.18.0.3" }], statusManager: "k3s" };

/** A Service with our address, and somebody who overwrites it whenever we write it. */
async function fought(): Promise<TermWorld> {
  const world = termWorld();
  world.addPool("first", "10.0.0.0/24");
  world.services.set(KEY, record("web"));
  await world.clock.advance(1_000);
  world.onWrite = (key) => {
    if (key === KEY && world.patches.at(-1)?.patch.status?.loadBalancer !== undefined) {
      world.overwrite(KEY, THEIRS);
    }
  };
  world.overwrite(KEY, THEIRS);
  await world.clock.advance(0);
  return world;
}

const conditionOf = ({ services }: TermWorld) =>
  services.get(KEY)?.conditions.find(({ type }) => type === SERVICE_CONDITION);
const addressWrites = ({ patches }: TermWorld): number[] =>
  patches.filter(({ patch }) => patch.status?.loadBalancer !== undefined).map(({ at }) => at);

describe("a Service that another controller keeps writing", () => {
  test("is written again after growing pauses, of five minutes at most", async () => {
    const world = await fought();
    await world.clock.advance(3_600_000);
    const times = addressWrites(world);
    const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    assert.ok(times.length >= 12 && times.length < 28, `${times.length} writes of its address in an hour`);
    assert.equal(pauses.at(-1), 300_000);
    assert.ok(world.patches.length < times.length + 5, "and the condition is not written over and over");
    await world.end();
  });

  test("has one condition and one event, which name the field manager and what to do", async () => {
    const world = await fought();
    await world.clock.advance(600_000);
    const { status, reason, message = "" } = conditionOf(world) ?? {};
    assert.deepEqual([status, reason], ["False", ContestedReason.StatusContested]);
    assert.match(message, /field manager "k3s".*--disable servicelb/);
    const told = world.events.filter(({ reason: each }) => each === ContestedReason.StatusContested);
    assert.deepEqual(
      told.map((event) => event.message),
      [message],
    );
    assert.ok(world.events.length < 12, `${world.events.length} events in all`);
    await world.end();
  });

  test("has our address, no condition and no pause any more once the other one stopped", async () => {
    const world = await fought();
    await world.clock.advance(600_000);
    world.onWrite = () => undefined;
    await world.clock.advance(300_000);
    assert.deepEqual(world.services.get(KEY)?.ingress, [{ ip: "10.0.0.0", ipMode: "Proxy" }]);
    await world.clock.advance(1_200_000);
    assert.equal(conditionOf(world), undefined);
    const before = addressWrites(world).length;
    world.overwrite(KEY, THEIRS);
    await world.clock.advance(0);
    assert.equal(addressWrites(world).length, before + 1, "and is put right at once again");
    await world.end();
  });

  test("costs no other Service its moment", async () => {
    const world = await fought();
    await world.clock.advance(60_000);
    world.services.set("default/other", record("other"));
    await world.clock.advance(0);
    assert.deepEqual(world.services.get("default/other")?.ingress, [{ ip: "10.0.0.1", ipMode: "Proxy" }]);
    await world.end();
  });

  test("a person who edits it once is answered at once and without a word", async () => {
    const world = termWorld();
    world.addPool("first", "10.0.0.0/24");
    world.services.set(KEY, record("web"));
    await world.clock.advance(1_000);
    world.overwrite(KEY, { ...THEIRS, statusManager: "kubectl-edit" });
    await world.clock.advance(0);
    assert.deepEqual(world.services.get(KEY)?.ingress, [{ ip: "10.0.0.0", ipMode: "Proxy" }]);
    assert.equal(conditionOf(world), undefined);
    await world.end();
  });
});

test("the words name the manager, printable and short, and the remedy for those that are known", () => {
  for (const [manager, words] of [
    ["k3s", /"k3s".*start k3s with --disable servicelb/],
    ["controller", /"controller".*MetalLB, remove it/],
    ["kube-vip", /"kube-vip".*turn its handling/],
    ["someone", /"someone".*stop it, or let spec.loadBalancerClass/],
    ["\u202eevil", /"\\u202eevil"/],
    [undefined, /^another controller keeps writing/],
    ["x".repeat(5_000), /"x{128}"/],
  ] as const) {
    assert.match(contestedMessage(manager), words);
  }
});
