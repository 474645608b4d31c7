/**
 * Opens the kernel with the first pass that needs it, so that a node in mode KubeProxy needs no rights for it. Counts
 * what is written, and logs when it put right what somebody else had done.
 */
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import { type ForwardingInput, NO_COUNTS, type Reconciled } from "./forwarding/types.ts";
import type { Forwarder } from "./parts.ts";

export interface ForwarderOptions {
  /** forwarding/forwarding.ts is the real one. */
  readonly open: () => Forwarder;
  readonly metrics: Pick<Metrics, "count">;
  readonly log: Logger;
}

const SAID = 20;

export function createForwarder({ open, metrics, log }: ForwarderOptions): Forwarder {
  let opened: Forwarder | undefined;
  /** The state of the kernel when it was last read back. */
  let made: ForwardingInput | undefined;

  const forwarding = (): Forwarder => {
    opened ??= open();
    return opened;
  };
  const report = (reconciled: Reconciled, isRepair: boolean): void => {
    for (const { action, kind, name } of reconciled.changes) {
      if (action === "keep")
        log.info("an older build changed it, and somebody else uses it by now: it is left", { kind, name });
    }
    for (const [kind, count] of reconciled.counts) {
      metrics.count("genkan_forwarding_writes_total", { kind }, count);
      if (isRepair) metrics.count("genkan_forwarding_repairs_total", { kind }, count);
    }
    if (!isRepair || reconciled.counts.size === 0) return;
    const changes = reconciled.changes.filter(({ action }) => action !== "keep");
    log.warn("the kernel was not as this speaker had left it, and was put right", {
      count: reconciled.counts.values().reduce((sum, count) => sum + count, 0),
      changes: changes.slice(0, SAID).map(({ action, kind, name }) => `${action} ${kind} ${name}`),
    });
  };

  return {
    async reconcile(input, isDue) {
      const isRepair = made !== undefined && isSame(made, input);
      made = undefined;
      const reconciled = await forwarding().reconcile(input, isDue);
      if (reconciled.isComplete) made = input;
      report(reconciled, isRepair);
      return reconciled;
    },
    async remove() {
      made = undefined;
      await forwarding().remove();
    },
    counts: () => opened?.counts() ?? NO_COUNTS,
    serviceOf: (mark) => opened?.serviceOf(mark),
    difference: () => opened?.difference(),
    close: () => opened?.close(),
  };
}

function isSame(a: ForwardingInput, b: ForwardingInput): boolean {
  const around = (input: ForwardingInput): unknown => [
    ...[input.nodeAddresses, input.members, input.routed, input.settings, input.tunnel, input.stations],
    // Who of the others lives changes nothing in the kernel.
    ...[input.sync?.link, input.sync?.address],
  ];
  return a.ports === b.ports && a.vips === b.vips && isDeepStrictEqual(around(a), around(b));
}
