/** From IPVS to kube-proxy: who forwards until kube-proxy does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import { endpoint, node, POOL, service, slice, VIP } from "#test/fakes/speaker-view.ts";
import { ForwardingError } from "./forwarding/types.ts";
import { KUBE_PROXY_MS } from "./handover.ts";
import type { PeerView } from "./known/view.ts";
import { Speaker } from "./speaker.ts";

const PEER: PeerView = {
  ...{ name: "tor", address: "172.30.0.253", port: 179, localAsn: 64_512, peerAsn: 64_513 },
  ...{ nodeSelectors: [], isMultihop: false, gracefulRestart: true, isDualStack: false },
};

/** A speaker on n1 that forwards by IPVS, the only one of its cluster. */
async function world() {
  const fakes = fakeParts("n1");
  const { knowledge, members, forwarder, reporter, steps, parts } = fakes;
  knowledge.nodes.set("n1", node("n1"));
  // Of layer 2 the pool would miss a link.
  knowledge.setPools({ ...POOL, protocol: "bgp" });
  knowledge.peerViews = [PEER];
  members.judgement = { ...members.judgement, live: ["n1"], isFrozen: false };
  const speaker = new Speaker(parts);
  const clock = parts.clock as unknown as { advance(ms: number): Promise<void> };
  return {
    speaker,
    forwarder,
    advance: (ms: number) => clock.advance(ms),
    /** Prefixes that the router was told, plan by plan. */
    told: fakes.router.advertised,
    programmed: () => reporter.status?.forwarding?.programmed,
    /** Who the status of the Service says forwards. */
    tell: (isKept: boolean) =>
      knowledge.put(service(isKept ? { isKept: true } : {}), slice([endpoint(1, "n1")])),
    mode: (mode: "IPVS" | "KubeProxy") => {
      if (knowledge.balancer !== undefined) knowledge.balancer = { ...knowledge.balancer, mode };
    },
    /** Another pass, and what the kernel was asked to do. */
    pass: async () => {
      steps.length = 0;
      const outcome = await speaker.pass();
      const asked = steps.filter((step) => step === "program" || step === "empty");
      return { asked, againMs: outcome?.retryAfterMs };
    },
  };
}

test("IPVS goes on until kube-proxy was told of all addresses, and ten seconds more", async () => {
  const all = await world();
  all.tell(true);
  await all.pass();
  assert.equal(all.programmed(), true);
  all.mode("KubeProxy");
  assert.deepEqual((await all.pass()).asked, ["program"]);
  await all.advance(KUBE_PROXY_MS * 5);
  assert.deepEqual((await all.pass()).asked, ["program"], "no controller has told kube-proxy");
  all.tell(false);
  await all.advance(1_000);
  assert.deepEqual(await all.pass(), { asked: ["program"], againMs: KUBE_PROXY_MS - 1_000 });
  await all.advance(KUBE_PROXY_MS - 1_000);
  assert.deepEqual((await all.pass()).asked, ["empty"]);
  assert.equal(all.programmed(), undefined);
  assert.deepEqual(await all.pass(), { asked: [], againMs: undefined });
});

test("kube-proxy gets its ten seconds where it was told before the speaker heard of the mode", async () => {
  const all = await world();
  all.tell(true);
  await all.pass();
  all.tell(false);
  all.mode("KubeProxy");
  assert.deepEqual(await all.pass(), { asked: ["program"], againMs: KUBE_PROXY_MS });
  await all.advance(KUBE_PROXY_MS);
  assert.deepEqual((await all.pass()).asked, ["empty"]);
});

test("a change back within that time changes nothing", async () => {
  const all = await world();
  all.tell(true);
  await all.pass();
  all.mode("KubeProxy");
  await all.pass();
  all.tell(false);
  all.mode("IPVS");
  await all.pass();
  await all.advance(KUBE_PROXY_MS * 2);
  assert.deepEqual(await all.pass(), { asked: ["program"], againMs: undefined });
  assert.equal(all.programmed(), true);
  all.mode("KubeProxy");
  assert.deepEqual(
    await all.pass(),
    { asked: ["program"], againMs: KUBE_PROXY_MS },
    "and the next one counts anew",
  );
});

test("a node that cannot forward, and a speaker that starts, leave it to kube-proxy at once", async () => {
  const all = await world();
  all.tell(true);
  all.forwarder.fault = new ForwardingError("NoIpvs", "no ip_vs");
  await all.pass();
  assert.equal(all.programmed(), undefined);
  all.forwarder.fault = undefined;
  all.mode("KubeProxy");
  assert.deepEqual(await all.pass(), { asked: ["empty"], againMs: undefined });
});

test("a pass that gave way has not put everything into the kernel", async () => {
  const all = await world();
  all.tell(true);
  all.forwarder.whole = new Set();
  await all.pass();
  assert.equal(all.programmed(), undefined);
  all.forwarder.whole = undefined;
  await all.pass();
  assert.equal(all.programmed(), true);
});

test("from kube-proxy to IPVS routers go on to hear what kube-proxy forwards, and what is new when it is in the kernel", async () => {
  const all = await world();
  all.tell(false);
  all.mode("KubeProxy");
  await all.pass();
  await all.pass();
  assert.deepEqual(all.told, [[`${VIP}/32`]]);
  all.mode("IPVS");
  all.forwarder.whole = new Set();
  await all.pass();
  assert.equal(all.programmed(), undefined);
  assert.deepEqual(all.told, [[`${VIP}/32`]], "nothing was withdrawn meanwhile");
  all.tell(true);
  await all.pass();
  assert.deepEqual(all.told.at(-1), [], "an address that is ours, and not in the kernel, is told to nobody");
});
