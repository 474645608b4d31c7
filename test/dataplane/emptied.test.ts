/** Somebody empties IPVS: what is open is not reset, and goes on when the virtual servers are back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BareNodes } from "#test/dataplane/bare-nodes.ts";

/** Of each family. */
const COUNT = 20;
/** A flow is told of every 3 s (sync_refresh_period), and the audit takes up to 5 s to see that IPVS is empty. */
const TOLD_S = 4;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

for (const isShared of [true, false])
  for (const by of ["the audit", "another process"])
    test(`flows go on, ${isShared ? "" : "not "}shared; what was there is put back by ${by}`, async (t) => {
      await nodes.tellAll({ isShared });
      await nodes.reachBy("n1");
      const flows = await nodes.flows({ count: COUNT });
      if (by === "another process") {
        await nodes.end("n1");
        // Here before, as a client that is long without an answer waits longer each time before it asks again.
        await nodes.beginIdle("n1");
      }
      await nodes.on("n1", "ipvsadm -C");
      // Packets that nobody takes, and time for the other nodes to tell of every flow while there is no list for it here.
      await nodes.on("n1", `sleep ${TOLD_S}`);
      if (by === "another process") await nodes.tell("n1", { isShared });
      await flows.progress(8, 60_000).catch(() => {});
      const { broken, stalled, moved } = await flows.stop();
      t.diagnostic(JSON.stringify({ of: 2 * COUNT, broken, stalled, moved }));
      assert.deepEqual([broken, stalled, moved], [0, 0, 0]);
    });
