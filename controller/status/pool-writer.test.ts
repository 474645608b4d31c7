import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient, PatchRequest } from "#common/kube/client.ts";
import type { AddressPool } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { silentLogger } from "#common/log.ts";
import { PoolWriter } from "#controller/status/pool-writer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";

/** A server of one pool that takes writes and shows them when the test says so. */
function world() {
  const clock = new FakeClock();
  const pools = new Store<AddressPool>();
  let version = 1;
  let assigned = 0n;
  const under: { readonly status: object; readonly land: (changes?: boolean) => void }[] = [];
  const show = (status: object | undefined): void => {
    const metadata = {
      name: "web",
      namespace: "ns",
      uid: "u",
      resourceVersion: String(version),
      generation: 1,
    };
    pools.set("ns/web", { metadata, spec: {}, status } as unknown as AddressPool);
  };
  const patch = (_resource: unknown, { body }: PatchRequest): Promise<unknown> => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { status } = body as { status: object };
    const land = (changes = true): void => {
      if (changes) version += 1;
      resolve({ metadata: { resourceVersion: String(version) } });
    };
    under.push({ status, land });
    return promise;
  };
  const writer = new PoolWriter({
    client: { patch } as unknown as KubeClient,
    clock,
    random: fixedRandom(),
    log: silentLogger,
    pools,
    facts: () => ({
      use: { assigned: { IPv4: assigned, IPv6: 0n }, available: { IPv4: 16n - assigned, IPv6: 0n } },
      faults: [],
    }),
  });
  pools.subscribe(() => writer.trigger());
  show(undefined);
  const stop = new AbortController();
  const running = writer.run(stop.signal);
  return {
    clock,
    under,
    show,
    use: (count: bigint) => {
      assigned = count;
      writer.trigger();
    },
    end: async () => {
      stop.abort();
      await running;
    },
  };
}

const assignedIn = (status: object | undefined): unknown =>
  (status as { assignedIPv4?: number }).assignedIPv4;

test("a count that changes there and back during a write is what the pool's status says in the end", async () => {
  const { clock, under, show, use, end } = world();
  await clock.advance(2_000);
  under[0]?.land();
  show(under[0]?.status);
  await clock.advance(2_000);
  use(1n);
  await clock.advance(2_000);
  assert.equal(assignedIn(under[1]?.status), 1);
  use(0n);
  await clock.advance(2_000);
  under[1]?.land();
  await clock.advance(2_000);
  assert.equal(under.length, 2, "until the watch shows the write there is nothing to compare with");
  show(under[1]?.status);
  await clock.advance(2_000);
  assert.equal(assignedIn(under[2]?.status), 0);
  under[2]?.land();
  show(under[2]?.status);
  await clock.advance(60_000);
  assert.equal(under.length, 3);
  await end();
});

test("a write that the server takes for no change keeps back no later one", async () => {
  const { clock, under, use, end } = world();
  await clock.advance(2_000);
  under[0]?.land(false);
  await clock.advance(2_000);
  use(3n);
  await clock.advance(2_000);
  assert.equal(assignedIn(under.at(-1)?.status), 3);
  under.at(-1)?.land();
  await end();
});
