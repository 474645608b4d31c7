import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeRandom } from "#test/fakes/random.ts";
import { Broadcasts } from "./broadcasts.ts";
import { OUR_VERSIONS } from "./members.ts";
import { dueAt, recordsOf, startGossip, step } from "./step.ts";
import {
  confirmationsWanted,
  GOSSIP_SETTINGS,
  pushPullMs,
  retransmissions,
  suspicionMinMs,
  suspicionMs,
} from "./timing.ts";
import type { Gossip, GossipDrop, Peer } from "./types.ts";
import { decodeMessage, type Message } from "./wire/message.ts";

const peer = (number: number): Peer => ({ name: `n${number}`, address: `10.0.0.${number}`, port: 7946 });
const NO_OCTETS = new Uint8Array(0);
const [one, two, three, four] = [peer(1), peer(2), peer(3), peer(4)];
const alive = (of: Peer, incarnation: number): Message => ({
  type: "alive",
  node: of.name,
  address: of.address,
  port: of.port,
  incarnation,
  meta: new Uint8Array(0),
  versions: OUR_VERSIONS,
});

/** n1 at work, which knows n2 and n3 by incarnation 5, and of n4 that it exists. */
function world() {
  const settings = GOSSIP_SETTINGS;
  const gossip = startGossip({
    own: one,
    settings,
    random: fakeRandom(3),
    label: "",
    incarnation: 5,
    now: 0,
  });
  step(gossip, { type: "peers", peers: [one, two, three, four] }, 0);
  const packet = (from: Peer, messages: Message[], now = 1) =>
    step(gossip, { type: "packet", from, messages }, now);
  packet(two, [alive(two, 5)]);
  packet(three, [alive(three, 5)]);
  return { gossip, packet };
}

const stateOf = (gossip: Gossip, of: Peer): string | undefined => gossip.members.get(of.name)?.state;

function sentTo(actions: ReturnType<typeof step>, to: Peer): Message[] {
  return actions.flatMap((action) =>
    action.type === "send" && action.to.address === to.address ? action.messages.map(decodeMessage) : [],
  );
}

describe("what is dropped, and believed by nobody", () => {
  const accuse = (type: "suspect" | "dead", of: Peer, incarnation: number, from: string): Message => ({
    type,
    node: of.name,
    incarnation,
    from,
  });
  const stranger = { ...four, address: "10.0.0.9" };
  const cases: readonly (readonly [string, Peer, Message, GossipDrop])[] = [
    ["anything from an address of nobody", stranger, alive(two, 9), "stranger"],
    ["anything from another port of a member", { ...two, port: 999 }, alive(two, 9), "stranger"],
    ["a name that the API does not know", two, alive({ ...four, name: "n9" }, 1), "stranger"],
    ["a member at another address", two, alive({ ...three, address: "10.0.0.2" }, 9), "forged"],
    ["a member at another port", two, alive({ ...three, port: 1 }, 9), "forged"],
    ["ourselves at another address", two, alive({ ...one, address: "10.0.0.2" }, 9), "forged"],
    ["an incarnation that nobody could beat", two, alive(two, 0xffff_ffff), "forged"],
    ["an accusation that nobody could beat", two, accuse("dead", one, 0xffff_ffff, "n2"), "forged"],
    ["an accusation in the name of nobody", two, accuse("suspect", three, 5, "n9"), "forged"],
    ["a ping for another name", two, { type: "ping", sequence: 1, node: "n3" }, "misaddressed"],
    [
      "a ping that wants its answer elsewhere",
      two,
      { type: "ping", sequence: 1, node: "n1", source: { ...three, node: "n2" } },
      "forged",
    ],
    [
      "a ping for somebody else to a place of nobody",
      two,
      { type: "indirectPing", sequence: 1, node: "n3", nack: true, target: { address: "8.8.8.8", port: 53 } },
      "forged",
    ],
    [
      "a ping for somebody else under a wrong name",
      two,
      { type: "indirectPing", sequence: 1, node: "n4", nack: true, target: three },
      "forged",
    ],
    [
      "an ack that nobody waits for",
      two,
      { type: "ack", sequence: 77, payload: new Uint8Array(0) },
      "unexpected",
    ],
    ["a nack that nobody waits for", two, { type: "nack", sequence: 77 }, "unexpected"],
  ];
  for (const [what, from, message, reason] of cases) {
    test(`${what}: ${reason}`, () => {
      const { gossip, packet } = world();
      const before = recordsOf(gossip);
      const actions = packet(from, [message]);
      assert.equal(gossip.counts.dropped[reason], 1);
      assert.deepEqual(recordsOf(gossip), before);
      assert.deepEqual(
        actions.filter(({ type }) => type === "changed"),
        [],
      );
    });
  }

  test("what was said before an objection counts no more, however often it is said again", () => {
    const { gossip, packet } = world();
    packet(three, [accuse("suspect", two, 5, "n3")]);
    assert.equal(stateOf(gossip, two), "suspect");
    packet(two, [alive(two, 6)]);
    assert.equal(stateOf(gossip, two), "alive");
    packet(three, [accuse("suspect", two, 5, "n3"), accuse("dead", two, 5, "n3"), alive(two, 5)]);
    assert.equal(stateOf(gossip, two), "alive");
  });

  test("a goodbye in another one's name is an accusation; in its own it is a goodbye", () => {
    const { gossip, packet } = world();
    packet(three, [accuse("dead", two, 5, "n2")]);
    assert.equal(stateOf(gossip, two), "suspect");
    packet(two, [accuse("dead", two, 5, "n2")]);
    assert.equal(stateOf(gossip, two), "left");
  });

  test("a death out of the blue is an accusation; of a suspect it is a death", () => {
    const { gossip, packet } = world();
    packet(three, [accuse("dead", two, 5, "n3")]);
    assert.equal(stateOf(gossip, two), "suspect");
    packet(three, [accuse("dead", two, 5, "n3")]);
    assert.equal(stateOf(gossip, two), "dead");
  });

  test("nobody is dead who answers us, whoever says so", () => {
    const { gossip, packet } = world();
    const asked = sentTo(packet(three, [accuse("suspect", two, 5, "n3")]), two);
    const ping = asked.find((message) => message.type === "ping");
    assert.ok(ping?.type === "ping");
    packet(two, [{ type: "ack", sequence: ping.sequence, payload: new Uint8Array(0) }], 2);
    packet(three, [accuse("dead", two, 5, "n3")], 3);
    assert.equal(stateOf(gossip, two), "suspect");
  });

  test("the whole state of one side kills nobody", () => {
    const { gossip } = world();
    const records = recordsOf(gossip).map((record) => ({ ...record, state: "dead" as const }));
    step(gossip, { type: "pushPull", from: two.address, records, user: NO_OCTETS }, 2);
    assert.deepEqual([stateOf(gossip, one), stateOf(gossip, three)], ["alive", "suspect"]);
    step(gossip, { type: "pushPull", from: "10.0.0.9", records, user: NO_OCTETS }, 3);
    assert.equal(gossip.counts.dropped.stranger, 1);
  });
});

