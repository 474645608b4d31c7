/** Somebody empties IPVS: what is open is not reset, and goes on when the virtual servers are back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BareNodes } from "#test/dataplane/bare-nodes.ts";

/** Of each family. */
const COUNT = 20;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

for (const isShared of [true, false]) {
  test(`flows go on, ${isShared ? "" : "not "}shared`, async (t) => {
    await nodes.tellAll({ isShared });
    await nodes.reachBy("n1");
    const flows = await nodes.flows({ count: COUNT });
    await nodes.on("n1", "ipvsadm -C");
    // Time for some packets that nobody takes.
    await nodes.on("n1", "sleep 1");
    // Another process begins with an audit of all.
    await nodes.end("n1");
    nodes.begin("n1");
    await nodes.tell("n1", { isShared });
    await flows.progress(8, 30_000).catch(() => {});
    const { broken, stalled, moved } = await flows.stop();
    t.diagnostic(JSON.stringify({ of: 2 * COUNT, broken, stalled, moved }));
    assert.deepEqual([broken, stalled, moved], [0, 0, 0]);
  });
}
