/** Links that are back -> which neighbors are forgotten. test/layer2/hindrances.test.ts does it with a real kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import type { Neighbor } from "../netlink/neighbor.ts";
import { type NeighborTable, UnansweredNeighbors } from "./unanswered-neighbors.ts";

const neighbor = (link: number, address: string): Neighbor => ({
  link,
  address,
  isUnanswered: true,
  isRouter: false,
});
const links = (...up: readonly boolean[]) =>
  up.map((isUp, at) => ({ index: at + 1, name: `eth${at}`, isUp }));

function tableOf(unanswered: readonly Neighbor[], removed: string[]): NeighborTable {
  const remove = (some: readonly Neighbor[]): void => void removed.push(...some.map((one) => one.address));
  return { unanswered: () => unanswered, remove, close() {} };
}

test("only on links that were down and are up, and once", () => {
  const removed: string[] = [];
  const table = tableOf(
    [neighbor(1, "192.0.2.1"), neighbor(2, "192.0.2.2"), neighbor(2, "fe80::2")],
    removed,
  );
  const neighbors = new UnansweredNeighbors({ table, log: silentLogger });
  neighbors.see(links(true, true));
  neighbors.see(links(true, false));
  assert.deepEqual(removed, []);
  neighbors.see(links(true, true));
  assert.deepEqual(removed, ["192.0.2.2", "fe80::2"]);
  neighbors.see(links(true, true));
  assert.equal(removed.length, 2);
});

test("a link that goes and comes again as another one is no return", () => {
  const removed: string[] = [];
  const neighbors = new UnansweredNeighbors({
    table: tableOf([neighbor(1, "192.0.2.1")], removed),
    log: silentLogger,
  });
  neighbors.see(links(false));
  neighbors.see([]);
  neighbors.see(links(true));
  assert.deepEqual(removed, []);
});

test("a kernel that refuses ends nothing, and the next return is tried", () => {
  let tries = 0;
  const table: NeighborTable = {
    unanswered: () => {
      tries += 1;
      throw new Error("EPERM");
    },
    remove: () => assert.fail(),
    close() {},
  };
  const neighbors = new UnansweredNeighbors({ table, log: silentLogger });
  for (const isUp of [false, true, false, true]) neighbors.see(links(isUp));
  assert.equal(tries, 2);
});
