/**
 * Owners stay, with three speaker processes: who returns takes nothing over, and the status says who took an address from
 * whom. A rebalance spreads what they own, and `Balanced` brings all home.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ANNOTATION_REBALANCE } from "#api/names.ts";
import { events, services, speakerStatuses } from "#common/kube/resource.ts";
import { vip4 } from "#test/network/bridge.ts";
import { settled, until } from "#test/until.ts";
import { SYSTEM } from "./speaker-cluster.ts";
import { expected, LONG, NAMES, others, podsOn, SpeakerNodes, VIP, VIP6 } from "./speaker-nodes.ts";

const PATIENT = { deadlineMs: 60_000, everyMs: 100 };
const BOTH = [VIP, VIP6];

let nodes: SpeakerNodes;

before(async () => {
  nodes = await SpeakerNodes.start();
  await setStickiness(null);
  for (const name of NAMES) await joined(name);
});
after(async () => nodes?.[Symbol.asyncDispose]());

/** null: the default. */
const setStickiness = (stickiness: "Balanced" | null): Promise<void> =>
  nodes.cluster.patchLoadBalancer({ spec: { layer2: { stickiness } } });

/** The speaker is ready, and hears all others. */
async function joined(name: string): Promise<void> {
  for (const type of ["Ready", "MembersHeard"])
    await until(`${name}: ${type}`, () => nodes.cluster.hasCondition(name, type, "True"), PATIENT);
}

/** Each time that some node claimed the address. */
const claimsOf = (name: string, vip: string): number =>
  nodes
    .speaker(name)
    .logs.filter(({ msg, ips }) => msg === "addresses claimed" && Array.isArray(ips) && ips.includes(vip))
    .length;

/** Each time that the node took the address. */
const announcedOf = (name: string): number =>
  nodes
    .speaker(name)
    .announced()
    .filter((vip) => vip === VIP).length;

/** Who alone answers in place of the former owner. */
const successorOf = (owner: string): Promise<string> =>
  until(
    "another one",
    async () => {
      const found = await nodes.bridge.owners(nodes.client, VIP);
      return found.length === 1 && found[0] !== owner ? found[0] : undefined;
    },
    LONG,
  );

describe("owners stay", { concurrency: false }, () => {
  test("a killed speaker that returns finds its addresses with others, and leaves them there", async () => {
    const owner = expected(VIP);
    await nodes.ownedBy(VIP, owner);
    await nodes.speaker(owner).end("SIGKILL");
    const next = expected(VIP, others(owner));
    await nodes.ownedBy(VIP, next);
    await until(`${next} to claim it`, () => claimsOf(next, VIP) > 0, LONG);
    const announced = await settled(`${next} to have told of all`, () => announcedOf(next));
    nodes.start(owner);
    await until(
      `${owner} to be ready again`,
      () => nodes.speaker(owner).said("gossip runs") && nodes.cluster.hasCondition(owner, "Ready", "True"),
      PATIENT,
    );
    await joined(owner);
    await nodes.staysWith(VIP, next, 5_000);
    assert.equal(announcedOf(owner), 0);
    assert.equal(announcedOf(next), announced, "it had it all the time");
    await until(`${next} to report why it has it`, async () => {
      const { status } = (await nodes.cluster.kube.get(speakerStatuses, next, SYSTEM)) ?? {};
      const entry = status?.addresses?.find(({ address }) => address === VIP);
      assert.equal(entry?.reason, `taken over from ${owner}, which fell silent`);
      assert.ok(Number.isFinite(Date.parse(entry.since ?? "")), `since ${entry.since}`);
      return true;
    });
    await until("the event", async () => {
      const { items } = await nodes.cluster.kube.list(events, { namespace: "default" });
      return items.some(
        ({ reason, message = "" }) =>
          reason === "OwnerChanged" && message.startsWith(`node ${next} `) && message.includes(VIP),
      );
    });
  });

  test("so does a node whose cable was pulled", async () => {
    const [owner = ""] = await nodes.bridge.owners(nodes.client, VIP);
    nodes.bridge.setCable(owner, false);
    const next = await successorOf(owner);
    await until(`${next} to claim it`, () => claimsOf(next, VIP) > 0, LONG);
    nodes.bridge.setCable(owner, true);
    await joined(owner);
    await nodes.ownedBy(VIP, next);
    await nodes.staysWith(VIP, next, 5_000);
  });

  test("a speaker that is replaced hands over, and gets nothing back", async () => {
    const [owner = ""] = await nodes.bridge.owners(nodes.client, VIP);
    await nodes.speaker(owner).end("SIGTERM");
    const next = await successorOf(owner);
    const announced = await settled(`${next} to have told of all`, () => announcedOf(next));
    nodes.start(owner);
    await joined(owner);
    await nodes.staysWith(VIP, next, 5_000);
    assert.deepEqual([announcedOf(owner), announcedOf(next)], [0, announced]);
  });

  test("a rebalance spreads what the nodes own", async () => {
    const more = Array.from({ length: 5 }, (_, at) => vip4(210 + at));
    const [idle = ""] = NAMES;
    await nodes.cluster.setCordon(idle, true);
    await nodes.cluster.addService({ name: "more", vips: more, pods: podsOn(NAMES), ipMode: "VIP" });
    const all = [...BOTH, ...more];
    const owned = async (): Promise<Map<string, number>> => {
      const loads = new Map(NAMES.map((name) => [name, 0]));
      for (const vip of all)
        for (const owner of await nodes.bridge.owners(nodes.client, vip))
          loads.set(owner, (loads.get(owner) ?? 0) + 1);
      return loads;
    };
    const sum = (loads: ReadonlyMap<string, number>): number =>
      [...loads.values()].reduce((a, b) => a + b, 0);
    await until("the other nodes to own all", async () => sum(await owned()) === all.length, LONG);
    // What nobody has claimed yet follows the election, and is not given.
    const isClaimed = (vip: string): boolean => NAMES.some((name) => claimsOf(name, vip) > 0);
    await until("all to be claimed", () => more.every(isClaimed), LONG);
    await nodes.cluster.setCordon(idle, false);
    const annotations = { [ANNOTATION_REBALANCE]: "once" };
    await nodes.cluster.patchLoadBalancer({ metadata: { annotations } });
    await until(
      "each node to own two or three of seven",
      async () => {
        const loads = await owned();
        return sum(loads) === all.length && [...loads.values()].every((load) => load >= 2);
      },
      LONG,
    );
    await until(`${idle} to report why it has them`, async () => {
      const { status } = (await nodes.cluster.kube.get(speakerStatuses, idle, SYSTEM)) ?? {};
      assert.match(status?.addresses?.[0]?.reason ?? "", /^given by n/);
      return true;
    });
    await nodes.cluster.kube.remove(services, "more", { namespace: "default" });
  });

  test("Balanced brings every address to the node that comes first in its election", async () => {
    await setStickiness("Balanced");
    for (const vip of BOTH) await nodes.ownedBy(vip, expected(vip));
  });
});
