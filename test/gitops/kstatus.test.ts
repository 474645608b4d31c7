/**
 * What kstatus, by which Flux and others wait, makes of our objects: the library itself, built from its Go module, on
 * objects as a real API server has them, before anybody looked at them and with statuses that Genkan writes.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import { setJudgement } from "#api/v1beta1/valid-condition.ts";
import { addressPools, bfdProfiles, bgpPeers, loadBalancers, type Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { buildGoProgram } from "#test/go-program.ts";
import { installGenkan, SYSTEM } from "#test/integration/controller-process.ts";
import { TestPlane } from "#test/integration/plane.ts";

const FAULT: Fault = { field: "spec", message: "is no good" };
/** Kind -> a spec of it. */
const SPECS: readonly (readonly [Resource<KubeObject>, object])[] = [
  [addressPools, { protocol: "layer2", addresses: ["10.0.0.0/24"] }],
  [bgpPeers, { myASN: 64512, peerASN: 64513, peerAddress: "10.9.0.1" }],
  [bfdProfiles, {}],
  [loadBalancers, {}],
];
const NAME = "loadbalancer";

let plane: TestPlane;
let program = "";
before(async () => {
  program = await buildGoProgram(join(import.meta.dirname, "kstatus"));
  plane = await TestPlane.start();
  await installGenkan(plane);
});
after(() => plane?.[Symbol.asyncDispose]());

async function verdictOf(resource: Resource<KubeObject>): Promise<string> {
  const object = await plane.client.get(resource, NAME, SYSTEM);
  const { group, version, kind } = resource;
  const whole = { ...object, apiVersion: `${group}/${version}`, kind };
  const { status } = JSON.parse(execFileSync(program, { input: JSON.stringify(whole), encoding: "utf8" }));
  return status;
}

for (const [resource, spec] of SPECS) {
  const { kind } = resource;
  const at = { name: NAME, namespace: SYSTEM };
  const write = async (conditions: readonly Condition[], observedGeneration: number): Promise<void> => {
    const body = { status: { observedGeneration, conditions } };
    await plane.client.patch(resource, { ...at, type: "merge", subresource: "status", body });
  };
  const judged = (faults: readonly Fault[], generation: number) =>
    setJudgement([], { faults, generation }, new Date());

  test(`${kind}: waits until somebody has looked at its newest generation, and found it good`, async () => {
    await plane.client.create(resource, { metadata: at, spec } as never);
    assert.equal(await verdictOf(resource), "InProgress", "nobody has looked at it");
    await write(judged([], 1), 1);
    assert.equal(await verdictOf(resource), "Current");
    await write(judged([FAULT], 1), 1);
    assert.equal(await verdictOf(resource), "InProgress", "a rule is broken");
    await write(judged([], 1), 0);
    assert.equal(await verdictOf(resource), "InProgress", "a change was not looked at");
    const held = { metadata: { finalizers: ["genkan.test/held"] } };
    await plane.client.patch(resource, { ...at, type: "merge", body: held });
    await plane.client.remove(resource, at.name, { namespace: SYSTEM });
    assert.equal(await verdictOf(resource), "Terminating");
    await plane.client.patch(resource, { ...at, type: "merge", body: { metadata: { finalizers: null } } });
  });
}
