import assert from "node:assert/strict";
import { test } from "node:test";
import { drain } from "#cli/move/drain.ts";
import { snapshot } from "#cli/testing/snapshot.ts";
import { FakeClock } from "#test/fakes/clock.ts";

test("a drain tells how far it is, once for each step, and ends when nothing is left", async () => {
  const shot = snapshot();
  const clock = new FakeClock();
  let owned = ["172.30.0.100", "172.30.0.101"];
  const told: string[] = [];
  const patched: unknown[] = [];
  const lists: Readonly<Record<string, readonly object[]>> = {
    nodes: shot.nodes,
    loadbalancers: shot.loadBalancers,
    leases: shot.leases,
  };
  const cluster = {
    host: "test",
    now: () => shot.at,
    list: async ({ plural }: { plural: string }) =>
      lists[plural] ?? [
        {
          metadata: { name: "n1", namespace: shot.namespace },
          status: { addresses: owned.map((address) => ({ address })) },
        },
      ],
    patch: async (...words: unknown[]) => void patched.push(words.at(-1)),
  };
  const drained = drain("n1", {
    cluster: cluster as never,
    namespace: shot.namespace,
    clock,
    timeoutMs: 30_000,
    tell: (line) => told.push(line),
  });
  await clock.advance(2_000);
  owned = ["172.30.0.101"];
  await clock.advance(1_000);
  owned = [];
  await clock.advance(1_000);
  const { exitCode, text } = await drained;
  assert.deepEqual([exitCode, patched], [0, [{ spec: { unschedulable: true } }]]);
  assert.match(text, /its 2 addresses are with other nodes/);
  assert.deepEqual(told, ["node n1 still owns 2 of 2 addresses", "node n1 still owns 1 of 2 addresses"]);
});
