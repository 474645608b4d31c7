/** BFD with BIRD, in network namespaces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { Device } from "./bfd-device.ts";
import { fallsInTime } from "./death.ts";
import { addPaths, bfdPeer } from "./paths.ts";
import { BirdBfd } from "./peers.ts";

const INTERVAL_MS = 50;

test("BIRD: both families, one hop and over a router: up, renegotiated, told of the end, and dead", async (t) => {
  const topology = new Topology("gkbfe");
  const paths = await addPaths(topology, "bird");
  const all = Object.values(paths);
  const bird = new BirdBfd(
    topology.namespaceOf("bird"),
    all.map(({ device, peer, isMultihop }) => ({ address: device, localAddress: peer, isMultihop })),
    INTERVAL_MS,
  );
  const device = new Device({ namespace: topology.device });
  t.after(async () => {
    await device.stop();
    await bird.stop();
    topology[Symbol.dispose]();
  });
  const stateAtBird = async (key: string): Promise<string | undefined> => {
    return (await bird.states()).get(paths[key]?.device ?? "");
  };

  await t.test("they come up with what each side asked for", async () => {
    device.reconcile(all.map((path) => bfdPeer(path)));
    await device.reach(Object.keys(paths), "Up");
    for (const { key } of all) {
      await until(`${key} up at BIRD`, async () => (await stateAtBird(key)) === "Up");
      await until(`${key} with its timers`, async () => (await device.report(key))?.detectionTimeMs === 150);
    }
  });

  await t.test("other intervals are negotiated and nothing flaps", async () => {
    const before = device.changes.length;
    device.reconcile(all.map((path) => bfdPeer(path, { receiveIntervalMs: 150, transmitIntervalMs: 150 })));
    await until("slower detection", async () =>
      (await device.sessions()).sessions.every((one) => one.detectionTimeMs === 450),
    );
    device.reconcile(all.map((path) => bfdPeer(path)));
    await until("the old one", async () =>
      (await device.sessions()).sessions.every((one) => one.detectionTimeMs === 150),
    );
    assert.equal(device.changes.length, before);
  });

  await t.test("one that is taken away is down at BIRD, and comes back", async () => {
    device.reconcile(all.filter(({ key }) => key !== "singleIPv6").map((path) => bfdPeer(path)));
    await until("BIRD's fall", async () => (await stateAtBird("singleIPv6")) === "Down");
    device.reconcile(all.map((path) => bfdPeer(path)));
    await device.reach(["singleIPv6"], "Up");
  });

  await t.test(
    "one that is asked for over another distance says what BIRD does (RFC 5881, RFC 5883)",
    async () => {
      const far = (path: (typeof all)[number]) =>
        path.key === "singleIPv4" ? { ...bfdPeer(path), multihop: true } : bfdPeer(path);
      device.reconcile(all.map(far));
      await until("the mismatch to be said", async () =>
        /the router speaks BFD over one hop and this node over several hops/.test(
          (await device.report("singleIPv4"))?.problem ?? "",
        ),
      );
      device.reconcile(all.map((path) => bfdPeer(path)));
      await device.reach(["singleIPv4"], "Up");
      assert.equal((await device.report("singleIPv4"))?.problem, undefined);
    },
  );

  await t.test("it dies without a word: down within 200 ms", async () => {
    await fallsInTime(device, all.length, () => bird.stop("SIGKILL"));
  });
});
