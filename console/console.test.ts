import assert from "node:assert/strict";
import { test } from "node:test";
import { lease, node, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";
import { Facts, FactsKeeper } from "#console/facts.ts";
import { movesByMinute, nodeLines, sessionLines } from "#console/nodes.ts";
import { partOf } from "#console/page-of.ts";
import { FakeClock } from "#test/fakes/clock.ts";

const WEB = service("web", "172.30.0.100", 1);
const ROUTED = { metadata: { name: "n2", namespace: "genkan-system" } };

const TROUBLES: readonly (readonly [what: string, parts: object, trouble: RegExp | undefined])[] = [
  [
    "all is well",
    { speakers: reportOf("172.30.0.100"), slices: [slice("web", { "10.0.0.1": "n1" })] },
    undefined,
  ],
  ["it has no pod", {}, /^It has no pod\.$/],
  [
    "no pod is ready",
    { slices: [slice("web", { "10.0.0.1": "n1" }, ["10.0.0.1"])] },
    /^No pod of it is ready\.$/,
  ],
  [
    "no node may attract it",
    { slices: [slice("web", { "10.0.0.1": "n1" })], leases: [] },
    /^Nobody attracts 172\.30\.0\.100: /,
  ],
  [
    "its owner does not report it",
    { slices: [slice("web", { "10.0.0.1": "n1" })] },
    /, which does not report it\.$/,
  ],
];
for (const [what, parts, trouble] of TROUBLES)
  test(`a Service where ${what}`, () => {
    const [line] = new Facts(snapshot({ services: [WEB], ...parts })).services;
    if (trouble === undefined) assert.equal(line?.trouble, undefined);
    else assert.match(line?.trouble ?? "", trouble);
  });

/** The node that owns it by the plan reports it. */
function reportOf(address: string) {
  const [owner] = new Facts(
    snapshot({ services: [WEB], slices: [slice("web", { "10.0.0.1": "n1" })] }),
  ).owners.flatMap(({ nodes }) => nodes);
  return [{ metadata: { name: owner, namespace: "genkan-system" }, status: { addresses: [{ address }] } }];
}

test("what is broken comes first, then by name", () => {
  const services = ["a", "b", "c"].map((name, at) => service(name, `172.30.0.${100 + at}`, at + 1));
  const facts = new Facts(
    snapshot({
      pools: [pool("office", { addresses: ["172.30.0.100-172.30.0.110"] })],
      services,
      slices: [slice("a", { "10.0.0.1": "n1" }), slice("c", { "10.0.0.3": "n1" })],
    }),
  );
  const speakers = facts.owners.flatMap(({ address, nodes: [owner] }) =>
    owner === undefined
      ? []
      : [{ metadata: { name: owner, namespace: "genkan-system" }, status: { addresses: [{ address }] } }],
  );
  const reported = new Facts({ ...facts.snapshot, speakers } as never);
  assert.equal(reported.services[0]?.service, "default/b");
});

test("a part of a list: every word has to be in it, and no bound of the question is believed", () => {
  const rows = Array.from({ length: 500 }, (_, at) => `default/web-${at} 10.0.0.${at}`);
  const part = (query: string) => partOf(rows, new URLSearchParams(query), (row) => row);
  assert.deepEqual(
    [part("").rows.length, part("limit=1000000").rows.length, part("limit=0").rows.length],
    [100, 200, 0],
  );
  assert.deepEqual(part("search=WEB-7%20%2010.0.0.7&limit=1").rows, ["default/web-7 10.0.0.7"]);
  assert.deepEqual(part("offset=499").rows, [rows[499]]);
  for (const offset of ["-1", "1e3", "99999999999", "x"])
    assert.equal(part(`offset=${offset}`).offset, 0, offset);
  assert.deepEqual([part("offset=900").rows, part("offset=900").fitting], [[], 500]);
});

test("a node's line: whether its speaker lives, what it has, and what is not well there", () => {
  const shot = snapshot({
    nodes: [node(1), node(2), node(3)],
    leases: [lease(1), lease(2, { silentSeconds: 60 })],
    speakers: [
      {
        ...ROUTED,
        status: {
          ownedCount: 3,
          bgpSessions: [
            { peer: "a", state: "Established" },
            { peer: "b", state: "Active", lastError: "refused" },
          ],
        },
      },
    ],
  });
  assert.deepEqual(
    nodeLines(shot, new Facts(shot).findings).map(({ node: name, speaker, owned, sessions, troubles }) => [
      name,
      speaker,
      owned,
      sessions.established,
      troubles.map((text) => text.split(":")[0]),
    ]),
    [
      ["n1", "live", 0, 0, []],
      ["n2", "silent", 3, 1, ["SpeakerSilent"]],
      ["n3", "none", 0, 0, []],
    ],
  );
  // A silent speaker's sessions are nobody's word any more.
  assert.deepEqual(
    sessionLines(shot).map(({ peer, isUp }) => [peer, isUp]),
    [
      ["a", false],
      ["b", false],
    ],
  );
});

test("moves of the last hour by the minute; older ones and those to come are in no bar", () => {
  const at = new Date("2026-01-01T12:00:30Z");
  const move = (since: string) => ({ address: "192.0.2.1", node: "n1", reason: "", since });
  const moves = ["12:00:29", "12:00:00", "11:59:59", "11:01:00", "11:00:59", "12:05:00"].map((time) =>
    move(`2026-01-01T${time}Z`),
  );
  const minutes = movesByMinute(moves, at, 60);
  assert.deepEqual([minutes.length, minutes[59], minutes[58], minutes[0]], [60, 2, 1, 1]);
  assert.equal(
    minutes.reduce((sum, count) => sum + count),
    4,
  );
});

test("however many ask, the cluster is read once in four seconds, a tenth of the time at most, and then forgotten", async () => {
  const clock = new FakeClock();
  let lists = 0;
  let takesMs = 0;
  const keeper = new FactsKeeper({
    clock,
    namespace: "genkan-system",
    reader: {
      host: "test",
      now: () => clock.date(),
      list: async () => {
        lists += 1;
        if (takesMs > 0) await clock.sleep(takesMs);
        return [];
      },
    },
  });
  const ask = async (times: number): Promise<void> => {
    const asked = Promise.all(Array.from({ length: times }, () => keeper.current()));
    await clock.advance(takesMs * 9);
    await asked;
  };
  await ask(100);
  assert.equal(lists, 9);
  await clock.advance(3_900);
  await ask(100);
  assert.equal(lists, 9);
  await clock.advance(200);
  takesMs = 1_000;
  await ask(100);
  assert.equal(lists, 18);
  // Nine lists took nine seconds: no other one begins before 81 more.
  await clock.advance(10_000);
  await ask(1);
  assert.equal(lists, 18);
  await clock.advance(60_000);
  await ask(1);
  assert.equal(lists, 27, "what nobody asked for in a minute is forgotten");
  keeper.close();
});
