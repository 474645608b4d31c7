/**
 * A Service's port gets another forwarding id while flows are open, and nodes hear of it one after the other: by the old id's
 * virtual servers flows go on until those go, and the new ones take them over at the same pods.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BareNodes } from "#test/dataplane/bare-nodes.ts";

/** Of each family. */
const COUNT = 30;
/** Five a second. */
const ECHOES = 10;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

describe("another forwarding id", { concurrency: false }, () => {
  for (const protocol of ["TCP", "UDP"] as const) {
    for (const isShared of [false, true]) {
      test(`${protocol}, ${isShared ? "with" : "without"} shared connections: no flow ends`, async (t) => {
        const told = { protocol, isShared };
        await nodes.tellAll(told);
        await nodes.reachBy(...nodes.names());
        const flows = await nodes.flows({ count: COUNT, protocol });
        for (const name of nodes.names()) {
          await nodes.tell(name, { ...told, id: 101 });
          await flows.progress(ECHOES);
        }
        const { broken, stalled, moved, pods, maxGapMs } = await flows.stop();
        t.diagnostic(JSON.stringify({ of: 2 * COUNT, broken, stalled, moved, pods, maxGapMs }));
        assert.deepEqual([broken, stalled, moved], [0, 0, 0]);
      });
    }
  }
});
