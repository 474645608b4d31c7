/** Faults in which endpoints a port gets. */
import type { Faults } from "#hack/mutants/mutant.ts";

export const PLAN: Faults = {
  "speaker/plan/tunnels.ts": [
    [
      "a node is sent to by a tunnel that it does not take",
      "name !== node && tunnels.includes(tunnel)",
      "name !== node && tunnels !== undefined",
    ],
    ["this node's own links are other stations", "if (name === node) continue;", ""],
  ],
  "speaker/plan/endpoints.ts": [
    [
      "one that terminates is usable beside a ready one",
      "return hasReady ? ({ isReady }) => isReady :",
      "return hasReady ? ({ isReady, isServing, isTerminating }) => isReady || (isServing && isTerminating) :",
    ],
    [
      "one that does not serve is usable",
      "({ isServing, isTerminating }) => isServing && isTerminating",
      "({ isTerminating }) => isTerminating",
    ],
    [
      "one that never was ready is usable",
      "({ isServing, isTerminating }) => isServing && isTerminating",
      "({ isServing }) => isServing",
    ],

    [
      "a ready twin in another slice is ignored",
      "known === undefined || (view.isReady && !known.view.isReady)",
      "known === undefined",
    ],

    ["slices of the other family count", "if (slice.family !== family) continue;", ""],
    [
      "the port's protocol does not matter",
      "name === port.name && protocol === port.protocol",
      "name === port.name",
    ],

    [
      "a broadcast address is an endpoint",
      "slice.endpoints.filter((view) => !isBroadcast(view))",
      "slice.endpoints",
    ],
  ],
  "speaker/plan/forward.ts": [
    [
      "UDP keeps its clients as TCP does",
      'protocol !== "UDP" || (view.isServing && view.isTerminating)',
      'protocol !== "UDP" || protocol === "UDP"',
    ],
    [
      "a silent node's pods get new connections",
      "isUsable(backend.view) && (!hasLiving || isAlive(backend))",
      "isUsable(backend.view)",
    ],
    [
      "when all speakers are silent nobody serves",
      "isUsable(backend.view) && (!hasLiving || isAlive(backend))",
      "isUsable(backend.view) && isAlive(backend)",
    ],
    [
      "when all fail their checks nobody serves",
      "hasWell && mayServe(backend) && isBad(backend)",
      "mayServe(backend) && isBad(backend)",
    ],
    ["who fails its checks serves", "mayServe(backend) && !isFailing(backend)", "mayServe(backend)"],
    [
      "reports count where no check is asked for",
      "service.check === undefined ? NONE_FAILS : isFailing",
      "isFailing",
    ],
    [
      "a node without a speaker answers directly",
      '(!translates && forwardingNodes.has(view.node)) ? "direct" : "snat"',
      '(!translates && forwardingNodes.has(view.node)) ? "direct" : "direct"',
    ],
    ["a port without a usable endpoint keeps the others", "if (!hasUsable) return NO_ENDPOINTS;", ""],
    ["another share of an endpoint is not seen", "    (before.weight ?? 1) === weight &&\n", ""],
    ["another weight of an endpoint is not seen", "    before.isServing === isServing &&\n", ""],
    [
      "other source ranges are not seen",
      "    a.preferLocal === b.preferLocal &&\n    sameItems(a.sourceRanges ?? [], b.sourceRanges ?? [])",
      "    a.preferLocal === b.preferLocal",
    ],
  ],
  "speaker/plan/plan.ts": [
    ["a step that gave way is begun anew", "if (this.#begun !== undefined) yield* this.#begun;", ""],
    ["a step never gives way", "!isDue()) continue;", "isDue !== undefined) continue;"],
  ],
  "speaker/plan/ports.ts": [
    [
      "a Service that was looked at before its claims were keeps its old ports",
      "for (const key of claimed) if (this.#kept.has(key)) others.add(key);",
      "",
    ],
  ],
  "speaker/plan/services.ts": [
    [
      "changed slices are not seen",
      "before?.service === service && sameItems(before.slices, slices)",
      "before?.service === service",
    ],
  ],
};
