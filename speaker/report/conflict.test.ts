import assert from "node:assert/strict";
import { test } from "node:test";
import type { Conflict } from "../layer2/messages.ts";
import { conflictTrouble } from "./conflict.ts";

const conflict = (vip: string, state: Conflict["state"] = "defended"): Conflict => ({
  link: "eth0",
  vip,
  station: "5254000000ff",
  state,
});

test("no conflict is no trouble", () => assert.equal(conflictTrouble([]), undefined));

test("names the address, the link and the station; what is not answered for comes first", () => {
  const conflicts = [
    conflict("192.0.2.1"),
    conflict("192.0.2.3", "yielded"),
    conflict("192.0.2.2", "yielded"),
  ];
  const trouble = conflictTrouble(conflicts);
  assert.deepEqual(trouble, {
    reason: "AddressConflict",
    message:
      "a station that is no node of this cluster, 52:54:00:00:00:ff, uses 192.0.2.2 on link eth0, too: " +
      "the address is left to it and not answered for, and 2 more",
  });
  assert.deepEqual(conflictTrouble(conflicts.toReversed()), trouble, "in whatever order they come");
});
