import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "#common/kube/client.ts";
import { KubeError } from "#common/kube/error.ts";
import { silentLogger } from "#common/log.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import type { Role } from "./plan/role.ts";
import { HANDOVER_MS, shutDown } from "./shutdown.ts";

interface World {
  /** What the API server says; "away": nothing. A number refuses: 401, 403. */
  readonly answers:
    | "away"
    | {
        readonly loadBalancer?: object | number;
        readonly node?: object | number;
        /** There, if nothing is said. */
        readonly namespace?: object | number | "gone";
      };
  readonly role?: Role;
  readonly releaseFails?: boolean;
  /** So many attempts to clean the node fail. */
  readonly leaveFails?: number;
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
    const answer = answerTo(kind, answers);
    if (typeof answer !== "number") return answer;
    throw new KubeError(`GET ${kind}`, { code: answer, status: "Failure", reason: "No", message: "no" });
  };
  let failures = world.leaveFails ?? 0;
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
    leave: async (role) => {
      steps.push(`leave ${role} after ${clock.now()}`);
      failures -= 1;
      if (failures >= 0) throw new Error("EBUSY");
    },
  }).catch((error: unknown) => steps.push(String(error)));
  await settle();
  await clock.advance(HANDOVER_MS);
  for (let second = 0; second < GRACE_SECONDS; second += 1) await clock.advance(1_000);
  await done;
  return steps;
}

/** What a pod of a speaker has to end in. */
const GRACE_SECONDS = 60;

function answerTo(kind: string, answers: Exclude<World["answers"], "away">): object | number | undefined {
  if (kind === "Node") return answers.node;
  if (kind === "LoadBalancer") return answers.loadBalancer;
  return answers.namespace === "gone" ? undefined : (answers.namespace ?? { metadata });
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
    "so is one whose namespace goes, in which the pods end first",
    {
      answers: {
        loadBalancer: LOADBALANCER,
        node: NODE,
        namespace: { metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } },
      },
    },
    ["release", `leave LoadBalancerDeleted after ${HANDOVER_MS}`],
  ],
  [
    "or went",
    { answers: { loadBalancer: LOADBALANCER, node: NODE, namespace: "gone" } },
    ["release", `leave LoadBalancerDeleted after ${HANDOVER_MS}`],
  ],
  [
    "so is one whose rights went before everything else",
    { answers: { loadBalancer: 403, node: 403, namespace: 403 }, releaseFails: true },
    ["leave LoadBalancerAbsent after 0"],
  ],
  [
    "or whose ServiceAccount did",
    { answers: { loadBalancer: 401, node: 401, namespace: 401 }, releaseFails: true },
    ["leave LoadBalancerAbsent after 0"],
  ],
  [
    "the roles of an older release, which say nothing of the namespace, clean no node",
    { answers: { loadBalancer: LOADBALANCER, node: NODE, namespace: 403 } },
    ["release", `withdraw after ${HANDOVER_MS}`],
  ],
  [
    "an API server that is not well says nothing about rights",
    { answers: { loadBalancer: 500, node: 503, namespace: 429 } },
    ["release", `withdraw after ${HANDOVER_MS}`],
  ],
  [
    "what cannot be cleaned at once is tried again",
    { answers: { node: NODE }, leaveFails: 2 },
    ["release", ...[0, 3_000, 6_000].map((ms) => `leave LoadBalancerAbsent after ${HANDOVER_MS + ms}`)],
  ],
  [
    "but not longer than the pod may last, and then it fails",
    { answers: { node: NODE }, leaveFails: 99 },
    [
      "release",
      ...Array.from({ length: 10 }, (_, at) => `leave LoadBalancerAbsent after ${HANDOVER_MS + at * 3_000}`),
      "Error: EBUSY",
    ],
  ],
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
