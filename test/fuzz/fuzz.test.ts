/** The short form of `make fuzz`, and that it can fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DECODERS } from "./decoders.ts";
import { FuzzFailure, fuzz } from "./fuzz.ts";
import { DOCUMENTS, fuzzObjects } from "./odd-objects.ts";
import { Cluster, KINDS, originalOf } from "./two-tenants.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

for (const decoder of [...DECODERS, ...DOCUMENTS]) {
  test(`${decoder.name} takes noise and mutations (SEED=${seed})`, () => {
    const { messages, refused } = fuzz(decoder, 3_000, seed);
    assert.equal(messages, 3_000);
    // Noise alone must be refused by who refuses at all, and real messages with small changes must not all be.
    if (decoder.error !== undefined) assert.ok(refused > 0 && refused < messages, `${refused} refused`);
  });
}

test("a decoder that throws something else is found, with its message", () => {
  const careless = {
    name: "careless",
    seeds: [Buffer.alloc(8)],
    decode: (bytes: Buffer) => bytes.readUInt32BE(0),
  };
  assert.throws(() => fuzz(careless, 1_000, 1), FuzzFailure);
});

for (const kind of KINDS)
  test(`whatever is in one tenant's ${kind}, nothing of another's plan changes (SEED=${seed})`, async () => {
    const cluster = await Cluster.open();
    try {
      const { messages } = await fuzzObjects(cluster, kind, 300, seed);
      assert.equal(messages, 300);
    } finally {
      await cluster.close();
    }
  });

test("a LoadBalancer that cannot be read goes on as it was: without one the node would be emptied", async () => {
  const cluster = await Cluster.open();
  const before = cluster.planned();
  const metadata = { name: "loadbalancer", namespace: "genkan-system", uid: "u", resourceVersion: "1" };
  await cluster.put("loadbalancers", { metadata, spec: { nodeSelector: { a: { b: "c" } } } });
  assert.deepEqual(
    [cluster.planned(), cluster.unusable()],
    [before, ["loadbalancers genkan-system/loadbalancer"]],
  );
  await cluster.remove("loadbalancers", { metadata });
  assert.throws(() => cluster.planned(), /not there/);
  await cluster.close();
});

test("an object that does change another's plan is found", async () => {
  const cluster = await Cluster.open();
  const { client: _, ...node } = originalOf("nodes") as Record<string, object>;
  const before = cluster.planned();
  // Its own address: what docs/security.md says of a node that claims one.
  await cluster.put("nodes", {
    ...node,
    status: { addresses: [{ type: "InternalIP", address: "198.51.100.1" }] },
  } as never);
  assert.notEqual(cluster.planned(), before);
  await cluster.close();
});
