import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import type { Telling } from "../gossip/types.ts";
import type { Claim } from "./claims.ts";
import { Owners } from "./owners.ts";
import { type ClaimsKind, decodeClaims, encodeClaims, kindOfClaims } from "./wire.ts";

const VIP = "192.0.2.1";
const claim = (node: string, epoch: number, vip = VIP): Claim => ({ vip, node, epoch });
const text = (kind: ClaimsKind, ...claims: readonly Claim[]): Uint8Array =>
  encodeClaims(claims, { kind })[0] ?? Buffer.alloc(0);

interface Around {
  /** As far as node n1 knows; undefined: nobody owns it. */
  readonly owner?: string;
  /** It has not been told anything yet. */
  readonly isStarting?: true;
  readonly unheard?: readonly string[];
}

/** Node n1 among n1 to n4, and what it says: `n2 question n2/0`, and to all `* claims ...`. */
class World {
  readonly clock = new FakeClock();
  readonly dropped: string[] = [];
  readonly said: string[] = [];
  readonly owners: Owners;

  constructor({ owner = "n2", isStarting, unheard = [] }: Around = {}) {
    const say = (to: string, messages: readonly Uint8Array[]): void => {
      for (const bytes of messages) {
        const kind = kindOfClaims(bytes) ?? "claims";
        const words = decodeClaims(bytes, 9, kind).map(({ node, epoch }) => `${node}/${epoch}`);
        this.said.push(`${to} ${kind} ${words.join(" ")}`);
      }
    };
    this.owners = new Owners({
      ...{ node: "n1", clock: this.clock, log: silentLogger },
      gossip: { tell: ({ news }) => say("*", news), say },
      isMember: (name) => /^n[1-4]$/.test(name),
      isHeard: (name) => !unheard.includes(name),
      onDropped: (reason, count) => void this.dropped.push(`${reason} ${count}`),
      onChange: () => undefined,
    });
    this.look(owner, isStarting !== true);
  }

  look(owner: string | undefined, mayClaim = true): void {
    const plan = { vip: VIP, services: ["default/web"], pool: "p", candidates: ["n1", "n2", "n3", "n4"] };
    const links = owner === "n1" ? ["eth0"] : [];
    const addresses = [{ ...plan, ...(owner !== undefined && { owner }), links, isAdvertised: false }];
    this.owners.settle({ addresses: addresses as never, live: ["n1", "n2", "n3", "n4"], dead: [], mayClaim });
  }

  hear(from: string, kind: ClaimsKind, ...claims: readonly Claim[]): void {
    this.owners.hear({ from, bytes: text(kind, ...claims), isWhole: false });
  }

  get claimant(): string | undefined {
    return this.owners.takeView().claimantOf(VIP);
  }

  asked(): string[] {
    return this.said.filter((words) => words.includes("question"));
  }
}

test("what a member claims and is not kept is counted, by why", () => {
  const world = new World();
  world.owners.hear({ from: "n2", bytes: Buffer.from("GC\x01\xff"), isWhole: false });
  world.hear("n2", "claims", claim("n2", 1), claim("invented", 9), claim("n2", 1, "192.0.2.99"));
  assert.deepEqual(world.dropped, ["malformed 1", "node 1", "address 1"]);
  assert.equal(world.claimant, "n2");
});

