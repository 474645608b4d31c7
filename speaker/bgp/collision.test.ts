import assert from "node:assert/strict";
import { test } from "node:test";
import { speakingStays } from "./collision.ts";
import type { SessionState } from "./types.ts";

const LOW = { routerId: "9.255.255.255", asn: 65_001 };
const HIGH = { routerId: "10.0.0.0", asn: 65_000 };
const side = (isOurs: boolean, state: SessionState = "OpenSent") => ({ isOurs, machine: { state } });

const cases: readonly [what: string, stays: boolean, expected: boolean][] = [
  ["ours, we are higher", speakingStays(side(true), side(false), { own: HIGH, peer: LOW }), true],
  ["ours, the peer is higher", speakingStays(side(true), side(false), { own: LOW, peer: HIGH }), false],
  ["the peer's, we are higher", speakingStays(side(false), side(true), { own: HIGH, peer: LOW }), false],
  ["the peer's, it is higher", speakingStays(side(false), side(true), { own: LOW, peer: HIGH }), true],
  [
    "ours, equal identifiers, our AS number is higher (RFC 6286)",
    speakingStays(side(true), side(false), { own: { ...LOW, asn: 65_002 }, peer: LOW }),
    true,
  ],
  [
    "one that the peer made after another",
    speakingStays(side(false), side(false), { own: HIGH, peer: LOW }),
    true,
  ],
  [
    "beside an established one",
    speakingStays(side(false), side(true, "Established"), { own: LOW, peer: HIGH }),
    false,
  ],
];
for (const [what, stays, expected] of cases) test(what, () => assert.equal(stays, expected));
