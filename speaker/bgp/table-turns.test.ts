import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cancel } from "#common/clock.ts";
import { differenceOf, type List, NOTHING } from "./list-difference.ts";
import { ROUTES_A_TURN, TableTurns, type Told } from "./table-turns.ts";
import type { Advertisement, SessionState } from "./types.ts";

const routes = (first: number, count: number, med?: number): Advertisement[] =>
  Array.from({ length: count }, (_, at) => ({
    prefix: `10.${(first + at) >> 16}.${((first + at) >> 8) & 255}.${(first + at) & 255}/32`,
    communities: [],
    largeCommunities: [],
    ...(med !== undefined && { med }),
  }));

class Peer implements Told {
  wanted: List = NOTHING;
  state: SessionState = "Established";
  /** Whether each table that it was told was a whole one. */
  readonly whole: boolean[] = [];
  /** Routes that it was told since it was last asked. */
  work = 0;

  advertise(list: List, isWhole: boolean): void {
    const { gone, added } = differenceOf(this.wanted, list);
    this.work += gone.length + added.length;
    this.wanted = list;
    this.whole.push(isWhole);
  }
}

/** The event loop, turn by turn. */
class Loop {
  #next: (() => void)[] = [];

  after(_ms: number, fn: () => void): Cancel {
    this.#next.push(fn);
    return () => {
      this.#next = this.#next.filter((one) => one !== fn);
    };
  }

  /** Runs what waits, and not what it asks for. */
  turn(): void {
    for (const fn of this.#next.splice(0)) fn();
  }

  /** Until nothing waits. */
  finish(): void {
    while (this.#next.length > 0) this.turn();
  }
}

function scene(count: number) {
  const loop = new Loop();
  const peers = Array.from({ length: count }, () => new Peer());
  /** Routes that all peers were told in each turn. */
  const work: number[] = [];
  const note = (): void => {
    work.push(peers.reduce((sum, peer) => sum + peer.work, 0));
    for (const peer of peers) peer.work = 0;
  };
  const turns = new TableTurns(loop, note);
  const tables = () => peers.map(({ wanted }) => wanted.length);
  const tellAll = (list: List): void => {
    for (const peer of peers) turns.tell(peer, list);
  };
  return { loop, turns, peers, tellAll, tables, work, note };
}

test("30 peers x 10,000 routes: no turn tells more than its share, and in the end all have all", () => {
  const { loop, peers, tellAll, tables, work, note } = scene(30);
  tellAll(routes(0, 10_000));
  note();
  loop.finish();
  assert.deepEqual(new Set(tables()), new Set([10_000]));
  assert.ok(Math.max(...work) <= ROUTES_A_TURN, work.join());
  assert.equal(
    work.reduce((sum, one) => sum + one, 0),
    300_000,
  );
  // Who has a part knows that it is one: End-of-RIB waits.
  for (const { whole } of peers) assert.deepEqual(whole, [false, false, false, true]);
});

test("30 sessions that begin in one turn are told in turns, each the table that it was to have", () => {
  const { loop, turns, peers, tables, work, note } = scene(30);
  const list = routes(0, 4_000);
  for (const peer of peers) turns.begin(peer, list);
  note();
  assert.deepEqual(new Set(tables()), new Set([0]));
  loop.finish();
  assert.deepEqual(new Set(tables()), new Set([4_000]));
  assert.ok(Math.max(...work) <= ROUTES_A_TURN, work.join());
});

test("a session that is lost on the way, and back, gets the whole table and not the part that it had", () => {
  const { loop, turns, peers, tellAll } = scene(1);
  const [peer = assert.fail()] = peers;
  tellAll(routes(0, 10_000));
  loop.turn();
  assert.equal(peer.wanted.length, ROUTES_A_TURN);
  const part = peer.wanted;
  peer.wanted = NOTHING;
  turns.begin(peer, part);
  loop.finish();
  assert.equal(peer.wanted.length, 10_000);
});

test("a few routes more are told to all peers at once", () => {
  const { loop, tellAll, tables } = scene(3);
  const large = routes(0, 2_000);
  tellAll(large);
  assert.deepEqual(tables(), [2_000, 0, 0]);
  loop.finish();
  tellAll([...large, ...routes(50_000, 5)]);
  assert.deepEqual(tables(), [2_005, 2_005, 2_005]);
});

test("a few routes that are to go go at once, also from who waits for the rest", () => {
  const { loop, peers, tellAll, tables } = scene(2);
  const [first = assert.fail(), ...others] = routes(0, 100);
  tellAll([first, ...others]);
  loop.finish();
  tellAll([...others, ...routes(1_000, 2_000)]);
  assert.deepEqual(tables(), [2_099, 99]);
  for (const { wanted } of peers) assert.ok(!wanted.includes(first));
  // Meanwhile something else is wanted.
  tellAll(others.slice(1));
  loop.finish();
  assert.deepEqual(tables(), [98, 98]);
});

test("30 peers x 10,000 routes withdrawn: in turns, before what is told, and who asked hears of the end", async () => {
  const { loop, turns, peers, tellAll, tables, work, note } = scene(30);
  const [before, after] = [routes(0, 10_000), routes(20_000, 10_000)];
  tellAll(before);
  loop.finish();
  work.length = 0;
  tellAll(after);
  let isWithdrawn = false;
  const end = turns.withdrawn().then(() => {
    isWithdrawn = true;
  });
  note();
  while (peers.some(({ wanted }) => wanted.includes(before[9_999] ?? assert.fail()))) {
    await Promise.resolve();
    assert.equal(isWithdrawn, false);
    loop.turn();
  }
  await end;
  assert.ok(peers.every(({ wanted }) => wanted.length === 0));
  loop.finish();
  assert.deepEqual(new Set(tables()), new Set([10_000]));
  assert.ok(Math.max(...work) <= ROUTES_A_TURN, work.join());
});

test("nobody waits for withdrawals where there are none, or sessions are lost, or all is stopped", async () => {
  const { loop, turns, peers, tellAll } = scene(2);
  await turns.withdrawn();
  tellAll(routes(0, 10_000));
  loop.finish();
  tellAll([]);
  const lost = turns.withdrawn();
  for (const peer of peers) peer.state = "Idle";
  loop.turn();
  await lost;
  for (const peer of peers) peer.state = "Established";
  tellAll(routes(0, 10_000));
  loop.finish();
  tellAll([]);
  const stopped = turns.withdrawn();
  turns.stop();
  await stopped;
});

test("routes whose attributes change keep the old ones until their turn: none is withdrawn on the way", () => {
  const { loop, peers, tellAll } = scene(1);
  const [peer = assert.fail()] = peers;
  tellAll(routes(0, 7_000));
  loop.finish();
  tellAll(routes(0, 7_000, 100));
  for (const changed of [0, 3_000, 6_000, 7_000]) {
    assert.deepEqual(new Set(peer.wanted.map(({ prefix }) => prefix)).size, 7_000);
    assert.equal(peer.wanted.filter(({ med }) => med === 100).length, changed);
    loop.turn();
  }
});

test("who is not established is told all, for it costs nothing; who is dropped is told nothing more", () => {
  const { loop, turns, peers, tellAll, tables } = scene(3);
  const [, second, third] = peers;
  if (second !== undefined) second.state = "Connect";
  tellAll(routes(0, 2_000));
  assert.deepEqual(tables(), [2_000, 2_000, 0]);
  if (third !== undefined) turns.drop(third);
  loop.finish();
  assert.deepEqual(tables(), [2_000, 2_000, 0]);
});
