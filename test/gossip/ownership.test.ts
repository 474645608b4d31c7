/** Who answers for what while nodes die, return, and are cut from each other: by the speakers' own code, in a time of its own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeClaims } from "#speaker/ownership/wire.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import { OwnersNetwork } from "./owners.ts";

/** A death is known, and its addresses answered for, after so long. */
const DETECTED_MS = 1_000;

function started(options: { count: number; addresses?: number; seed?: number }): OwnersNetwork {
  const network = new OwnersNetwork({ addresses: 12, ...options });
  network.startAll(200);
  settled(network, "the start");
  // Everybody claims what it has had for a minute.
  network.advance(65_000);
  return network;
}

/** Everything is answered for by exactly one; how long it took. */
function settled(network: OwnersNetwork, after: string, mostMs = 5_000): number {
  // Nobody has looked at it yet.
  network.advance(50);
  const hasOne = (): boolean => network.vips.every((vip) => network.answering(vip).length === 1);
  const ms = network.advanceUntil(mostMs, hasOne);
  const odd = network.vips.filter((vip) => network.answering(vip).length !== 1).slice(0, 5);
  const state = odd.map((vip) => `${vip} ${network.answering(vip).join(",")}`);
  assert.ok(ms !== undefined, `${after}: ${state.join("; ")}`);
  return ms + 50;
}

const ownersOf = (network: OwnersNetwork): string[] =>
  network.vips.map((vip) => network.answering(vip).join());

describe("an owner stays the owner", () => {
  for (const count of [2, 3, 7]) {
    test(`${count} nodes: one dies and returns: only its own addresses move, and nothing moves back`, () => {
      const network = started({ count });
      const before = ownersOf(network);
      network.kill("n0");
      const ms = settled(network, "a death");
      assert.ok(ms <= DETECTED_MS, `${ms} ms`);
      const meanwhile = ownersOf(network);
      for (const [at, owner] of before.entries())
        if (owner !== "n0") assert.equal(meanwhile[at], owner, "of another node");
      // A process takes longer to start.
      network.advance(1_500);
      const moves = network.moves.length;
      network.start("n0");
      network.advance(70_000);
      assert.equal(network.moves.length, moves);
      assert.deepEqual(ownersOf(network), meanwhile);
    });
  }

  test("one that joins takes nothing, and takes its part when another one dies", () => {
    const network = new OwnersNetwork({ count: 4, addresses: 40 });
    for (const name of ["n0", "n1", "n2"]) network.start(name);
    // n3 is expected, and is not there.
    network.advance(70_000);
    settled(network, "the start");
    const before = ownersOf(network);
    network.start("n3");
    network.advance(70_000);
    assert.deepEqual(ownersOf(network), before);
    network.kill("n1");
    settled(network, "a death");
    assert.ok(ownersOf(network).includes("n3"));
  });

  test("while a cluster starts the election spreads addresses over all, though the first one was alone", () => {
    const network = new OwnersNetwork({ count: 3, addresses: 60 });
    network.start("n0");
    network.advance(20_000);
    assert.deepEqual(new Set(ownersOf(network)), new Set(["n0"]));
    network.start("n1");
    network.start("n2");
    network.advance(5_000);
    settled(network, "the start");
    assert.deepEqual(new Set(ownersOf(network)), new Set(["n0", "n1", "n2"]));
  });

  test("a node that is excluded gives away what it has at once, and gets nothing back", () => {
    const network = started({ count: 3 });
    network.excluded.add("n1");
    network.reconsider();
    settled(network, "the label");
    const meanwhile = ownersOf(network);
    assert.ok(!meanwhile.includes("n1"));
    network.excluded.delete("n1");
    network.reconsider();
    network.advance(10_000);
    assert.deepEqual(ownersOf(network), meanwhile);
  });

  test("a rebalance spreads them again, each as soon as its owner gives it, and they stay so", () => {
    const network = started({ count: 3, addresses: 60 });
    network.kill("n2");
    settled(network, "a death");
    network.advance(1_500);
    network.start("n2");
    network.advance(5_000);
    network.rebalance = "now";
    network.reconsider();
    const ms = settled(network, "a rebalance");
    assert.ok(ms <= 100, `${ms} ms`);
    const spread = ownersOf(network);
    for (const name of network.names) assert.equal(spread.filter((owner) => owner === name).length, 20);
    const moves = network.moves.length;
    network.advance(70_000);
    // A speaker that starts finds a word that is old.
    network.kill("n0");
    settled(network, "another death");
    network.advance(1_500);
    const meanwhile = ownersOf(network);
    network.start("n0");
    network.advance(70_000);
    assert.deepEqual(ownersOf(network), meanwhile);
    assert.ok(network.moves.length > moves);
  });

  test("Balanced spreads them again, and Sticky keeps them as they are then", () => {
    const network = started({ count: 3, addresses: 60 });
    const first = ownersOf(network);
    network.kill("n2");
    settled(network, "a death");
    network.advance(1_500);
    network.start("n2");
    network.advance(5_000);
    assert.ok(!ownersOf(network).includes("n2"));
    network.keepsOwners = false;
    network.reconsider();
    settled(network, "balanced");
    network.advance(2_000);
    assert.deepEqual(ownersOf(network), first);
    network.keepsOwners = true;
    network.reconsider();
    network.advance(70_000);
    assert.deepEqual(ownersOf(network), first);
  });
});

