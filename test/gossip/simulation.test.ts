/** Gossip among many, in a time of its own: who is found dead, when, and that nobody is who lives. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeNetwork } from "./network.ts";

const LOSSY = { loss: 0.2, delayMs: [0.1, 20] as const };
/** Everybody's view of the dead one; and nobody else is dead to anybody. */
function killed(network: FakeNetwork, name: string, mostMs: number): { first: number; all: number } {
  const began = network.now;
  const before = network.deaths().length;
  network.kill(name);
  const rest = network.names.filter((one) => one !== name);
  const all = network.advanceUntil(mostMs, () => network.agree(rest, [name], "dead"));
  assert.ok(all !== undefined, `${name} is not dead to all after ${mostMs} ms`);
  const deaths = network.deaths().slice(before);
  assert.deepEqual(
    deaths.filter((death) => death.name !== name),
    [],
  );
  return { first: (deaths[0]?.at ?? began) - began, all };
}

describe("coming together", () => {
  for (const count of [2, 3, 30]) {
    test(`${count} that start within a second know each other within three`, () => {
      const network = new FakeNetwork({ count });
      network.startAll();
      network.advance(1_000);
      const ms = network.advanceUntil(2_000, () => network.agree(network.names, network.names, "alive"));
      assert.ok(ms !== undefined);
    });
  }

  test("one that comes back in another life is alive at once, and stays so", () => {
    const network = new FakeNetwork({ count: 10 });
    network.startJoined();
    killed(network, "n3", 5_000);
    network.start("n3");
    assert.ok(network.advanceUntil(1_500, () => network.agree(network.names, ["n3"], "alive")) !== undefined);
    network.advance(20_000);
    assert.ok(network.agree(network.names, network.names, "alive"));
  });

  test("one that comes back with a clock that went back is alive, too", () => {
    const network = new FakeNetwork({ count: 10 });
    network.startJoined();
    network.advance(10_000);
    killed(network, "n3", 5_000);
    network.start("n3", 1);
    assert.ok(network.advanceUntil(3_000, () => network.agree(network.names, ["n3"], "alive")) !== undefined);
  });

  test("one that leaves has left at once, and is dead to nobody", () => {
    const network = new FakeNetwork({ count: 30 });
    network.startJoined();
    network.tell("n7", { type: "leave" });
    network.kill("n7");
    network.advance(10);
    const rest = network.names.filter((name) => name !== "n7");
    assert.ok(network.agree(rest, ["n7"], "left"));
    network.advance(5_000);
    assert.deepEqual(network.deaths(), []);
    assert.ok(network.agree(rest, ["n7"], "left"));
  });
});

describe("a death", () => {
  for (const [count, mostMs] of [
    [2, 700],
    [3, 700],
    [10, 800],
    [100, 1_000],
  ] as const) {
    test(`among ${count} is known to all in ${mostMs} ms, in any of ten stories`, (t) => {
      const times = Array.from({ length: count > 50 ? 2 : 10 }, (_, seed) => {
        const network = new FakeNetwork({ count, seed: seed + 1 });
        network.startJoined();
        network.advance(700);
        return killed(network, "n0", mostMs);
      });
      const sorted = times.map(({ all }) => all).sort((a, b) => a - b);
      t.diagnostic(`known to all after ${sorted[0]} to ${sorted.at(-1)} ms`);
    });
  }

  test("is found where every fifth datagram is lost, too", (t) => {
    const network = new FakeNetwork({ count: 20 });
    Object.assign(network.weather, LOSSY);
    network.startJoined();
    network.advance(5_000);
    const { first, all } = killed(network, "n4", 15_000);
    t.diagnostic(`first after ${Math.round(first)} ms, all after ${all} ms`);
  });

  test("of a third at once is known to all", () => {
    const network = new FakeNetwork({ count: 30 });
    network.startJoined();
    network.advance(1_000);
    const dead = network.names.slice(0, 10);
    const rest = network.names.slice(10);
    for (const name of dead) network.kill(name);
    assert.ok(network.advanceUntil(20_000, () => network.agree(rest, dead, "dead")) !== undefined);
    assert.deepEqual(
      network.deaths().filter(({ name }) => !dead.includes(name)),
      [],
    );
  });
});

