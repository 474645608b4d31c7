import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOTATION_REBALANCE } from "#api/names.ts";
import { lease, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";
import { rebalancing } from "./rebalance.ts";

const COUNT = 300;
const VIPS = Array.from({ length: COUNT }, (_, at) => `10.1.${at >> 8}.${at & 255}`);

/** All addresses are with n1. */
const parts = (more: object = {}): ReturnType<typeof snapshot> =>
  snapshot({
    pools: [pool("office", { addresses: ["10.1.0.0/22"], interfaces: ["eth0"] })],
    leases: [1, 2, 3].map((number) => lease(number, { hearsClaims: true })),
    services: VIPS.map((vip, at) => service(`web-${at}`, vip, at + 1)),
    slices: VIPS.map((_, at) => slice(`web-${at}`, { "10.244.1.1": "n1" })),
    speakers: [
      { metadata: { name: "n1" }, status: { addresses: VIPS.map((address) => ({ address })) } },
      ...["n2", "n3"].map((name) => ({ metadata: { name }, status: {} })),
    ],
    ...more,
  });
const balancer = (stickiness: string) => [
  { metadata: { name: "loadbalancer", namespace: "genkan-system" }, spec: { layer2: { stickiness } } },
];

test("moves are shown up to a hundred, all are in the value, and the word is the API server's time", () => {
  const { answer, annotations } = rebalancing(parts(), { isDryRun: false });
  const { moves } = answer.value as { moves: readonly { from: string; to: string }[] };
  assert.deepEqual(
    [answer.exitCode, moves.length, annotations],
    [0, 200, { [ANNOTATION_REBALANCE]: "2026-01-01T00:01:00.000Z" }],
  );
  for (const node of ["n2", "n3"]) assert.equal(moves.filter(({ to }) => to === node).length, 100);
  const lines = answer.text.trimEnd().split("\n");
  assert.deepEqual(lines.slice(100), [
    "and 100 more (-o json has all)",
    '200 move; "genkan owners" shows when they have',
  ]);
});

for (const [what, more, says] of [
  ["there is no LoadBalancer", { loadBalancers: [] }, /there is no LoadBalancer/],
  ["owners do not stay", { loadBalancers: balancer("Balanced") }, /stickiness is Balanced/],
  ["a speaker does not hear claims", { leases: [lease(1, { hearsClaims: true }), lease(2)] }, /claim on n2,/],
] as const) {
  test(`nothing is asked where ${what}`, () => {
    const { answer, annotations } = rebalancing(parts(more), { isDryRun: false });
    assert.deepEqual([answer.exitCode, annotations], [1, undefined]);
    assert.match(answer.text, says);
  });
}
