/** What a speaker's passes have checked, and what they do about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import { CHECK, endpoint, node, POOL, service, slice } from "#test/fakes/speaker-view.ts";
import { Speaker } from "./speaker.ts";

function world() {
  const fakes = fakeParts("n1");
  const { knowledge, health, forwarder } = fakes;
  knowledge.nodes.set("n1", node("n1"));
  knowledge.setPools(POOL);
  knowledge.put(service({ check: CHECK }), slice([endpoint(1, "n1"), endpoint(2, "n1"), endpoint(3, "n2")]));
  return {
    ...{ knowledge, health, reporter: fakes.reporter, emitted: fakes.emitted },
    speaker: new Speaker(fakes.parts),
    serving: () => forwarder.input?.ports[0]?.endpoints.map(({ isServing }) => isServing),
  };
}

test("the pass has this node's endpoints checked, and gives no new connections to those that fail", async () => {
  const { health, speaker, serving } = world();
  await speaker.pass();
  assert.deepEqual(
    health.checked.map(({ address }) => address),
    ["10.244.0.1", "10.244.0.2"],
  );
  assert.deepEqual(serving(), [true, true, true]);
  health.fail({ id: 7, address: "10.244.0.2", port: 8080 });
  await speaker.pass();
  assert.deepEqual(serving(), [true, false, true]);
});

test("if all fail, the node says so, at the Service as well, and serves them all", async () => {
  const { health, speaker, serving, reporter, emitted } = world();
  await speaker.pass();
  for (const last of [1, 2, 3]) health.fail({ id: 7, address: `10.244.0.${last}`, port: 8080 });
  await speaker.pass();
  assert.deepEqual(serving(), [true, true, true]);
  const served = reporter.status?.conditions?.find(({ type }) => type === "AllServed");
  assert.deepEqual([served?.status, served?.reason], ["False", "AllFailing"]);
  assert.ok(emitted.includes("Service web AllFailing"), emitted.join());
});

test("a node that takes no part checks nothing any more", async () => {
  const { health, speaker } = world();
  await speaker.pass();
  assert.equal(health.checked.length, 2);
  await speaker.leaveAs("NodeNotSelected");
  assert.deepEqual(health.checked, []);
});

test("where kube-proxy forwards, nothing is checked", async () => {
  const { health, speaker, knowledge } = world();
  if (knowledge.balancer !== undefined) knowledge.balancer = { ...knowledge.balancer, mode: "KubeProxy" };
  await speaker.pass();
  assert.deepEqual(health.checked, []);
});