describe("nobody is dead who lives", () => {
  const weathers = [
    ["every fifth datagram lost", { loss: 0.2 }],
    ["up to 200 ms on the way, and a fifth lost", { loss: 0.2, delayMs: [0, 200] }],
    ["everything twice, and in another order", { twice: 1, delayMs: [0, 50] }],
  ] as const;
  for (const [what, weather] of weathers) {
    for (const count of [3, 20]) {
      test(`${count} members: ${what}`, (t) => {
        const network = new FakeNetwork({ count, seed: 7 });
        Object.assign(network.weather, weather);
        network.startJoined();
        network.advance(count > 10 ? 15_000 : 100_000);
        const suspicions = network.changes.filter(({ state }) => state === "suspect").length;
        t.diagnostic(`${suspicions} suspicions in ${network.now / 1_000} s`);
        assert.deepEqual(network.deaths(), []);
      });
    }
  }

  test("stalls of a third of a second every two, of one after the other", (t) => {
    const network = new FakeNetwork({ count: 5 });
    network.weather.loss = 0.05;
    network.startJoined();
    for (let at = 0; at < 60; at++) {
      network.stall(`n${at % 5}`, 300);
      network.advance(2_000);
    }
    t.diagnostic(`${network.changes.filter(({ state }) => state === "suspect").length} suspicions`);
    assert.deepEqual(network.deaths(), []);
    assert.ok(network.gossip("n0").counts.stalls > 0);
  });

  test("of stalls of a second no death outlives the stall by half a second", () => {
    const network = new FakeNetwork({ count: 5 });
    network.weather.loss = 0.05;
    network.startJoined();
    for (let at = 0; at < 60; at++) {
      const name = `n${at % 5}`;
      network.stall(name, 1_000);
      network.advance(1_500);
      assert.ok(network.agree(network.names, network.names, "alive"));
      network.advance(500);
    }
    const stalled = network.deaths().map((death) => `n${Math.floor(death.at / 2_000) % 5}` === death.name);
    assert.ok(stalled.every(Boolean));
  });

  test("who slept for half a minute calls nobody dead when it wakes", () => {
    const network = new FakeNetwork({ count: 5 });
    network.startJoined();
    network.advance(2_000);
    network.stall("n1", 30_000);
    network.advance(30_000);
    network.advance(5_000);
    assert.deepEqual(
      network.deaths().filter(({ by }) => by === "n1"),
      [],
    );
    assert.ok(network.agree(network.names, network.names, "alive"));
  });

  test("two that cannot reach each other are alive to all, by way of the others", () => {
    const network = new FakeNetwork({ count: 6 });
    network.startJoined();
    network.weather.isCut = (from, to) => [from, to].sort().join() === "n1,n2";
    network.advance(30_000);
    assert.deepEqual(network.deaths(), []);
  });

  test("one whose packets to another one are lost in one direction is alive to all", () => {
    const network = new FakeNetwork({ count: 6 });
    network.startJoined();
    network.weather.isCut = (from, to) => from === "n1" && to === "n2";
    network.advance(30_000);
    assert.deepEqual(network.deaths(), []);
  });
});

describe("a network in two halves", () => {
  test("each is dead to the other, and both are whole within three seconds of the cure", (t) => {
    const network = new FakeNetwork({ count: 10 });
    network.startJoined();
    network.advance(1_000);
    const left = network.names.slice(0, 5);
    const right = network.names.slice(5);
    network.weather.isCut = (from, to) => left.includes(from) !== left.includes(to);
    assert.ok(network.advanceUntil(20_000, () => network.agree(left, right, "dead")) !== undefined);
    assert.ok(network.advanceUntil(20_000, () => network.agree(right, left, "dead")) !== undefined);
    network.advance(30_000);
    network.weather.isCut = () => false;
    const ms = network.advanceUntil(3_000, () => network.agree(network.names, network.names, "alive"));
    assert.ok(ms !== undefined);
    t.diagnostic(`whole again ${ms} ms after the cure`);
  });
});

test("a thousand members: one dies, all know, and nobody else is dead to anybody", (t) => {
  const before = process.cpuUsage();
  const network = new FakeNetwork({ count: 1_000 });
  network.startJoined();
  network.advance(500);
  const { first, all } = killed(network, "n500", 20_000);
  const { user, system } = process.cpuUsage(before);
  t.diagnostic(
    `first after ${Math.round(first)} ms, all after ${all} ms; ${network.packets} packets, ${((user + system) / 1e6).toFixed(1)} s of CPU`,
  );
});
