import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { TableTurns, type Told } from "./table-turns.ts";
import type { Advertisement, SessionState } from "./types.ts";

const routes = (first: number, count: number): Advertisement[] =>
  Array.from({ length: count }, (_, at) => ({
    prefix: `10.${(first + at) >> 16}.${((first + at) >> 8) & 255}.${(first + at) & 255}/32`,
    communities: [],
    largeCommunities: [],
  }));

class Peer implements Told {
  wanted: readonly Advertisement[] = [];
  state: SessionState = "Established";

  advertise(list: readonly Advertisement[]): void {
    this.wanted = list;
  }
}

function scene(count: number) {
  const clock = new FakeClock();
  /** What the peers had after each turn. */
  const told: number[][] = [];
  const turns = new TableTurns(clock, () => void told.push(tables()));
  const peers = Array.from({ length: count }, () => new Peer());
  const tables = () => peers.map(({ wanted }) => wanted.length);
  const tellAll = (list: readonly Advertisement[]): void => {
    turns.begin();
    for (const peer of peers) turns.tell(peer, list);
  };
  return { clock, turns, peers, tellAll, tables, told };
}

test("a large table is told to one peer a turn, in the end to all; small changes to all at once", () => {
  const { clock, tellAll, tables, told } = scene(3);
  const large = routes(0, 2_000);
  tellAll(large);
  assert.deepEqual(tables(), [2_000, 0, 0]);
  clock.advanceSync(10);
  assert.deepEqual(told, [
    [2_000, 2_000, 0],
    [2_000, 2_000, 2_000],
  ]);
  tellAll([...large, ...routes(50_000, 5)]);
  assert.deepEqual(tables(), [2_005, 2_005, 2_005]);
});

test("what is to go goes at once, also from who waits for the rest", () => {
  const { clock, peers, tellAll, tables } = scene(2);
  const [first = assert.fail(), ...others] = routes(0, 100);
  tellAll([first, ...others]);
  tellAll([...others, ...routes(1_000, 2_000)]);
  assert.deepEqual(tables(), [2_099, 99]);
  for (const { wanted } of peers) assert.ok(!wanted.includes(first));
  // Meanwhile something else is wanted.
  tellAll(others.slice(1));
  assert.deepEqual(tables(), [98, 98]);
  clock.advanceSync(10);
  assert.deepEqual(tables(), [98, 98]);
});

test("who is not established is told all, for it costs nothing; who is dropped is told nothing more", () => {
  const { clock, turns, peers, tellAll, tables } = scene(3);
  const [, second, third] = peers;
  if (second !== undefined) second.state = "Connect";
  tellAll(routes(0, 2_000));
  assert.deepEqual(tables(), [2_000, 2_000, 0]);
  if (third !== undefined) turns.drop(third);
  clock.advanceSync(10);
  assert.deepEqual(tables(), [2_000, 2_000, 0]);
});
