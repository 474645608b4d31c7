/**
 * The kernel behind a plan of Services: opened with the first pass that needs it (a node in mode KubeProxy needs no
 * rights for it), planned anew only when something changed.
 */
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Forwarder } from "./apply.ts";
import { planForwarding } from "./forwarding/plan.ts";
import {
  type ForwardingCounts,
  type ForwardingInput,
  type ForwardingPlan,
  NO_COUNTS,
  type Reconciled,
} from "./forwarding/types.ts";

export interface ForwarderOptions {
  readonly open: () => Kernel;
  readonly metrics: Pick<Metrics, "count">;
  readonly log: Logger;
}

/** forwarding/forwarding.ts is the real one. */
export interface Kernel {
  reconcile(plan: ForwardingPlan): Promise<Reconciled>;
  remove(): Promise<void>;
  counts(): ForwardingCounts;
}

interface Planned {
  readonly input: ForwardingInput;
  readonly plan: ForwardingPlan;
}

const SAID = 20;

export function createForwarder({ open, metrics, log }: ForwarderOptions): Forwarder {
  let kernel: Kernel | undefined;
  let planned: Planned | undefined;
  /** What the kernel had when it was last read back. */
  let made: ForwardingPlan | undefined;

  const opened = (): Kernel => {
    kernel ??= open();
    return kernel;
  };
  const planFor = (input: ForwardingInput): ForwardingPlan => {
    if (planned === undefined || !isSame(planned.input, input))
      planned = { input, plan: planForwarding(input) };
    return planned.plan;
  };
  const tell = (reconciled: Reconciled, isRepair: boolean): void => {
    for (const { action, kind, name } of reconciled.changes) {
      if (action === "keep")
        log.info("an older build changed it, and somebody else uses it by now: it is left", { kind, name });
    }
    const changes = reconciled.changes.filter(({ action }) => action !== "keep");
    for (const { kind } of changes) {
      metrics.count("genkan_forwarding_writes_total", { kind });
      if (isRepair) metrics.count("genkan_forwarding_repairs_total", { kind });
    }
    if (!isRepair || changes.length === 0) return;
    log.warn("the kernel was not as this speaker had left it, and was put right", {
      count: changes.length,
      changes: changes.slice(0, SAID).map(({ action, kind, name }) => `${action} ${kind} ${name}`),
    });
  };

  return {
    async reconcile(input) {
      const plan = planFor(input);
      const isRepair = plan === made;
      made = undefined;
      const reconciled = await opened().reconcile(plan);
      made = plan;
      tell(reconciled, isRepair);
      return reconciled;
    },
    async remove() {
      made = undefined;
      await opened().remove();
    },
    counts: () => kernel?.counts() ?? NO_COUNTS,
  };
}

function isSame(a: ForwardingInput, b: ForwardingInput): boolean {
  const around = ({ nodeAddresses, members, routed }: ForwardingInput): unknown => [
    nodeAddresses,
    members,
    routed,
  ];
  return a.ports === b.ports && a.vips === b.vips && isDeepStrictEqual(around(a), around(b));
}
