/**
 * One member has the key of gossip and lies about what others claim: by news, by answers that nobody asked for, and as part
 * of all that it knows. No address of the others moves, by the speakers' own code, in a time of its own.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Claim } from "#speaker/ownership/claims.ts";
import { MOST_EPOCH } from "#speaker/ownership/claims.ts";
import { encodeClaims } from "#speaker/ownership/wire.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import { OwnersNetwork } from "./owners.ts";

const LIAR = "n4";
const LIES = 200;
const KINDS = ["claims", "answer", "question", "whole"] as const;

const ownersOf = (network: OwnersNetwork): string[] =>
  network.vips.map((vip) => network.answering(vip).join());

describe("a member that lies about what others claim", () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}: moves no address of theirs, and they go on as if it had said nothing`, () => {
      const random = fakeRandom(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random.number() * list.length)] as T;
      const network = new OwnersNetwork({ count: 5, addresses: 40, seed });
      network.startAll(200);
      network.advance(70_000);
      const before = ownersOf(network);
      const honest = network.names.filter((name) => name !== LIAR);
      // What is its own it may give away.
      const theirs = network.vips.filter((_, at) => before[at] !== LIAR);
      const liar = network.peers.find(({ name }) => name === LIAR);
      assert.ok(liar !== undefined && theirs.length >= 20);
      const moves = network.moves.length;
      let highest = Math.floor(network.now / 1_000);
      for (let lie = 0; lie < LIES; lie += 1) {
        highest += 1;
        const epoch = pick([highest, highest, MOST_EPOCH - 1, MOST_EPOCH]);
        const claims: Claim[] = [{ vip: pick(theirs), node: pick(honest), epoch }];
        const kind = pick(KINDS);
        const [bytes = Buffer.alloc(0)] = encodeClaims(claims, { kind: kind === "whole" ? "claims" : kind });
        const to = pick(honest);
        if (kind === "whole")
          network.tell(to, { type: "pushPull", from: liar.address, records: [], user: bytes });
        else network.inject(to, liar, [{ type: "user", bytes }]);
        network.advance(pick([1, 20, 50]));
      }
      network.advance(5_000);
      assert.deepEqual(network.moves.slice(moves), []);
      assert.deepEqual(ownersOf(network), before);

      // A death is taken over as always, by one each.
      network.kill("n0");
      network.advance(5_000);
      const afterwards = ownersOf(network);
      for (const [at, owner] of before.entries()) {
        if (owner !== "n0") assert.equal(afterwards[at], owner, `${network.vips[at]}`);
        else assert.ok(network.names.includes(afterwards[at] ?? ""), `${network.vips[at]}`);
      }
    });
  }
});