describe("being accused", () => {
  test("is objected to at once, to the accuser and to all", () => {
    const { gossip, packet } = world();
    const actions = packet(two, [{ type: "suspect", node: "n1", incarnation: 8, from: "n2" }]);
    const [objection] = sentTo(actions, two);
    assert.ok(objection?.type === "alive");
    assert.equal(objection.incarnation, 9);
    assert.equal(gossip.health, 1);
    assert.ok(gossip.broadcasts.size > 0);
  });

  test("that is older than what we said since is answered with that, to the accuser alone", () => {
    const { gossip, packet } = world();
    const { incarnation } = gossip.self;
    const actions = packet(two, [
      { type: "dead", node: one.name, incarnation: incarnation - 1, from: two.name },
    ]);
    const objection = (to: Peer) => sentTo(actions, to).filter(({ type }) => type === "alive");
    assert.deepEqual(objection(two), [alive(one, incarnation)]);
    assert.deepEqual([objection(three), gossip.self.incarnation], [[], incarnation]);
  });

  test("of an earlier life is objected to by who learns of that life", () => {
    const { gossip, packet } = world();
    packet(two, [alive(one, 70)]);
    assert.equal(gossip.self.incarnation, 71);
  });
});

describe("who exists", () => {
  test("of whom the API knows nothing any more, we know nothing", () => {
    const { gossip } = world();
    step(gossip, { type: "peers", peers: [one, three] }, 2);
    assert.deepEqual([...gossip.members.keys()].sort(), ["n1", "n3"]);
    assert.equal(gossip.list.length, 2);
  });

  test("at another address it is another one", () => {
    const { gossip, packet } = world();
    const moved = { ...two, address: "10.0.0.22" };
    step(gossip, { type: "peers", peers: [one, moved, three] }, 2);
    assert.equal(stateOf(gossip, two), undefined);
    packet(moved, [alive(moved, 1)]);
    assert.equal(gossip.members.get("n2")?.address, "10.0.0.22");
  });

  test("alone there is nothing to do, ever", () => {
    const { gossip } = world();
    step(gossip, { type: "peers", peers: [one] }, 2);
    assert.equal(dueAt(gossip), Number.POSITIVE_INFINITY);
    assert.deepEqual(step(gossip, { type: "wake" }, 1e6), []);
  });
});

