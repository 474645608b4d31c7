/** Speakers that check their own endpoints and tell each other by gossip, over a network that the test controls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { CHECK } from "#test/fakes/speaker-view.ts";
import type { GossipView } from "../gossip/gossip.ts";
import type { CheckedEndpoint } from "../plan/checks.ts";
import { Health } from "./health.ts";
import { HOLDS_MS } from "./reports.ts";

const PLACE = { id: 7, address: "10.0.0.1", port: 8080 };
const endpoint: CheckedEndpoint = {
  ...{
    key: "web",
    service: "default/web",
    address: PLACE.address,
    port: 8080,
    check: CHECK,
    places: [PLACE],
  },
};

class World {
  readonly clock = new FakeClock();
  readonly speakers = new Map<string, Health>();
  readonly hung = new Set<string>();
  readonly deaf = new Set<string>();
  readonly members = new Map<string, GossipView["members"]>();
  sent = 0;
  /** Times that a pass was asked for, by node. */
  readonly asked = new Map<string, number>();
  /** With what is urgent, a speaker reaches so many others. */
  reach = 64;

  start(node: string): Health {
    const { clock } = this;
    const health: Health = new Health({
      ...{ node, clock, random: { number: () => 0.5 }, log: silentLogger },
      probe: ({ address, check }, done) => {
        const isHung = this.hung.has(address);
        return clock.after(isHung ? check.timeoutMs : 1, () => done(isHung ? "no answer" : undefined));
      },
      gossip: {
        addNews: (news, isUrgent) => this.send(node, news, isUrgent),
        get view(): GossipView {
          return {
            problem: undefined,
            contactAt: 0,
            joinedAt: 0,
            members: world.members.get(node) ?? new Map(),
          };
        },
      },
      isMember: () => true,
      onChange: () => void this.asked.set(node, (this.asked.get(node) ?? 0) + 1),
    });
    const world = this;
    this.speakers.set(node, health);
    return health;
  }

  send(from: string, news: readonly Uint8Array[], isUrgent: boolean): void {
    this.sent += news.length;
    const others = [...this.speakers].filter(([name]) => name !== from);
    const at = [...this.speakers.keys()].indexOf(from);
    const heard = isUrgent
      ? others.slice(0, this.reach)
      : [others[at % others.length], others[(at + 1) % others.length]];
    for (const one of heard) {
      if (one === undefined || this.deaf.has(one[0])) continue;
      for (const bytes of news) this.clock.after(10, () => one[1].hear({ from, bytes, isWhole: false }));
    }
  }

  fails(node: string, on = "n1"): boolean {
    return this.speakers.get(node)?.takeView().isFailing(PLACE, on) ?? false;
  }
}

test("a hung endpoint is out everywhere within a second, and back everywhere", async () => {
  const world = new World();
  for (const name of ["n1", "n2", "n3"]) world.start(name);
  world.speakers.get("n1")?.set([endpoint]);
  await world.clock.advance(10_000);
  world.hung.add(PLACE.address);
  await world.clock.advance(950);
  for (const name of ["n1", "n2", "n3"]) assert.ok(world.fails(name), name);
  assert.deepEqual([...world.asked.values()], [1, 1, 1], "a pass was asked for, once each");
  assert.ok(!world.fails("n2", "n2"), "it is the word about an endpoint of n1");
  await world.clock.advance(10 * HOLDS_MS);
  for (const name of ["n1", "n2", "n3"]) assert.ok(world.fails(name), `${name} is told again`);
  world.hung.clear();
  await world.clock.advance(1_700);
  for (const name of ["n1", "n2", "n3"]) assert.ok(!world.fails(name), name);
});

test("where all is well, one message is sent in the life of a speaker, and none where nothing is checked", async () => {
  const world = new World();
  for (const name of ["n1", "n2"]) world.start(name);
  await world.clock.advance(60_000);
  assert.deepEqual([world.sent, world.clock.pending], [0, 0]);
  world.speakers.get("n1")?.set([endpoint]);
  await world.clock.advance(600_000);
  assert.equal(world.sent, 2, "its own, passed on once");
});

test("a node that hears nothing keeps the endpoint; one that comes back to hear is told", async () => {
  const world = new World();
  for (const name of ["n1", "n2"]) world.start(name);
  world.speakers.get("n1")?.set([endpoint]);
  world.hung.add(PLACE.address);
  await world.clock.advance(10_000);
  assert.ok(world.fails("n2"));
  world.deaf.add("n2");
  await world.clock.advance(2 * HOLDS_MS);
  assert.ok(!world.fails("n2"));
  assert.ok(world.fails("n1"));
  world.deaf.clear();
  world.members.set("n1", new Map([["n2", { state: "alive", at: 0, downAt: undefined }]]));
  world.speakers.get("n1")?.meet();
  await world.clock.advance(600);
  assert.ok(world.fails("n2"));
});

test("where there are more nodes than one reaches, all of them hear it from each other", async () => {
  const world = new World();
  world.reach = 3;
  for (let at = 1; at <= 40; at += 1) world.start(`n${at}`);
  world.speakers.get("n1")?.set([endpoint]);
  world.hung.add(PLACE.address);
  await world.clock.advance(6_000);
  for (const name of world.speakers.keys()) assert.ok(world.fails(name), name);
});

test("a speaker that is replaced ends what the one before said, when it knows better", async () => {
  const world = new World();
  const [first] = ["n1", "n2"].map((name) => world.start(name));
  first?.set([endpoint]);
  world.hung.add(PLACE.address);
  await world.clock.advance(10_000);
  first?.close();
  await world.clock.advance(1_000);
  assert.ok(world.fails("n2"), "the end of a speaker says nothing about its endpoints");
  world.hung.clear();
  world.start("n1").set([endpoint]);
  await world.clock.advance(4_900);
  assert.ok(world.fails("n2"), "it does not know yet");
  await world.clock.advance(200);
  assert.ok(!world.fails("n2"));
});
