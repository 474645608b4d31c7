/** Who forwards while kube-proxy's addresses go over to the speakers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { Ingress, ServiceRecord } from "#controller/allocation/service.ts";
import {
  doAllForward,
  PATIENCE_MS,
  projectSpeaker,
  SETTLE_MS,
  type SpeakerRecord,
} from "#controller/status/handover.ts";
import { record } from "#controller/testing/records.ts";
import { type TermWorld, termWorld } from "#test/fakes/term.ts";

const READY = { type: "ForwardingReady", status: "True" };
const FORWARDS = { mode: "IPVS", programmed: true };

for (const [what, status, forwards] of [
  ["all is in the kernel", { forwarding: FORWARDS, conditions: [READY] }, true],
  ["kube-proxy is to forward", { forwarding: { mode: "KubeProxy" }, conditions: [READY] }, false],
  ["the first pass is not through", { forwarding: { mode: "IPVS" }, conditions: [READY] }, false],
  ["the kernel refuses", { forwarding: FORWARDS, conditions: [{ ...READY, status: "False" }] }, false],
  ["nothing was judged", { forwarding: FORWARDS }, false],
] as const) {
  test(`a speaker ${forwards ? "forwards" : "does not forward"}: ${what}`, () => {
    const raw = { metadata: { name: "n1" }, status: { observedGeneration: 3, ...status } };
    const read = projectSpeaker(raw as unknown as SpeakerStatus);
    assert.deepEqual(read, { generation: 3, forwards });
  });
}

const speaker = (more: Partial<SpeakerRecord> = {}): SpeakerRecord => ({
  generation: 2,
  forwards: true,
  ...more,
});

for (const [what, speakers, desired, all] of [
  ["two of two", [speaker(), speaker()], 2, true],
  ["one of an old node more than there are to be", [speaker(), speaker(), speaker()], 2, true],
  ["one has not spoken", [speaker()], 2, false],
  ["one does not forward", [speaker(), speaker({ forwards: false })], 2, false],
  ["one follows the LoadBalancer of before", [speaker(), speaker({ generation: 1 })], 2, false],
  ["nobody knows how many there are to be", [speaker()], undefined, false],
  ["there are to be none", [], 0, false],
] as const) {
  test(`all forward, or not: ${what}`, () =>
    assert.equal(doAllForward(speakers, { generation: 2, desired }), all));
}

const modes = ({ services }: TermWorld, key: string): (string | undefined)[] | undefined =>
  services.get(key)?.ingress.map(({ ipMode }) => ipMode);

/** A Service as another load balancer leaves it. */
const theirs = (name: string, ip: string, entry: Partial<Ingress> = { ipMode: "VIP" }): ServiceRecord =>
  record(name, { ingress: [{ ip, ...entry }] });

async function world(): Promise<TermWorld> {
  const all = termWorld();
  all.addPool("web", "10.0.0.0/24");
  await all.clock.advance(1_000);
  return all;
}

test("a Service of another load balancer stays with kube-proxy until the speakers forward, and have had a moment", async () => {
  const all = await world();
  const { clock, services } = all;
  services.set("default/web", theirs("web", "10.0.0.7"));
  services.set("default/old", theirs("old", "10.0.0.8", {}));
  services.set("default/new", record("new"));
  await clock.advance(1_000);
  assert.deepEqual(all.addressesOf("default/web"), ["10.0.0.7"]);
  assert.deepEqual(modes(all, "default/web"), ["VIP"]);
  assert.deepEqual(modes(all, "default/old"), ["VIP"], "what says nothing is kube-proxy's");
  assert.deepEqual(modes(all, "default/new"), ["Proxy"], "kube-proxy has never forwarded it");
  const isOurs = services.get("default/web")?.conditions.some(({ type }) => type === FORWARDING_CONDITION);
  assert.equal(isOurs, true, "speakers forward what the status says is ours");
  all.say("n1", {});
  await clock.advance(60_000);
  assert.deepEqual(modes(all, "default/web"), ["VIP"], "the other node does not forward");
  all.say("n2", {});
  await clock.advance(0);
  assert.deepEqual(modes(all, "default/web"), ["Proxy"]);
  assert.deepEqual(modes(all, "default/old"), ["Proxy"]);
  const writes = all.patches.length;
  services.set("default/late", theirs("late", "10.0.0.9"));
  await clock.advance(SETTLE_MS - 2_000);
  assert.deepEqual(modes(all, "default/late"), ["VIP"], "no speaker has it yet, though all forward");
  await clock.advance(2_000);
  assert.deepEqual(modes(all, "default/late"), ["Proxy"]);
  assert.equal(all.patches.length - writes, 2);
  await all.end();
});

test("another mode: kube-proxy gets the addresses at once, and gives them back when all forward", async () => {
  const all = await world();
  const { clock, services } = all;
  all.say("n1", {});
  all.say("n2", {});
  services.set("default/web", record("web"));
  // Patience counts from the change of the mode.
  await clock.advance(PATIENCE_MS);
  assert.deepEqual(modes(all, "default/web"), ["Proxy"]);
  all.configure({ forwarding: { mode: "KubeProxy" } });
  await clock.advance(1_000);
  assert.deepEqual(modes(all, "default/web"), ["VIP"]);
  await clock.advance(60_000);
  all.configure({ forwarding: { mode: "IPVS" } });
  await clock.advance(60_000);
  assert.deepEqual(modes(all, "default/web"), ["VIP"], "what the speakers said is about the mode before");
  all.say("n1", {});
  all.say("n2", { forwards: false });
  await clock.advance(60_000);
  assert.deepEqual(modes(all, "default/web"), ["VIP"]);
  all.say("n2", {});
  await clock.advance(0);
  assert.deepEqual(modes(all, "default/web"), ["Proxy"]);
  await all.end();
});

test("a node that is dead keeps the others from it for ten minutes, and no longer", async () => {
  const all = await world();
  const { clock, services } = all;
  services.set("default/web", theirs("web", "10.0.0.7"));
  all.say("n1", {});
  await clock.advance(PATIENCE_MS - 5_000);
  assert.deepEqual(modes(all, "default/web"), ["VIP"]);
  await clock.advance(5_000);
  assert.deepEqual(modes(all, "default/web"), ["Proxy"]);
  await all.end();
});

test("who waited and is gone is asked about no more", async () => {
  const all = await world();
  const { clock, services } = all;
  services.set("default/web", theirs("web", "10.0.0.7"));
  await clock.advance(1_000);
  const count = (): unknown => (all.term.describe() as { leftToKubeProxy: number }).leftToKubeProxy;
  assert.equal(count(), 1);
  services.delete("default/web");
  await clock.advance(1_000);
  assert.equal(count(), 0);
  await all.end();
});
