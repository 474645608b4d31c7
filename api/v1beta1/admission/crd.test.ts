/** The format rules of the CRDs, which hold without a webhook, against ours: nothing that we admit is refused there. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { addressesParse } from "#api/v1beta1/admission/addresspool.ts";
import { communitiesAreOnes } from "#api/v1beta1/admission/advertisements.ts";
import { routerIdIsOne } from "#api/v1beta1/admission/bgppeer.ts";
import { addressesAreHosts } from "#api/v1beta1/admission/peer-place.ts";
import type { AddressPool, BGPPeer } from "#api/v1beta1/generated/types.ts";

/** The regular expressions of a CRD, by what is said where they do not match. */
async function rulesOf(plural: string): Promise<(message: RegExp) => RegExp> {
  const path = new URL(`../../../config/crd/genkan.dev_${plural}.yaml`, import.meta.url);
  const text = await readFile(path, "utf8");
  const rules = [...text.matchAll(/self\.matches\('(.+?)'\)"?\s+message: (?:>-\s+)?(.+)/g)];
  return (message) => {
    const found = rules.find(([, , said]) => message.test(said ?? ""));
    assert.ok(found?.[1] !== undefined, `no rule says ${message}`);
    return new RegExp(found[1]);
  };
}

const pools = await rulesOf("addresspools");
const peers = await rulesOf("bgppeers");
const pool = (spec: object): AddressPool => ({ metadata: {}, spec }) as AddressPool;
const peer = (spec: object): BGPPeer => ({ metadata: {}, spec }) as BGPPeer;

const v4 = fc.ipV4();
const v6 = fc.ipV6();
const noise = fc.string({ unit: fc.constantFrom(..."0123456789abcdef.:/- "), maxLength: 40 });
const length = fc.integer({ min: 0, max: 130 });
const joined = fc
  .tuple(fc.oneof(v4, v6), fc.constantFrom("-", " - "), fc.oneof(v4, v6))
  .map((parts) => parts.join(""));
const prefix = fc.tuple(fc.oneof(v4, v6), length).map(([address, bits]) => `${address}/${bits}`);

/** Refused by us alone: what a regular expression cannot see. */
const OURS_ALONE = /reversed|mixes|mapped|"::ffff:/i;

test("addresses of a pool: both refuse the same texts, but for what a pattern cannot see", () => {
  const rule = pools(/neither a prefix/);
  fc.assert(
    fc.property(fc.oneof(prefix, joined, noise), (text) => {
      const [refusal] = addressesParse(pool({ addresses: [text] }));
      if (refusal === undefined) assert.match(text, rule);
      else if (!/::ffff:|0:ffff:/i.test(text) && !OURS_ALONE.test(refusal.message))
        assert.doesNotMatch(text, rule);
    }),
    { numRuns: 3_000 },
  );
});

test("communities: what we take is taken", () => {
  const rule = pools(/not a community/);
  const number = fc.oneof(fc.integer({ min: 65_500, max: 65_600 }), fc.integer({ min: 0, max: 2 ** 33 }));
  const text = fc.oneof(
    fc.tuple(number, number).map((parts) => parts.join(":")),
    fc.tuple(number, number, number).map((parts) => `large:${parts.join(":")}`),
    fc.constantFrom("no-export", "blackhole", "internet", "large:1:2", "1", "1:2:3"),
  );
  fc.assert(
    fc.property(text, (community) => {
      const refused = communitiesAreOnes(pool({ bgpAdvertisements: [{ communities: [community] }] }));
      if (refused.length === 0) assert.match(community, rule);
      else if (!community.startsWith("large:")) assert.doesNotMatch(community, rule);
    }),
    { numRuns: 2_000 },
  );
});

test("addresses of a peer and its router ID: what we take is taken", () => {
  const address = peers(/is not an IP address/);
  const routerId = peers(/is not an IPv4 address/);
  fc.assert(
    fc.property(fc.oneof(v4, v6, noise), (text) => {
      if (addressesAreHosts(peer({ peerAddress: text })).length === 0) assert.match(text, address);
      if (routerIdIsOne(peer({ routerID: text })).length === 0) assert.match(text, routerId);
    }),
    { numRuns: 3_000 },
  );
});
