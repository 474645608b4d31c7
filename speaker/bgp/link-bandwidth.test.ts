/** What a peer hears of how many pods are behind a route (draft-ietf-idr-link-bandwidth). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AdjRibOut } from "./rib.ts";
import type { Advertisement } from "./types.ts";

const OWN: Advertisement = { prefix: "10.0.0.1/32", communities: [], largeCommunities: [] };

test("pods behind a route are its link's bandwidth, and another number of them is an UPDATE", () => {
  const rib = new AdjRibOut({
    negotiated: {
      ...{ remoteAsn: 65_001, remoteId: "10.0.0.1", isInternal: false, families: ["IPv4"], as4: true },
      ...{ holdTimeMs: 90_000, keepaliveTimeMs: 30_000, gracefulRestart: undefined },
      ...{ extendedMessage: false, extendedNextHop: false },
      ...{ enhancedRouteRefresh: false, marksOnlyToCustomer: false },
    },
    localAsn: 4_200_000_100,
    nextHops: { IPv4: ["10.0.0.9"] },
  });
  const told = (advertisement: Advertisement): string => {
    rib.advertise([advertisement]);
    let all = "";
    for (let message = rib.next(); message !== undefined; message = rib.next())
      all += message.toString("hex");
    return all;
  };
  // EXTENDED COMMUNITIES of one: not transitive, Link Bandwidth, AS_TRANS, and a float.
  const bandwidth = (pods: number) => /c0100840045ba0([0-9a-f]{8})/.exec(told({ ...OWN, pods }))?.[1];
  // 2,500,000 and 3,750,000 octets a second.
  assert.equal(bandwidth(2), "4a189680");
  assert.equal(bandwidth(3), "4a64e1c0");
  assert.equal(told({ ...OWN, pods: 3 }), "");
  assert.match(told(OWN), /^f{32}(?!.*c010)/);
});
