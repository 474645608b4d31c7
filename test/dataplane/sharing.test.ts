/** Connections that nodes tell each other of: which flows go on because of it, and what is lost without. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import {
  changeThenMove,
  drainThenMove,
  lastPod,
  PROTOCOLS,
  prepare,
  type SceneProtocol,
  setSharing,
} from "#test/dataplane/sharing-scenes.ts";

const FLOWS = 40;

let nodes: IpvsNodes;
before(async () => {
  nodes = await IpvsNodes.start();
  await prepare(nodes);
});
after(async () => nodes?.[Symbol.asyncDispose]());

/** Plays it with sharing, where nothing may be lost, and without, where something has to be. */
async function compare(
  play: typeof changeThenMove,
  { protocol, say, uses }: { protocol: SceneProtocol; say: (text: string) => void; uses?: string },
): Promise<void> {
  for (const isShared of [true, false]) {
    await setSharing(nodes, isShared);
    const { IPv4, IPv6 } = await play(nodes, { count: FLOWS, protocol, isShared });
    say(`${isShared ? "on" : "off"} ${JSON.stringify({ IPv4, IPv6 })}`);
    if (uses !== undefined)
      assert.ok((IPv4.summary.pods[uses] ?? 0) > 0 && (IPv6.summary.pods[uses] ?? 0) > 0);
    const lost = IPv4.lost + IPv6.lost;
    if (isShared) assert.equal(lost, 0);
    else assert.ok(lost > 0, "nothing was lost without it, so nothing is shown");
  }
}

describe("shared connections", { concurrency: false }, () => {
  for (const protocol of PROTOCOLS) {
    test(`${protocol}: a pod more, then a move: no flow is lost; and without sharing some are`, (t) =>
      compare(changeThenMove, { protocol, say: (text) => t.diagnostic(text) }));
  }

  test("a pod that ends, then a move: no flow is lost; and without sharing some of its own are", (t) =>
    compare(drainThenMove, {
      protocol: "TCP",
      say: (text) => t.diagnostic(text),
      uses: lastPod(nodes).name,
    }));
});
