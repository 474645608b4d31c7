import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "#common/kube/client.ts";
import { silentLogger } from "#common/log.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import type { Role } from "./plan/role.ts";
import { HANDOVER_MS, shutDown } from "./shutdown.ts";

interface World {
  /** What the API server says; "away": nothing. */
  readonly answers: "away" | { readonly loadBalancer?: object; readonly node?: object };
  readonly role?: Role;
  readonly releaseFails?: boolean;
}

const metadata = { name: "x", uid: "u", resourceVersion: "1" };
const LOADBALANCER = { metadata: { ...metadata, generation: 1 }, spec: { nodeSelector: { speaker: "yes" } } };
const NODE = { metadata: { ...metadata, labels: { speaker: "yes" } } };

async function stepsOf(world: World): Promise<string[]> {
  const clock = new FakeClock();
  const steps: string[] = [];
  const { answers } = world;
  const get = async ({ kind }: { kind: string }): Promise<unknown> => {
    if (answers === "away") throw new Error("connection refused");
    return kind === "Node" ? answers.node : answers.loadBalancer;
  };
  const done = shutDown({
    client: { get } as unknown as KubeClient,
    node: "n1",
    namespace: "genkan-system",
    clock,
    log: silentLogger,
    role: world.role ?? "Active",
    release: async () => {
      if (world.releaseFails === true) throw new Error("connection refused");
      steps.push("release");
    },
    withdraw: async () => void steps.push(`withdraw after ${clock.now()}`),
    leave: async (role) => void steps.push(`leave ${role} after ${clock.now()}`),
  });
  await settle();
  await clock.advance(HANDOVER_MS);
  await done;
  return steps;
}

const cases: readonly [what: string, world: World, steps: readonly string[]][] = [
  [
    "a replaced pod hands over, then withdraws, and leaves the kernel",
    { answers: { loadBalancer: LOADBALANCER, node: NODE } },
    ["release", `withdraw after ${HANDOVER_MS}`],
  ],
  [
    "a node no longer selected is cleaned, although no watch said so",
    { answers: { loadBalancer: LOADBALANCER, node: { metadata } } },
    ["release", `leave NodeNotSelected after ${HANDOVER_MS}`],
  ],
  [
    "so is one whose LoadBalancer goes",
    {
      answers: {
        loadBalancer: {
          ...LOADBALANCER,
          metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
        },
        node: NODE,
      },
    },
    ["release", `leave LoadBalancerDeleted after ${HANDOVER_MS}`],
  ],
  ["or went", { answers: { node: NODE } }, ["release", `leave LoadBalancerAbsent after ${HANDOVER_MS}`]],
  [
    "with the API server away: as known before, and without a goodbye",
    { answers: "away", releaseFails: true },
    ["withdraw after 0"],
  ],
  [
    "the same, known to be unselected",
    { answers: "away", releaseFails: true, role: "NodeNotSelected" },
    ["leave NodeNotSelected after 0"],
  ],
];
for (const [what, world, steps] of cases) {
  test(what, async () => assert.deepEqual(await stepsOf(world), steps));
}
