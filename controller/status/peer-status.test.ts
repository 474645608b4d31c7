import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { peerStatusOf, sessionsWith } from "./peer-status.ts";

type Session = NonNullable<NonNullable<SpeakerStatus["status"]>["bgpSessions"]>[number];

const NOW = new Date("2026-01-02T03:04:05Z");
const speaker = (name: string, ...bgpSessions: Session[]): SpeakerStatus => ({
  apiVersion: "genkan.dev/v1beta1",
  kind: "SpeakerStatus",
  metadata: {
    name,
    namespace: "genkan-system",
    uid: name,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  status: { bgpSessions },
});
const up: Session = { peer: "tor", state: "Established" };
const lost: Session = {
  peer: "tor",
  state: "Active",
  lastError: "hold timer expired",
  lastErrorTime: "2026-01-02T03:00:00Z",
};
const withheld: Session = { peer: "tor", state: "Withheld", lastError: "Secret tor: not there" };

const CASES: readonly [
  what: string,
  statuses: readonly SpeakerStatus[],
  counts: [established: number, configured: number],
  condition: [status: string, reason: string, message: string],
][] = [
  ["nobody", [], [0, 0], ["False", "NoSessions", "no speaker's node is selected"]],
  [
    "another peer's",
    [speaker("n1", { ...up, peer: "b" })],
    [0, 0],
    ["False", "NoSessions", "no speaker's node is selected"],
  ],
  ["all", [speaker("n1", up), speaker("n2", up)], [2, 2], ["True", "AllEstablished", ""]],
  [
    "one down",
    [speaker("n2", lost), speaker("n1", up)],
    [1, 2],
    ["False", "SessionsDown", "n2: Active, hold timer expired"],
  ],
  [
    "withheld",
    [speaker("n1", withheld)],
    [0, 1],
    ["False", "Withheld", "n1: Withheld, Secret tor: not there"],
  ],
  [
    "many down",
    ["a", "b", "c", "d", "e", "f", "g"].map((name) => speaker(name, { peer: "tor", state: "Idle" })),
    [0, 7],
    ["False", "SessionsDown", "a: Idle; b: Idle; c: Idle; d: Idle; e: Idle; and 2 more"],
  ],
];

describe("a peer's status", () => {
  for (const [what, statuses, counts, [status, reason, message]] of CASES) {
    test(what, () => {
      const result = peerStatusOf(sessionsWith("tor", statuses), { conditions: [], generation: 3 }, NOW);
      assert.deepEqual([result.establishedSessions, result.configuredSessions], counts);
      const type = "Established";
      const lastTransitionTime = "2026-01-02T03:04:05Z";
      const established = result.conditions?.filter((condition) => condition.type === type);
      assert.deepEqual(established, [
        { type, status, reason, message, lastTransitionTime, observedGeneration: 3 },
      ]);
    });
  }

  test("prefixes that nodes keep back are a condition of the peer", () => {
    const statuses = [speaker("n1", { ...up, keptBack: 3 }), speaker("n2", up)];
    const of = (given: readonly SpeakerStatus[]) =>
      peerStatusOf(sessionsWith("tor", given), { conditions: [], generation: 3 }, NOW).conditions?.find(
        ({ type }) => type === "AllAdvertised",
      );
    assert.deepEqual(
      [of(statuses)?.status, of(statuses)?.reason, of(statuses)?.message],
      [
        "False",
        "AttributesTooLong",
        "n1: 3 prefixes have more communities than a message to this router can hold",
      ],
    );
    assert.equal(of([speaker("n1", up)])?.status, "True");
    const hopless = of([speaker("n1", { ...up, withoutNextHop: 2 }), ...statuses.slice(0, 1)]);
    assert.deepEqual(
      [hopless?.reason, hopless?.message],
      [
        "NoNextHop",
        "n1: 2 prefixes have no next hop towards this router; n1: 3 prefixes have more communities than a message to this router can hold",
      ],
    );
  });

  test("the last loss is the newest of all nodes, also where the session is back", () => {
    const old = { ...up, lastError: "peer closed", lastErrorTime: "2026-01-01T00:00:00Z" };
    const { lastLoss } = peerStatusOf(
      sessionsWith("tor", [speaker("n1", lost), speaker("n2", old)]),
      { conditions: [], generation: 3 },
      NOW,
    );
    assert.equal(lastLoss, "n1 at 2026-01-02T03:00:00Z: hold timer expired");
  });
});
