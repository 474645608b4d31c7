import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { Owners } from "./owners.ts";
import { encodeClaims } from "./wire.ts";

const VIP = "192.0.2.1";

test("what a member claims and is not kept is counted, by why", () => {
  const dropped: string[] = [];
  const owners = new Owners({
    ...{ node: "n1", clock: new FakeClock(), log: silentLogger },
    gossip: { tell() {} },
    isMember: (name) => name === "n2",
    onDropped: (reason, count) => void dropped.push(`${reason} ${count}`),
    onChange: () => undefined,
  });
  const plan = { vip: VIP, services: ["default/web"], pool: "p", candidates: ["n2"], owner: "n2", links: [] };
  owners.settle({ addresses: [{ ...plan, isAdvertised: false }], live: [], dead: [], mayClaim: true });
  const hear = (bytes: Uint8Array): void => owners.hear({ from: "n2", bytes, isWhole: false });
  hear(Buffer.from("GC\x01\xff"));
  const [bytes = Buffer.alloc(0)] = encodeClaims([
    { vip: VIP, node: "n2", epoch: 1 },
    { vip: VIP, node: "invented", epoch: 9 },
    { vip: "192.0.2.99", node: "n2", epoch: 1 },
  ]);
  hear(bytes);
  assert.deepEqual(dropped, ["malformed 1", "node 1", "address 1"]);
  assert.equal(owners.takeView().claimantOf(VIP), "n2");
});
