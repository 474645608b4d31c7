import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import type { Telling } from "../gossip/types.ts";
import { Owners } from "./owners.ts";
import { decodeClaims, encodeClaims } from "./wire.ts";

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

test("two that announce the same address, because news was lost, tell their claims again, and one stops", () => {
  const told = new Map<string, Telling[]>([
    ["n1", []],
    ["n2", []],
  ]);
  const plan = { vip: VIP, services: ["default/web"], pool: "p", candidates: ["n1", "n2"], links: ["eth0"] };
  const started = (node: string): Owners => {
    const owners = new Owners({
      ...{ node, clock: new FakeClock(), log: silentLogger },
      gossip: { tell: (telling) => void told.get(node)?.push(telling) },
      isMember: () => true,
      onChange: () => undefined,
    });
    const addresses = [{ ...plan, owner: node, isAdvertised: false }];
    owners.settle({ addresses, live: ["n1", "n2"], dead: [], mayClaim: true });
    return owners;
  };
  const [one, other] = [started("n1"), started("n2")];
  const hearOf = (owners: Owners, claim: { readonly node: string; readonly epoch: number }): void => {
    for (const bytes of encodeClaims([{ vip: VIP, ...claim }]))
      owners.hear({ from: "n3", bytes, isWhole: true });
  };
  hearOf(one, { node: "n1", epoch: 5 });
  hearOf(other, { node: "n2", epoch: 6 });
  for (const list of told.values()) list.length = 0;
  one.repeat(["192.0.2.77"]);
  assert.deepEqual(told.get("n1"), [], "of what nobody claims there is nothing to tell");
  one.repeat([VIP, "192.0.2.77"]);
  other.repeat([VIP]);
  for (const [from, to] of [["n1", other] as const, ["n2", one] as const])
    for (const { news, isUrgent } of told.get(from) ?? []) {
      assert.ok(isUrgent);
      for (const bytes of news) to.hear({ from, bytes, isWhole: false });
    }
  assert.deepEqual(
    told.get("n1")?.flatMap(({ news }) => news.flatMap((bytes) => decodeClaims(bytes, 9))),
    [{ vip: VIP, node: "n1", epoch: 5 }],
  );
  assert.deepEqual(
    [one, other].map((owners) => owners.takeView().claimantOf(VIP)),
    ["n2", "n2"],
  );
});
