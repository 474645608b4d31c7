import assert from "node:assert/strict";
import { test } from "node:test";
import { plan } from "#cli/plan/command.ts";
import type { Difference } from "#cli/plan/difference.ts";
import { lease, node, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";
import {
  AbsentError,
  type NodeAnswer,
  ROUTES,
  type ServiceAnswer,
  type ServicesAnswer,
  type StatusAnswer,
} from "#console/answers.ts";
import { Facts, FactsKeeper } from "#console/facts.ts";
import { plannedAddresses, plannedPeers } from "#console/node.ts";
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
    nodeLines(shot, new Facts(shot).findings, new Facts(shot).traffic).map(
      ({ node: name, speaker, owned, sessions, troubles }) => [
        name,
        speaker,
        owned,
        sessions.established,
        troubles.map((text) => text.split(":")[0]),
      ],
    ),
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

const RATES = { connectionsPerMinute: 60, packetsPerSecond: 20, bytesPerSecond: 2_000 };
const reporting = (name: string, status: object) => ({
  metadata: { name, namespace: "genkan-system" },
  status,
});

test("rates of live nodes add up by Service; the busiest come first where that is asked for", () => {
  const services = ["a", "b"].map((name, at) => service(name, `172.30.0.${100 + at}`, at + 1));
  const busy = (...names: string[]) => ({
    traffic: {
      ...{ ...RATES, busyServices: names.length },
      services: names.map((name) => ({ service: `default/${name}`, ...RATES })),
    },
  });
  const shot = snapshot({
    services,
    leases: [lease(1), lease(2), lease(3, { silentSeconds: 60 })],
    speakers: [reporting("n1", busy("b")), reporting("n2", busy("b")), reporting("n3", busy("a"))],
  });
  const facts = new Facts(shot);
  const ask = (path: string, query: string) =>
    ROUTES[path]?.answer(facts, new URLSearchParams(query)) as never as Record<string, never>;
  const { rows } = ask("/api/services", "order=busiest") as unknown as ServicesAnswer;
  assert.deepEqual(
    rows.map(({ service: key, traffic }) => [key, traffic?.bytesPerSecond]),
    [
      ["default/b", 4_000],
      ["default/a", undefined],
    ],
  );
  assert.deepEqual((ask("/api/status", "") as unknown as StatusAnswer).traffic, {
    ...{ connectionsPerMinute: 120, packetsPerSecond: 40, bytesPerSecond: 4_000 },
  });
  const { way } = ask("/api/service", "name=default/b") as unknown as ServiceAnswer;
  assert.deepEqual(
    way.traffic.map(({ node: name }) => name),
    ["n1", "n2"],
  );
  assert.equal(new Facts(snapshot()).traffic.all, undefined);
});

test("a node's plan beside its report: what it lacks, what it has and should not, and what is not told", () => {
  const shot = snapshot({
    services: [WEB, service("mail", "172.30.0.101", 2)],
    slices: [slice("web", { "10.0.0.1": "n1" }), slice("mail", { "10.0.0.2": "n2" })],
  });
  const owners = new Map(new Facts(shot).owners.map(({ address, nodes: [owner = ""] }) => [address, owner]));
  const web = owners.get("172.30.0.100") ?? "";
  const answer = (name: string, speakers: readonly object[], query = ""): NodeAnswer =>
    ROUTES["/api/node"]?.answer(
      new Facts({ ...shot, speakers } as never),
      new URLSearchParams(`name=${name}&${query}`),
    ) as never;
  const rowsOf = (name: string, speakers: readonly object[]) =>
    answer(name, speakers).rows.map(({ address, isPlanned, isReported }) => [address, isPlanned, isReported]);
  const own = [...owners].filter(([, owner]) => owner === web).map(([address]) => ({ address }));
  assert.deepEqual(
    rowsOf(web, [reporting(web, { addresses: own })]),
    own.map(({ address }) => [address, true, true]),
  );
  const missing = answer(web, [reporting(web, { addresses: [] })]);
  assert.deepEqual([missing.differing, missing.rows[0]?.isReported], [own.length, false]);
  assert.deepEqual(rowsOf(web, [reporting(web, { addresses: [...own, { address: "172.30.0.9" }] })])[0], [
    ...["172.30.0.9", false, true],
  ]);
  // More than a status holds: what is not in it may be there all the same.
  assert.equal(rowsOf(web, [reporting(web, { addresses: [], ownedCount: 1_001 })])[0]?.[2], undefined);
  assert.throws(() => answer("n9", []), AbsentError);
});

test("a drain in the console moves what `genkan plan --drain` moves, and is worked out for a few nodes at most", () => {
  const services = Array.from({ length: 12 }, (_, at) => service(`s${at}`, `172.30.0.${100 + at}`, at + 1));
  const shot = snapshot({
    services,
    pools: [pool("office", { addresses: ["172.30.0.100-172.30.0.120"] })],
    slices: services.map(({ metadata }, at) =>
      slice(metadata.name, {
        [`10.0.0.${at}`]: `n${(at % 3) + 1}`,
        [`10.0.1.${at}`]: `n${((at + 1) % 3) + 1}`,
      }),
    ),
  });
  const facts = new Facts(shot);
  for (const name of ["n1", "n2", "n3"]) {
    const { value } = plan(shot, { manifests: [], drained: [name], withoutPools: [] });
    const { moves } = value as Difference;
    const drained = facts.drained(name);
    assert.ok(moves.length > 0, name);
    assert.deepEqual(
      drained?.moves.map(({ address, to }) => [address, to]).sort(),
      moves.map(({ address, to: [to] }) => [address, to]).sort(),
    );
    assert.equal(drained?.pods, 8);
  }
  const alone = new Facts({ ...shot, leases: [lease(1)] } as never).drained("n1");
  assert.deepEqual([alone?.moves.length, alone?.moves[0]], [12, { address: "172.30.0.100" }]);
  facts.drained("n4");
  assert.equal(facts.drained("n5"), undefined);
  assert.notEqual(facts.drained("n1"), undefined);
});

test("what routers are to hear from a node, beside what they were told", () => {
  const peer = {
    metadata: { name: "tor", namespace: "genkan-system", uid: "p", resourceVersion: "1" },
    spec: { myASN: 64_512, peerASN: 64_513, peerAddress: "172.30.0.250" },
  };
  const session = { peer: "tor", address: "172.30.0.250", state: "Established", advertised: 1 };
  const shot = snapshot({
    services: [WEB],
    peers: [peer],
    pools: [pool("office", { protocol: "bgp", addresses: ["172.30.0.100-172.30.0.101"] })],
    slices: [slice("web", { "10.0.0.1": "n1" })],
    speakers: [
      reporting("n1", { bgpSessions: [session] }),
      reporting("n2", { bgpSessions: [{ ...session, advertised: 0 }] }),
    ],
  });
  const facts = new Facts(shot);
  const peersOf = (name: string) =>
    plannedPeers(name, facts).map(({ planned, advertised }) => [planned, advertised]);
  assert.deepEqual([peersOf("n1"), peersOf("n2")], [[[1, 1]], [[1, 0]]]);
  assert.deepEqual(facts.drained("n1")?.withdrawn, [{ peer: "tor", prefixes: 1 }]);
  assert.deepEqual(
    plannedAddresses("n1", facts).map(({ address, isPlanned, isReported }) => [
      address,
      isPlanned,
      isReported,
    ]),
    [["172.30.0.100", true, undefined]],
  );
});
