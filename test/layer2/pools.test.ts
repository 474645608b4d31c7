/**
 * Pools that are away for a moment (a rename, `kubectl replace --force`, a hook of Helm) change nothing on any speaker:
 * owners stay and say nothing anew, and what was silent stays silent. Real speakers, a real API server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { addressPools } from "#common/kube/resource.ts";
import { settled } from "#test/until.ts";
import { vip4, vip6 } from "../network/bridge.ts";
import { SYSTEM } from "./speaker-cluster.ts";
import { expected, NAMES, podsOn, SpeakerNodes, VIP, VIP6 } from "./speaker-nodes.ts";

/** Of a pool that is advertised by BGP: nobody answers for it on a link. */
const SILENT = { IPv4: "172.31.7.1", IPv6: "fd31:7::1" };
/** Longer than a pool that is gone counts (speaker/known/accepted-pools.ts). */
const FORGOTTEN = { deadlineMs: 60_000, everyMs: 250 };

let nodes: SpeakerNodes;
let markers = 0;

before(async () => {
  nodes = await SpeakerNodes.start();
  await setPool("silent", [`${SILENT.IPv4}/32`, `${SILENT.IPv6}/128`], "bgp");
  await setPool("other", [`${vip4(160)}-${vip4(179)}`, `${vip6("160")}-${vip6("179")}`]);
  await nodes.cluster.addService({
    name: "silent",
    vips: Object.values(SILENT),
    pods: podsOn(NAMES),
    ipMode: "VIP",
    pool: "silent",
  });
  for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, expected(vip));
});
after(async () => nodes?.[Symbol.asyncDispose]());

async function setPool(
  name: string,
  addresses: string[],
  protocol: "layer2" | "bgp" = "layer2",
): Promise<void> {
  await nodes.cluster.kube.create(addressPools, {
    metadata: { name, namespace: SYSTEM },
    spec: { protocol, addresses },
  });
}

async function removePool(name: string): Promise<void> {
  await nodes.cluster.kube.remove(addressPools, name, { namespace: SYSTEM });
}

/** Resolves when the speakers have worked on something that came after everything before. */
async function caughtUp(): Promise<void> {
  const [address, six] = [vip4(160 + markers), vip6(`${160 + markers}`)];
  const name = `marker-${markers}`;
  markers += 1;
  await nodes.cluster.addService({
    name,
    vips: [address, six],
    pods: podsOn(NAMES),
    ipMode: "VIP",
    pool: "other",
  });
  await nodes.ownedBy(address, expected(address));
}

const announced = (vip: string): number =>
  [...nodes.speakers.values()].flatMap((speaker) => speaker.announced()).filter((one) => one === vip).length;

describe("a pool that is away for a moment", { concurrency: false }, () => {
  for (const [what, comesBack] of [
    ["made again", "pool"],
    ["renamed", "renamed"],
    ["given its old name", "pool"],
  ] as const) {
    test(`${what}: owners stay, and nothing is announced anew`, async () => {
      const before = await settled("no more announcements", () => [VIP, VIP6].map(announced));
      const present = (await nodes.cluster.kube.list(addressPools, { namespace: SYSTEM })).items.find(
        ({ metadata }) => ["pool", "renamed"].includes(metadata.name),
      );
      assert.ok(present !== undefined);
      await removePool(present.metadata.name);
      await caughtUp();
      for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, expected(vip));
      await setPool(comesBack, [...present.spec.addresses]);
      await caughtUp();
      for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, expected(vip));
      assert.deepEqual([VIP, VIP6].map(announced), before);
    });
  }

  test("of BGP: its addresses appear on no link, while it is away and after", async () => {
    await removePool("silent");
    await caughtUp();
    for (const vip of Object.values(SILENT)) assert.deepEqual(await nodes.bridge.ask(nodes.client, vip), []);
    await setPool("silent", [`${SILENT.IPv4}/32`, `${SILENT.IPv6}/128`], "bgp");
    await caughtUp();
    for (const vip of Object.values(SILENT)) assert.deepEqual(await nodes.bridge.ask(nodes.client, vip), []);
  });

  test("one that stays away is forgotten in the end: its addresses are nobody's", async () => {
    await removePool("pool");
    for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, undefined, FORGOTTEN);
  });
});
