/** Services that bear our finalizer, from the address to the end: a whole term, with a server that shows each write at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithdrawn } from "#api/forwarding-ids.ts";
import { CLEANUP_FINALIZER } from "#api/names.ts";
import { WITHDRAWAL_MS } from "#controller/status/departure.ts";
import { record } from "#controller/testing/records.ts";
import { type TermWorld, termWorld } from "#test/fakes/term.ts";

const KEY = "default/web";

/** A Service "web" that has its address, under this setting. */
async function served(cleanupFinalizer: boolean): Promise<TermWorld> {
  const all = termWorld();
  all.configure({ cleanupFinalizer });
  all.addPool("pool", "10.0.0.0/24");
  all.services.set(KEY, record("web", { finalizers: ["x/y"] }));
  await all.clock.advance(1_000);
  return all;
}

const finalizersOf = (all: TermWorld, key = KEY): readonly string[] | undefined =>
  all.services.get(key)?.finalizers;

/** To Services. */
const writesOf = (all: TermWorld): number => all.patches.filter(({ key }) => key === KEY).length;

test("address and finalizer come in one write, beside the finalizers of others, and nothing more is written", async () => {
  const all = await served(true);
  assert.deepEqual(finalizersOf(all), ["x/y", CLEANUP_FINALIZER]);
  assert.equal(writesOf(all), 1);
  all.overwrite(KEY, { labels: { touched: "yes" } });
  await all.clock.advance(1_000);
  assert.equal(writesOf(all), 1);
  await all.end();
});

test("by default no Service gets it", async () => {
  const all = await served(false);
  assert.deepEqual(finalizersOf(all), ["x/y"]);
  await all.end();
});

test("it comes and goes with the setting, and comes back when somebody takes it off", async () => {
  const all = await served(false);
  all.configure({ cleanupFinalizer: true });
  await all.clock.advance(1_000);
  assert.deepEqual(finalizersOf(all), ["x/y", CLEANUP_FINALIZER]);
  all.overwrite(KEY, { finalizers: [], hasOurFinalizer: false });
  await all.clock.advance(1_000);
  assert.deepEqual(finalizersOf(all), [CLEANUP_FINALIZER]);
  all.configure({});
  await all.clock.advance(1_000);
  assert.deepEqual(finalizersOf(all), []);
  assert.deepEqual(all.addressesOf(KEY), ["10.0.0.0"]);
  await all.end();
});

test("a Service without an address has nothing to clean up: it gets none, and loses it with its address", async () => {
  const all = await served(true);
  all.overwrite(KEY, { loadBalancerIp: "192.0.2.1" });
  await all.clock.advance(1_000);
  assert.deepEqual(finalizersOf(all), ["x/y"]);
  await all.end();
});

for (const [what, change] of [
  ["another type", { type: "ClusterIP", ingress: [] }],
  ["another class", { loadBalancerClass: "example.com/other", ingress: [] }],
] as const) {
  test(`a Service that gets ${what} loses it`, async () => {
    const all = await served(true);
    all.overwrite(KEY, change);
    await all.clock.advance(1_000);
    assert.deepEqual(finalizersOf(all), ["x/y"]);
    await all.end();
  });
}

test("the finalizer of a cloud is never taken off, nor added again", async () => {
  const all = await served(true);
  all.services.set(
    "default/cloud",
    record("cloud", { finalizers: [CLEANUP_FINALIZER], hasOurFinalizer: false }),
  );
  all.services.set("default/other", {
    ...record("other", { finalizers: [CLEANUP_FINALIZER], hasOurFinalizer: false }),
    loadBalancerClass: "example.com/other",
  });
  await all.clock.advance(1_000);
  all.configure({});
  await all.clock.advance(1_000);
  for (const key of ["default/cloud", "default/other"])
    assert.deepEqual(finalizersOf(all, key), [CLEANUP_FINALIZER]);
  await all.end();
});

test("a deleted Service: first its address is taken back, and given to nobody; the finalizer goes 2 s later", async () => {
  const all = await served(true);
  all.overwrite(KEY, { isTerminating: true, finalizers: [CLEANUP_FINALIZER] });
  await all.clock.advance(WITHDRAWAL_MS - 1);
  const departing = all.services.get(KEY);
  assert.deepEqual(departing?.ingress, []);
  assert.equal(isWithdrawn(departing?.conditions ?? []), true);
  assert.deepEqual(departing?.finalizers, [CLEANUP_FINALIZER]);
  all.services.set("default/next", record("next", { loadBalancerIp: "10.0.0.0" }));
  await all.clock.advance(0);
  assert.deepEqual(all.addressesOf("default/next"), []);
  await all.clock.advance(1);
  assert.equal(all.services.get(KEY), undefined);
  await all.clock.advance(1_000);
  assert.deepEqual(all.addressesOf("default/next"), ["10.0.0.0"]);
  const released = all.events.filter(({ reason }) => reason === "IPReleased");
  assert.deepEqual(
    released.map(({ message }) => message),
    ["10.0.0.0 is no longer this Service's address"],
  );
  await all.end();
});

test("a deleted Service that somebody else holds is left without addresses, which do not come back", async () => {
  const all = await served(true);
  all.overwrite(KEY, { isTerminating: true });
  await all.clock.advance(WITHDRAWAL_MS + 1_000);
  const writes = writesOf(all);
  assert.deepEqual(finalizersOf(all), ["x/y"]);
  all.overwrite(KEY, { labels: { touched: "yes" } });
  all.addPool("more", "10.1.0.0/24");
  await all.clock.advance(5_000);
  assert.deepEqual(all.services.get(KEY)?.ingress, []);
  assert.equal(writesOf(all), writes);
  await all.end();
});

test("a Service that is being deleted gets no finalizer any more, and keeps its address while somebody holds it", async () => {
  const all = await served(false);
  all.overwrite(KEY, { isTerminating: true });
  all.configure({ cleanupFinalizer: true });
  await all.clock.advance(5_000);
  assert.deepEqual(finalizersOf(all), ["x/y"]);
  assert.equal(all.services.get(KEY)?.ingress.length, 1);
  await all.end();
});

test("the next leader ends what the last one began", async () => {
  const first = await served(true);
  first.overwrite(KEY, { isTerminating: true, finalizers: [CLEANUP_FINALIZER] });
  await first.clock.advance(100);
  const left = first.services.get(KEY);
  await first.end();
  const next = termWorld();
  next.addPool("pool", "10.0.0.0/24");
  assert.ok(left);
  next.services.set(KEY, left);
  await next.clock.advance(WITHDRAWAL_MS + 1_000);
  assert.equal(next.services.get(KEY), undefined);
  await next.end();
});

test("without a LoadBalancer every Service is let go at once, those that are being deleted as well", async () => {
  const all = await served(true);
  all.services.set("default/going", record("going"));
  await all.clock.advance(1_000);
  all.configure(undefined);
  all.overwrite("default/going", { isTerminating: true });
  await all.clock.advance(10);
  assert.deepEqual(finalizersOf(all), ["x/y"]);
  assert.equal(all.services.get("default/going"), undefined);
  assert.deepEqual(
    all.services.get(KEY)?.ingress.map(({ ip }) => ip),
    ["10.0.0.0"],
    "the address stays where it was",
  );
  await all.end();
});