describe("who does not hear claims", () => {
  test("makes all follow the election: a rolling update from an older release", () => {
    const network = new OwnersNetwork({ count: 3, addresses: 30 });
    for (const name of network.names) network.deaf.add(name);
    network.startAll(200);
    network.advance(70_000);
    settled(network, "the start");
    const elected = ownersOf(network);
    for (const name of network.names) {
      network.kill(name);
      settled(network, `${name} ends`);
      network.advance(1_500);
      network.deaf.delete(name);
      network.start(name);
      network.advance(3_000);
      settled(network, `${name} returns`);
      // While one of the old release is left, a node gets back what the election gives it.
      if (network.deaf.size > 0) assert.deepEqual(ownersOf(network), elected);
    }
    assert.ok(!ownersOf(network).includes("n2"), "the last one is the first to whom nothing is given back");
  });
});

describe("two that claim", () => {
  test("after a partition: settled as soon as they hear each other, and no address is without an answer", (t) => {
    const worst: number[] = [];
    for (let seed = 1; seed <= 5; seed += 1) {
      const network = started({ count: 5, seed });
      const isLeft = (name: string): boolean => name === "n0" || name === "n1";
      network.weather.isCut = (from, to) => isLeft(from) !== isLeft(to);
      network.isApiCut = () => true;
      network.advance(10_000);
      for (const vip of network.vips) assert.equal(network.answering(vip).length, 2, `seed ${seed}: ${vip}`);
      const since = network.now;
      const moves = network.moves.length;
      network.weather.isCut = () => false;
      const heard = network.advanceUntil(10_000, () => network.agree(network.names, network.names, "alive"));
      assert.ok(heard !== undefined, `seed ${seed}`);
      const ms = settled(network, `seed ${seed}, healed`);
      worst.push(ms);
      const none = network.moves.slice(moves).find(({ by }) => by.length === 0);
      assert.equal(none, undefined, `seed ${seed}: at ${none?.at} nobody, healed at ${since}`);
    }
    t.diagnostic(`one answers ${Math.max(...worst)} ms after all hear each other, at most`);
    assert.ok(Math.max(...worst) <= 1_000, `${worst}`);
  });

  test("one that was cut off alone, and its link is back, takes nothing that others took", () => {
    const network = started({ count: 3 });
    network.weather.isCut = (from, to) => from === "n0" || to === "n0";
    network.isApiCut = (name) => name === "n0";
    network.advance(10_000);
    const meanwhile = network.vips.map((vip) =>
      network
        .answering(vip)
        .filter((name) => name !== "n0")
        .join(),
    );
    network.weather.isCut = () => false;
    network.isApiCut = () => false;
    network.advance(10_000);
    assert.deepEqual(ownersOf(network), meanwhile);
  });
});

describe("any history", () => {
  const seeds = Array.from({ length: 8 }, (_, at) => at + 1);
  for (const seed of seeds) {
    test(`seed ${seed}: only what has to move moves, and all of it`, () => {
      const random = fakeRandom(seed * 7_919);
      const network = started({ count: 5, seed });
      Object.assign(network.weather, { loss: 0.02, delayMs: [0.1, 10] as const });
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random.number() * list.length)] as T;
      const story: string[] = [];
      for (let round = 0; round < 12; round += 1) {
        const before = ownersOf(network);
        const able = network.running.filter((name) => !network.excluded.has(name));
        const name = pick(network.names);
        const isRunning = network.running.includes(name);
        let gone: string | undefined;
        if (!isRunning) {
          story.push(`${name} returns`);
          network.start(name);
        } else if (network.excluded.delete(name)) story.push(`${name} may own again`);
        else if (able.length <= 2) continue;
        else {
          gone = name;
          if (random.number() < 0.6) {
            story.push(`${name} dies`);
            network.kill(name);
          } else {
            story.push(`${name} is excluded`);
            network.excluded.add(name);
          }
        }
        network.reconsider();
        network.advance(5_000);
        const after = ownersOf(network);
        const told = `seed ${seed}: ${story.join(", ")}`;
        for (const [at, owner] of before.entries()) {
          const now = after[at] ?? "";
          if (owner !== gone) assert.equal(now, owner, `${told}: ${network.vips[at]}`);
          else assert.ok(able.includes(now) && now !== gone, `${told}: ${network.vips[at]} ${now}`);
        }
      }
    });
  }
});

test("octets: ten thousand addresses of each family, and a death among three nodes", (t) => {
  const claims = (of: (at: number) => string) =>
    Array.from({ length: 10_000 }, (_, at) => ({
      vip: of(at),
      node: `worker-${at % 3}`,
      epoch: 1 + (at % 200),
    }));
  const first = encodeClaims(claims((at) => `10.1.${at >> 8}.${at & 255}`));
  const second = encodeClaims(claims((at) => `fd00::${at.toString(16)}`));
  const [v4, v6] = [first[0]?.length ?? 0, second[0]?.length ?? 0];
  t.diagnostic(`10,000 claims: ${v4} octets IPv4, ${v6} octets IPv6`);
  assert.ok(v4 > 0 && v4 < 60_000 && v6 > 0 && v6 < 180_000, `${v4} ${v6}`);
  const network = new OwnersNetwork({ count: 3, addresses: 300 });
  network.startAll(200);
  network.advance(70_000);
  const before = network.toldOctets;
  network.kill("n0");
  network.advance(5_000);
  settled(network, "a death");
  const told = network.toldOctets - before;
  t.diagnostic(`100 of 300 addresses moved: ${told} octets of news, passed on by two`);
  assert.ok(told > 0 && told < 100 * 6 * 2 * 2 * 2, `${told}`);
});