describe("what an application says", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const user = { type: "user", bytes } as const;
  const told = (actions: ReturnType<typeof step>) => actions.filter(({ type }) => type === "told");

  test("goes to all at once where it is urgent, and to some with each round", () => {
    const { gossip } = world();
    const urgent = step(gossip, { type: "tell", news: [bytes], isUrgent: true }, 2);
    for (const peer of [two, three]) {
      const heard = sentTo(urgent, peer).filter(({ type }) => type === "user");
      assert.ok(heard.length > 0, peer.name);
      for (const one of heard) assert.deepEqual(one.type === "user" && [...one.bytes], [1, 2, 3]);
    }
    for (let now = 100; now < 2_000; now += 50) step(gossip, { type: "wake" }, now);
    assert.equal(gossip.told.size, 0, "each news so many times");
  });

  test("is handed on with its sender, news and whole states, and news in bounds", () => {
    const { gossip, packet } = world();
    assert.deepEqual(told(packet(two, [user])), [{ type: "told", from: "n2", bytes, isWhole: false }]);
    const whole = step(gossip, { type: "pushPull", from: three.address, records: [], user: bytes }, 2);
    assert.deepEqual(told(whole), [{ type: "told", from: "n3", bytes, isWhole: true }]);
    assert.ok(whole.some(({ type }) => type === "joined"));
    const flood = packet(
      two,
      Array.from({ length: 1_200 }, () => user),
      3,
    );
    assert.ok(told(flood).length < 1_000);
    assert.ok((gossip.counts.dropped.excess ?? 0) > 200);
    assert.equal(told(packet(two, [user], 2_000)).length, 1);
  });

  test("is asked for alone when one comes back, since what it thinks of others is old", () => {
    const { packet } = world();
    packet(three, [{ type: "suspect", node: "n2", incarnation: 5, from: "n3" }]);
    packet(three, [{ type: "dead", node: "n2", incarnation: 5, from: "n3" }], 2);
    const back = packet(three, [alive(two, 6)], 3);
    assert.deepEqual(
      back.filter(({ type }) => type === "pushPull"),
      [{ type: "pushPull", to: two, join: false, isOfUser: true }],
    );
  });
});

test("pings for others are bounded", () => {
  const { gossip, packet } = world();
  const asked: Message = { type: "indirectPing", sequence: 1, node: "n3", nack: true, target: three };
  packet(
    two,
    Array.from({ length: 1_100 }, () => asked),
  );
  assert.equal(gossip.relays.size, 1_024);
  assert.equal(gossip.counts.dropped.excess, 76);
});

describe("formulas", () => {
  const settings = {
    ...GOSSIP_SETTINGS,
    probeIntervalMs: 1_000,
    suspicionMultiplier: 4,
    retransmitMultiplier: 4,
  };
  test("of suspicion, as memberlist has them", () => {
    assert.equal(suspicionMinMs(5, settings), 4_000);
    assert.equal(suspicionMinMs(100, settings), 8_000);
    assert.deepEqual(
      [2, 3, 4, 5].map((count) => confirmationsWanted(count, settings)),
      [0, 0, 2, 2],
    );
    // memberlist's suspicion_test.go: 30 s down to 2 s by three confirmations.
    const rounded = [0, 1, 2, 3, 4].map((count) => Math.floor(suspicionMs(count, 3, 2_000, 30_000)));
    assert.deepEqual(rounded, [30_000, 16_000, 7_810, 2_000, 2_000]);
  });
  test("of news and whole states", () => {
    assert.deepEqual(
      [0, 1, 99, 999].map((count) => retransmissions(count, settings)),
      [0, 4, 8, 12],
    );
    assert.deepEqual(
      [1, 32, 33, 64, 65].map((count) => pushPullMs(count, settings) / 30_000),
      [1, 1, 2, 2, 3],
    );
  });
});

describe("news", () => {
  const taking = { room: 20, most: 9, limit: 2, costOf: (bytes: Uint8Array) => bytes.length };
  const texts = (found: Uint8Array[]): string[] => found.map((bytes) => Buffer.from(bytes).toString());
  test("the latest first, each so many times, later news in the place of earlier", () => {
    const news = new Broadcasts();
    news.add("a", () => Buffer.from("a1"));
    news.add("b", () => Buffer.from("b1"));
    assert.deepEqual(texts(news.take({ ...taking, room: 2 })), ["b1"]);
    news.add("a", () => Buffer.from("a2"));
    assert.deepEqual(texts(news.take(taking)), ["a2", "b1"]);
    assert.deepEqual(texts(news.take(taking)), ["a2"]);
    assert.equal(news.size, 0);
    assert.deepEqual(news.take(taking), []);
  });
  test("what does not fit waits, and what is smaller goes before it", () => {
    const news = new Broadcasts();
    news.add("small", () => Buffer.from("s"));
    news.add("large", () => Buffer.from("x".repeat(30)));
    assert.deepEqual(texts(news.take(taking)), ["s"]);
    assert.deepEqual(texts(news.take({ ...taking, room: 40 })), ["x".repeat(30), "s"]);
  });
});
