import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AddressPlan } from "../plan/addresses.ts";
import {
  claim,
  epochOf,
  hearClaims,
  type Ownership,
  type OwnershipInput,
  startOwnership,
} from "./ownership.ts";

const VIP = "192.0.2.1";
const ALL = ["n1", "n2", "n3"];
const plan = (owner: string | undefined, candidates: readonly string[] = ALL): AddressPlan => ({
  vip: VIP,
  services: ["default/web"],
  pool: "pool",
  candidates,
  ...(owner === undefined ? { unowned: "NoCandidate" } : { owner }),
  links: owner === "n1" ? ["eth0"] : [],
  isAdvertised: false,
});

/** n1 looks at what it is told. */
function look(
  ownership: Ownership,
  now: number,
  address: AddressPlan,
  changes: Partial<OwnershipInput> = {},
) {
  const input = {
    addresses: [address],
    live: ALL,
    dead: [],
    mayClaim: true,
    now,
    date: new Date(now),
    ...changes,
  };
  return claim(ownership, input);
}

const everybody = (): boolean => true;

describe("what is claimed, and when", () => {
  test("an address that nobody had, after a minute; until then it may go to a node that comes", () => {
    const ownership = startOwnership("n1");
    assert.deepEqual(look(ownership, 0, plan("n1")), { made: [], given: [], againAt: 60_000 });
    assert.deepEqual(look(ownership, 59_999, plan("n1")).made, []);
    assert.deepEqual(look(ownership, 60_000, plan("n1")).made, [{ vip: VIP, node: "n1", epoch: 1 }]);
    assert.deepEqual(look(ownership, 60_001, plan("n1")), { made: [], given: [], againAt: undefined });
    assert.equal(ownership.owned.get(VIP)?.why, "First");
  });

  test("one of a dead node, when it is sure that the others live; with an epoch above any that it may have missed", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    const dead = { live: ["n1", "n3"], dead: ["n2"] };
    const address = plan("n1", ["n1", "n3"]);
    assert.deepEqual(look(ownership, 5, address, dead), { made: [], given: [], againAt: 1_005 });
    assert.deepEqual(look(ownership, 1_005, address, dead).made, [{ vip: VIP, node: "n1", epoch: 2 }]);
    const { from, why } = ownership.owned.get(VIP) ?? {};
    assert.deepEqual([from, why], ["n2", "Dead"]);
  });

  test("one of a node that was claimed: one epoch higher", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 7 }], everybody);
    const left = look(ownership, 5, plan("n1", ["n1", "n3"]), { live: ["n1", "n3"] });
    assert.deepEqual(left.made, [{ vip: VIP, node: "n1", epoch: 8 }]);
    assert.equal(ownership.owned.get(VIP)?.why, "Left");
  });

  test("at once where the owner before lives and may not own it any more, or is behind in the election", () => {
    for (const [candidates, why] of [
      [["n1", "n3"], "Ineligible"],
      [ALL, "Elected"],
    ] as const) {
      const ownership = startOwnership("n1");
      look(ownership, 0, plan("n2"));
      hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 1 }], everybody);
      assert.deepEqual(look(ownership, 5, plan("n1", candidates)).made, [{ vip: VIP, node: "n1", epoch: 2 }]);
      assert.equal(ownership.owned.get(VIP)?.why, why);
    }
  });

  test("nothing by a node that does not know what others claim, and later what it owns then", () => {
    const ownership = startOwnership("n1");
    assert.deepEqual(look(ownership, 90_000, plan("n1"), { mayClaim: false }), {
      made: [],
      given: [],
      againAt: undefined,
    });
    assert.equal(look(ownership, 150_000, plan("n1")).made.length, 1);
  });

  test("not over and over where another one goes on to claim it", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    const address = plan("n1", ["n1", "n3"]);
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 1 }], everybody);
    assert.equal(look(ownership, 1, address).made.length, 1);
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 3 }], everybody);
    assert.deepEqual(look(ownership, 2, address), { made: [], given: [], againAt: 1_001 });
    assert.deepEqual(look(ownership, 1_001, address).made, [{ vip: VIP, node: "n1", epoch: 4 }]);
  });

  test("who had an address last is remembered while nobody may own it", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    look(ownership, 1, plan(undefined, []));
    look(ownership, 2, plan("n1", ["n1"]), { live: ["n1", "n3"] });
    assert.deepEqual(ownership.owned.get(VIP)?.from, "n2");
  });
});

