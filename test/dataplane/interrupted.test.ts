/**
 * A node on which an older build forwarded, whose speaker is killed in the middle of the upgrade: the rules and sets are new,
 * and so many of its lists. Flows that another node tunnels to it go on, new ones begin, and the next process completes it.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAMILIES } from "#api/address.ts";
import { hasTag, tierOf } from "#speaker/forwarding/mark.ts";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";
import type { Flows } from "#test/dataplane/flows.ts";
import { type OlderPort, olderMark, olderServers, olderTable } from "#test/dataplane/older-build.ts";

/** Of each family. */
const COUNT = 12;
const ECHOES = 10;
/** The node that is upgraded. */
const NODE = "n2";
/** After how many operations with IPVS: none, in the middle, when all lists of tier 2 are there, and one of the older build goes. */
const CASES = [
  { isShared: false, counts: [0, 5, 14] },
  // Those of pods of other nodes, too.
  { isShared: true, counts: [5, 17, 18] },
];

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

const servers = (): Promise<string> => nodes.on(NODE, "ipvsadm -Sn");

/** Marks of its lists of tier 2. */
async function marks(isWanted: (mark: number) => boolean): Promise<number[]> {
  const all = [...(await servers()).matchAll(/^-A -f (\d+)/gm)].map(([, mark]) => Number(mark));
  return all.filter((mark) => tierOf(mark) === 2 && isWanted(mark)).sort((a, b) => a - b);
}

function ports(): OlderPort[] {
  const { pods } = nodes.topology;
  return FAMILIES.map((family, at) => ({
    ...{ id: 1 + at, family, vip: nodes.vip[family] },
    pods: pods.map((pod) => ({ address: pod[family], isLocal: pod.node === NODE })),
  }));
}

/** Of what its own build left. Its process has ended. */
async function makeOlder(): Promise<void> {
  const newer = new Map<number, "IPv4" | "IPv6">();
  for (const [, mark, six] of (await servers()).matchAll(/^-A -f (\d+)( -6)?/gm))
    if (tierOf(Number(mark)) === 2) newer.set(Number(mark), six === undefined ? "IPv4" : "IPv6");
  const lines = ["nft -f - <<'END'", olderTable(ports()), "END", ...olderServers(ports(), newer)];
  await nodes.on(NODE, lines.join("\n"));
}

async function ended(flows: Flows): Promise<number> {
  await flows.progress(ECHOES, 30_000).catch(() => {});
  const { broken, stalled, moved } = await flows.stop();
  return broken + stalled + moved;
}

describe("a speaker that is killed while it follows an older build", { concurrency: false }, () => {
  for (const [count, told] of CASES.flatMap(({ isShared, counts }) =>
    counts.map((count): [number, Told] => [count, { isShared }]),
  )) {
    const sharing = told.isShared ? ", connections shared" : "";
    test(`after ${count} operations with IPVS${sharing}: no flow ends, the next process completes it`, async (t) => {
      await nodes.tellAll(told);
      const whole = await marks(hasTag);
      await nodes.reachBy("n1");
      await nodes.end(NODE);
      await makeOlder();
      assert.deepEqual(await marks(() => true), [olderMark(1), olderMark(2)]);
      const early = await nodes.flows({ count: COUNT });

      await nodes.interrupt(NODE, told, count);
      const table = await nodes.on(NODE, "nft list table inet genkan");
      assert.match(table, /map handed4/);
      assert.doesNotMatch(table, /tier2v4|local4/);
      const [lists, left] = [await marks(hasTag), await marks((mark) => !hasTag(mark))];
      await early.progress(ECHOES);
      const meanwhile = await nodes.flows({ count: COUNT });

      nodes.begin(NODE);
      await nodes.tell(NODE, told);
      assert.deepEqual(await marks(() => true), whole);
      const lost = [await ended(early), await ended(meanwhile)];
      t.diagnostic(JSON.stringify({ of: 2 * COUNT, lost, lists: lists.length, left: left.length }));
      assert.deepEqual(lost, [0, 0]);
    });
  }
});
