import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import { systemRandom } from "#common/random.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import { endpoint, NAMES, node, POOL, service, slice } from "#test/fakes/speaker-view.ts";
import { serveSpeaker } from "./http.ts";
import { Password } from "./known/password.ts";
import type { PeerView } from "./known/view.ts";
import { Speaker } from "./speaker.ts";

const SECRETS = ["in the peer", "in the Secret"] as const;
const peer = (name: string, changes: Partial<PeerView>): PeerView => ({
  name,
  address: "172.30.0.253",
  port: 179,
  localAsn: 64_512,
  peerAsn: 64_513,
  nodeSelectors: [],
  isMultihop: false,
  gracefulRestart: true,
  isDualStack: false,
  ...changes,
});

/** A speaker that advertises one address, and was to announce another. */
async function world() {
  const fakes = fakeParts("n1");
  const { knowledge, members } = fakes;
  for (const name of NAMES) knowledge.nodes.set(name, node(name));
  knowledge.setPools({ ...POOL, protocol: "bgp" });
  knowledge.peerViews = [
    peer("plain", { password: new Password(SECRETS[0]) }),
    peer("secret", { address: "172.30.0.254", passwordSecret: "bgp" }),
  ];
  knowledge.password = () => new Password(SECRETS[1]);
  knowledge.put(service({}), slice([endpoint(1, "n1")]));
  members.judgement = { ...members.judgement, live: ["n1"], isFrozen: false };
  const speaker = new Speaker(fakes.parts);
  for (const _ of [1, 2]) await speaker.pass();
  return { ...fakes, speaker };
}

test("a plan shows for each part what is wanted, what is there and the difference", async () => {
  const { speaker, forwarder } = await world();
  const plan = speaker.describe();
  for (const part of [plan.announcements, plan.routes, plan.forwarding])
    assert.deepEqual(Object.keys(part).sort(), ["actual", "difference", "wanted"]);
  assert.deepEqual(
    plan.addresses.map(({ vip, isAdvertised }) => [vip, isAdvertised]),
    [["172.30.0.200", true]],
  );
  assert.deepEqual(plan.candidates[plan.addresses[0]?.candidates ?? ""], ["n1"]);
  assert.deepEqual(plan.routes.difference, {
    sessions: [
      { peer: "plain", state: "absent", wanted: 1, advertised: 0 },
      { peer: "secret", state: "absent", wanted: 1, advertised: 0 },
    ],
    toEnd: [],
  });
  forwarder.differs = { elements: ["vips 172.30.0.200"] };
  assert.deepEqual(speaker.describe().forwarding.difference, {
    kernel: forwarder.differs,
    notForwarded: [],
    refused: [],
  });
});

test("what is announced in the wrong place, or not yet, is a difference", async () => {
  const { speaker, attractor } = await world();
  await attractor.set([], new Map([["eth0", new Set(["172.30.0.7"])]]));
  assert.deepEqual(speaker.describe().announcements, {
    wanted: {},
    actual: { eth0: ["172.30.0.7"] },
    difference: { toAnnounce: {}, toWithdraw: { eth0: ["172.30.0.7"] } },
  });
});

test("no password is in a plan, however it is printed, and whether there is one is", async () => {
  const { speaker } = await world();
  const end = new AbortController();
  const server = await serveSpeaker(
    {
      port: 0,
      address: undefined,
      access: "Loopback",
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      metrics: createMetrics({ role: "speaker", version: "1" }),
      namespace: "genkan-system",
      certificateDirectory: "/nonexistent",
      connection: { server: new URL("https://127.0.0.1:1"), credentials: () => ({}) },
      unready: () => undefined,
      plan: () => speaker.describe(),
    },
    end.signal,
  );
  const answer = await fetch(`http://127.0.0.1:${server.port}/debug/plan`, {
    headers: { connection: "close" },
  });
  const served = await answer.text();
  end.abort();
  await server.close();
  const texts = [
    served,
    JSON.stringify(speaker.describe()),
    inspect(speaker.describe(), { depth: 20, showHidden: true }),
  ];
  for (const text of texts) {
    assert.match(text, /172\.30\.0\.200/, "it is the plan");
    assert.match(text, /isSigned"?: ?true/);
    for (const secret of SECRETS) {
      assert.ok(!text.includes(secret));
      assert.ok(!text.includes(Buffer.from(secret).toString("base64")));
      assert.ok(!text.includes(new Password(secret).digest));
    }
  }
});
