/** Links that are back -> which neighbors are removed. test/layer2/hindrances.test.ts does it with a real kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import type { Neighbor } from "../netlink/neighbor.ts";
import { removeUnanswered } from "./unanswered-neighbors.ts";

const BACK = [{ index: 2, name: "eth1" }];
const neighbor = (link: number, address: string): Neighbor => ({
  link,
  address,
  isUnanswered: true,
  isRouter: false,
});

test("those of the links that are back, of both families", () => {
  const removed: string[] = [];
  const all = [neighbor(1, "192.0.2.1"), neighbor(2, "192.0.2.2"), neighbor(2, "fe80::2")];
  const remove = (some: readonly Neighbor[]): void => void removed.push(...some.map((one) => one.address));
  removeUnanswered(BACK, { table: { unanswered: () => all, remove, close() {} }, log: silentLogger });
  assert.deepEqual(removed, ["192.0.2.2", "fe80::2"]);
});

test("a kernel that refuses ends nothing", () => {
  const unanswered = (): never => {
    throw new Error("EPERM");
  };
  const table = { unanswered, remove: () => assert.fail(), close() {} };
  removeUnanswered(BACK, { table, log: silentLogger });
});