describe("a claim that somebody else tells", () => {
  test("counts when its claimant says so, which is asked after a moment", async () => {
    const world = new World();
    world.hear("n3", "claims", claim("n4", 5));
    assert.deepEqual([world.claimant, world.asked(), world.owners.isAsking], [undefined, [], true]);
    await world.clock.advance(30);
    assert.deepEqual(world.asked(), ["n4 question n4/0"]);
    world.hear("n3", "answer", claim("n4", 5));
    assert.equal(world.claimant, undefined, "another one answers for it");
    world.hear("n4", "answer", claim("n4", 6));
    assert.deepEqual([world.claimant, world.owners.isAsking], ["n4", false]);
  });

  test("counts for nothing when its claimant says otherwise, or nothing of the kind", async () => {
    for (const answer of [claim("n4", 0), claim("n2", 3)]) {
      const world = new World();
      world.hear("n2", "claims", claim("n2", 3));
      world.hear("n3", "claims", claim("n4", 5));
      await world.clock.advance(30);
      world.hear("n4", "answer", answer);
      assert.deepEqual([world.claimant, world.owners.isAsking], ["n2", false]);
      assert.deepEqual(world.dropped, ["hearsay 1"]);
    }
  });

  test("is not asked for when its own word comes first, or it is old", async () => {
    const world = new World();
    world.hear("n3", "claims", claim("n4", 5));
    world.hear("n4", "claims", claim("n4", 5));
    world.hear("n3", "claims", claim("n2", 4));
    await world.clock.advance(1_000);
    assert.deepEqual(world.asked(), []);
    assert.equal(world.claimant, "n4");
  });

  test("is asked for again, and believed where there is no answer for a second, as of an older release", async () => {
    const world = new World();
    world.hear("n3", "claims", claim("n4", 5));
    await world.clock.advance(900);
    assert.deepEqual([world.asked().length, world.claimant], [5, undefined]);
    await world.clock.advance(200);
    assert.deepEqual([world.asked().length, world.claimant], [5, "n4"]);
  });

  test("is believed at once of one that is not heard: it counts for nothing until that one is", () => {
    const world = new World({ unheard: ["n4"] });
    world.hear("n3", "claims", claim("n4", 5));
    assert.equal(world.claimant, "n4");
  });

  test("waits once for each address, whoever tells how much", async () => {
    const world = new World();
    world.hear("n3", "claims", claim("n4", 5));
    for (let epoch = 6; epoch < 50; epoch += 1) world.hear("n3", "claims", claim("n2", epoch));
    await world.clock.advance(30);
    assert.deepEqual(world.asked(), ["n4 question n4/0"]);
  });
});

describe("an address that is given to this node", () => {
  test("is taken from its owner, and told to all by this node's own word", async () => {
    const world = new World({ owner: "n2" });
    world.hear("n2", "claims", claim("n1", 5));
    assert.equal(world.claimant, "n1");
    await world.clock.advance(20);
    assert.deepEqual(world.said, ["* claims n1/5"]);
  });

  test("is taken when this node starts: it may have claimed it before, and does not remember", () => {
    const world = new World({ owner: "n2", isStarting: true });
    world.hear("n3", "claims", claim("n1", 5));
    assert.equal(world.claimant, "n1");
  });

  test("is not taken from anybody else, unless the owner says that it gave it", async () => {
    const given = new World({ owner: "n2" });
    given.hear("n3", "claims", claim("n1", 5));
    await given.clock.advance(30);
    assert.deepEqual([given.claimant, given.asked()], [undefined, ["n2 question n2/0"]]);
    given.hear("n2", "answer", claim("n1", 5));
    assert.equal(given.claimant, "n1");

    const forged = new World({ owner: "n2" });
    forged.hear("n2", "claims", claim("n2", 3));
    forged.hear("n3", "claims", claim("n1", 5));
    await forged.clock.advance(30);
    forged.hear("n2", "answer", claim("n2", 3));
    assert.equal(forged.claimant, "n2");
    assert.deepEqual(forged.dropped, ["hearsay 1"]);
    // Who believed it has to hear something newer.
    assert.ok(forged.said.includes("* claims n2/6"), forged.said.join("; "));
  });

  test("is not taken where the owner is silent, or there is none", async () => {
    for (const around of [{ owner: "n2" }, { owner: "n2", unheard: ["n2"] }]) {
      const world = new World(around);
      world.hear("n3", "claims", claim("n1", 5));
      await world.clock.advance(2_000);
      assert.deepEqual([world.claimant, world.dropped], [undefined, ["hearsay 1"]]);
    }
  });
});

test("who asks is told what is known, and that nobody claims an address", () => {
  const world = new World();
  world.hear("n3", "question", claim("n1", 0));
  world.hear("n2", "claims", claim("n2", 3));
  world.hear("n3", "question", claim("n1", 0), claim("n1", 0, "192.0.2.99"));
  assert.deepEqual(world.said, ["n3 answer n1/0", "n3 answer n2/3"]);
});

test("what this node gives is told again until the new owner claims it", async () => {
  const world = new World({ owner: "n1" });
  world.owners.told([{ vip: VIP, epoch: 7 }]);
  world.look("n2");
  const toldN2 = (): number => world.said.filter((words) => words === "n2 claims n2/8").length;
  await world.clock.advance(650);
  assert.equal(toldN2(), 3, world.said.join("; "));
  world.hear("n2", "claims", claim("n2", 8));
  await world.clock.advance(2_000);
  assert.equal(toldN2(), 3);
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
      gossip: { tell: (telling) => void told.get(node)?.push(telling), say() {} },
      isMember: () => true,
      isHeard: () => true,
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
