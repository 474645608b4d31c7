/** Which pools a speaker goes by, while they are edited, refused, deleted and made again. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { AddressPool } from "#common/kube/resource.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { AcceptedPools, GONE_POOL_MS } from "./accepted-pools.ts";

const NAMESPACE = "genkan-system";
let clock: FakeClock;
let pools: AcceptedPools;
let changes: number;
beforeEach(() => {
  clock = new FakeClock();
  changes = 0;
  pools = new AcceptedPools({
    namespace: NAMESPACE,
    clock,
    onChange: () => {
      changes += 1;
    },
  });
});

function put(name: string, addresses: string[], { protocol = "bgp", uid = "1", age = 1 } = {}): void {
  pools.store.set(`${NAMESPACE}/${name}`, {
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: `${name}-${uid}`,
      resourceVersion: "",
      creationTimestamp: `2026-01-01T00:00:0${age}Z`,
    },
    spec: { protocol, addresses },
  } as AddressPool);
}
const drop = (name: string): void => void pools.store.delete(`${NAMESPACE}/${name}`);
const of = (vip: string): string | undefined => pools.current().of(vip)?.name;

test("a pool that goes counts for a while, with its protocol, and then no more", async () => {
  put("web", ["198.51.100.0/24"]);
  assert.equal(of("198.51.100.1"), "web");
  drop("web");
  assert.equal(pools.current().of("198.51.100.1")?.protocol, "bgp");
  await clock.advance(GONE_POOL_MS - 1);
  assert.equal(of("198.51.100.1"), "web");
  await clock.advance(1);
  assert.equal(changes, 1);
  assert.equal(of("198.51.100.1"), undefined);
});

test("a timer that fires a moment early, as Node's do, forgets the pool all the same", async () => {
  pools = new AcceptedPools({
    namespace: NAMESPACE,
    clock: {
      now: () => clock.now(),
      date: () => clock.date(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (ms, fn) => clock.after(ms - 0.5, fn),
    },
    // As a pass does that follows at once.
    onChange: () => void pools.current(),
  });
  put("web", ["198.51.100.0/24"]);
  assert.equal(of("198.51.100.1"), "web");
  drop("web");
  assert.equal(of("198.51.100.1"), "web");
  await clock.advance(GONE_POOL_MS);
  assert.equal(of("198.51.100.1"), undefined);
});

test("a pool that came back and goes again counts for the whole while again", async () => {
  put("web", ["198.51.100.0/24"]);
  assert.equal(of("198.51.100.1"), "web");
  drop("web");
  assert.equal(of("198.51.100.1"), "web");
  await clock.advance(GONE_POOL_MS - 1);
  put("web", ["198.51.100.0/24"], { uid: "2" });
  assert.equal(of("198.51.100.1"), "web");
  drop("web");
  assert.equal(of("198.51.100.1"), "web");
  await clock.advance(1);
  assert.equal(of("198.51.100.1"), "web");
  await clock.advance(GONE_POOL_MS);
  assert.equal(of("198.51.100.1"), undefined);
});

test("a pool that is made again, under the same name or another one, takes over at once", async () => {
  put("web", ["198.51.100.0/24"]);
  assert.equal(of("198.51.100.1"), "web");
  drop("web");
  assert.equal(of("198.51.100.1"), "web");
  put("renamed", ["198.51.100.0/25"], { age: 2 });
  assert.equal(of("198.51.100.1"), "renamed");
  assert.equal(of("198.51.100.200"), "web");
  put("web", ["198.51.100.128/25"], { uid: "2", age: 3 });
  assert.equal(of("198.51.100.200"), "web");
  await clock.advance(GONE_POOL_MS);
  assert.equal(of("198.51.100.200"), "web");
});

test("an edit that the rules refuse leaves the pool as it was; one that never was valid has no address", () => {
  put("web", ["198.51.100.0/24"]);
  assert.equal(of("198.51.100.1"), "web");
  put("web", ["198.51.100.0/24", "not an address"]);
  assert.equal(of("198.51.100.1"), "web");
  put("other", ["198.51.100.0/25", "203.0.113.0/24"], { age: 2 });
  assert.equal(of("198.51.100.1"), "web");
  assert.equal(of("203.0.113.1"), undefined);
});

test("the same object is given until something changes", () => {
  put("web", ["198.51.100.0/24"]);
  const before = pools.current();
  assert.equal(pools.current(), before);
  put("more", ["203.0.113.0/24"]);
  assert.notEqual(pools.current(), before);
});