test("the epoch that others are told is that of the claim, also before it is made", () => {
  const ownership = startOwnership("n1");
  look(ownership, 0, plan("n2"));
  hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 7 }], everybody);
  assert.equal(epochOf(ownership, VIP), undefined);
  const dead = { live: ["n1", "n3"], dead: ["n2"] };
  look(ownership, 5, plan("n1", ["n1", "n3"]), dead);
  assert.equal(epochOf(ownership, VIP), 8);
  look(ownership, 1_005, plan("n1", ["n1", "n3"]), dead);
  assert.deepEqual([ownership.claims.of(VIP)?.epoch, epochOf(ownership, VIP)], [8, 8]);
});

test("who takes over what nobody has claimed yet comes after whoever had it", () => {
  const date = new Date("2026-01-01T00:00:00Z");
  const [first, second] = ["n1", "n3"].map((node) => {
    const ownership = startOwnership(node);
    if (node === "n3") look(ownership, 0, plan("n1"), { date });
    look(ownership, 1, { ...plan(node), links: ["eth0"] }, { date });
    return epochOf(ownership, VIP) ?? 0;
  });
  assert.ok((second ?? 0) > (first ?? 0), `${first} and then ${second} of one second`);
});

describe("an address that somebody outside was told is here, and that is not", () => {
  /** n1 was cut off, took what n2 has, and said so by epoch 6. Then it hears n2's claim, of this epoch. */
  function afterAll(epoch: number, changes: Partial<OwnershipInput> = {}): readonly unknown[] {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    look(ownership, 1, plan("n1", ["n1"]), { live: ["n1"], dead: ["n2", "n3"] });
    ownership.told.set(VIP, 6);
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch }], everybody);
    const { given } = look(ownership, 2, plan("n2"), changes);
    assert.deepEqual(look(ownership, 3, plan("n2")).given.length, changes.mayClaim === false ? 1 : 0, "once");
    return given;
  }

  test("is given to its owner by a higher epoch, where the owner's is not above what was told", () => {
    for (const epoch of [5, 6]) assert.deepEqual(afterAll(epoch), [{ vip: VIP, node: "n2", epoch: 7 }]);
    assert.deepEqual(afterAll(7), []);
  });

  test("is given later by a node that does not know yet what others claim", () => {
    assert.deepEqual(afterAll(5, { mayClaim: false }), []);
  });

  test("is given to an owner that has not claimed it, and to nobody while nobody may own it", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n1"));
    ownership.told.set(VIP, 6);
    assert.deepEqual(look(ownership, 1, plan(undefined, [])).given, []);
    assert.deepEqual(look(ownership, 2, plan("n3")).given, [{ vip: VIP, node: "n3", epoch: 7 }]);
  });

  test("what was told is claimed, though another one gave the address here by a lower epoch", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n2"));
    look(ownership, 1, plan("n1"));
    ownership.told.set(VIP, 9);
    hearClaims(ownership, [{ vip: VIP, node: "n1", epoch: 5 }], everybody);
    assert.equal(epochOf(ownership, VIP), 9);
    assert.deepEqual(look(ownership, 2, plan("n1")).made, [{ vip: VIP, node: "n1", epoch: 9 }]);
    assert.deepEqual(look(ownership, 3_000, plan("n1")).made, [], "once");
  });

  test("is forgotten with the address", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n1"));
    ownership.told.set(VIP, 6);
    claim(ownership, { addresses: [], live: ALL, dead: [], mayClaim: true, now: 1, date: new Date(1) });
    assert.equal(ownership.told.size, 0);
  });
});

describe("claims of hostile or odd members", () => {
  test("of addresses that nobody has and of names that no node has are not kept", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n1"));
    const heard = [
      { vip: "192.0.2.99", node: "n2", epoch: 1 },
      { vip: VIP, node: "nobody", epoch: 9 },
    ];
    assert.deepEqual(
      hearClaims(ownership, heard, (name) => ALL.includes(name)),
      [],
    );
    assert.equal(ownership.claims.size, 0);
  });

  test("of the highest epoch leave the address to the election, and nobody counts on", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n1"));
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 0xffff_ffff }], everybody);
    assert.deepEqual(look(ownership, 90_000, plan("n1", ["n1", "n3"])).made, []);
  });

  test("go with the address", () => {
    const ownership = startOwnership("n1");
    look(ownership, 0, plan("n1"));
    hearClaims(ownership, [{ vip: VIP, node: "n2", epoch: 1 }], everybody);
    claim(ownership, { addresses: [], live: ALL, dead: [], mayClaim: true, now: 1, date: new Date(1) });
    assert.deepEqual([ownership.claims.size, ownership.owned.size], [0, 0]);
  });
});
