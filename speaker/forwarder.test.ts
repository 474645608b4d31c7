import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { createForwarder } from "./forwarder.ts";
import { Changes } from "./forwarding/changes.ts";
import type { Change, ForwardingInput } from "./forwarding/types.ts";
import type { Forwarder } from "./parts.ts";

const ROUTE: Change = { action: "create", kind: "route", name: "192.0.2.1" };

describe("forwarder", () => {
  let counted: string[];
  let warned: unknown[];
  let informed: unknown[];
  let changes: Change[];
  let fault: Error | undefined;
  let opened: number;
  let forwarder: Forwarder;
  const input = (node = "10.0.0.1"): ForwardingInput => ({ nodeAddresses: { IPv4: node }, ports, vips });
  const ports: ForwardingInput["ports"] = [];
  const vips: ForwardingInput["vips"] = [];

  beforeEach(() => {
    [counted, warned, informed, changes, fault, opened] = [[], [], [], [], undefined, 0];
    forwarder = createForwarder({
      open: () => {
        opened += 1;
        return {
          reconcile: async () => {
            if (fault !== undefined) throw fault;
            const counted = new Changes();
            for (const change of changes) counted.add(change);
            const whole = new Set<string>();
            const { counts } = counted;
            return { writes: 1, counts, changes, conflicts: [], refused: [], isComplete: true, whole };
          },
          remove: async () => {},
          counts: () => ({ ...forwarder.counts() }),
          serviceOf: () => undefined,
          difference: () => undefined,
          close: () => {},
        };
      },
      metrics: {
        count: (name, labels, count = 1) =>
          counted.push(...Array.from({ length: count }, () => `${name} ${Object.values(labels).join()}`)),
      },
      log: {
        ...silentLogger,
        warn: (message, fields) => warned.push([message, fields]),
        info: (message, fields) => informed.push([message, fields]),
      },
    });
  });

  test("the kernel is not opened before it is needed", () => {
    assert.equal(forwarder.counts().passes, 0);
    assert.equal(opened, 0);
  });

  test("the kernel is opened once, and changed input is no repair", async () => {
    changes = [ROUTE];
    await forwarder.reconcile(input());
    await forwarder.reconcile(input("10.0.0.2"));
    assert.equal(opened, 1);
    assert.deepEqual(warned, []);
  });

  test("what is left because somebody else uses it is said, and is no write", async () => {
    changes = [{ action: "keep", kind: "link", name: "tunl0" }];
    await forwarder.reconcile(input());
    assert.deepEqual([counted, warned], [[], []]);
    assert.deepEqual(informed, [
      [
        "an older build changed it, and somebody else uses it by now: it is left",
        { kind: "link", name: "tunl0" },
      ],
    ]);
  });

  test("what differs under a plan that was made true is somebody else's doing: counted as repaired, and said", async () => {
    changes = [ROUTE];
    await forwarder.reconcile(input());
    assert.deepEqual([counted, warned], [["genkan_forwarding_writes_total route"], []]);
    counted.length = 0;
    await forwarder.reconcile(input());
    assert.deepEqual(counted, [
      "genkan_forwarding_writes_total route",
      "genkan_forwarding_repairs_total route",
    ]);
    assert.deepEqual(warned, [
      [
        "the kernel was not as this speaker had left it, and was put right",
        { count: 1, changes: ["create route 192.0.2.1"] },
      ],
    ]);
  });

  test("what a failed pass left undone, or a removal took away, is no repair", async () => {
    changes = [ROUTE];
    fault = new Error("refused");
    await assert.rejects(forwarder.reconcile(input()), fault);
    fault = undefined;
    await forwarder.reconcile(input());
    await forwarder.remove();
    await forwarder.reconcile(input());
    assert.deepEqual(warned, []);
  });
});
