/** What a pass tells routers when: a speaker that starts again must not tell less than the one before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "#test/fakes/clock.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import type { SessionReport } from "./bgp/types.ts";
import { ForwardingError, type KernelRefusal } from "./forwarding/types.ts";
import type { NodeLink } from "./known/node-links.ts";
import { projectAdvertisement } from "./known/project-bgp.ts";
import type { NodeView, PeerView, PoolView, ServiceView, SliceView } from "./known/view.ts";
import type { Judgement } from "./membership/liveness.ts";
import { Speaker } from "./speaker.ts";

const NODE: NodeView = { name: "n1", labels: {}, addresses: { IPv4: "172.30.0.1" }, own: [] };
const VIP = "198.51.100.1";
const POOL: PoolView = {
  name: "web",
  addresses: ["198.51.100.0/24"],
  protocol: "bgp",
  nodeSelectors: [],
  interfaces: [],
  advertisements: [],
};
const PEER: PeerView = {
  name: "tor",
  address: "172.30.0.253",
  port: 179,
  localAsn: 64_512,
  peerAsn: 64_513,
  nodeSelectors: [],
  isMultihop: false,
  gracefulRestart: true,
  isDualStack: false,
};
const SERVICE: ServiceView = {
  key: "default/web",
  uid: "1",
  createdAt: "2026-01-01T00:00:00Z",
  labels: {},
  vips: [VIP],
  isKept: true,
  ids: { "IPv4/TCP/80": 1 },
  ports: [{ name: "", protocol: "TCP", port: 80 }],
  isLocal: false,
  hasAffinity: false,
  sourceRanges: { IPv4: [], IPv6: [] },
};
const POD = { address: "10.0.0.1", node: "n1", isReady: true, isServing: true, isTerminating: false };
const SLICE: SliceView = {
  family: "IPv4",
  service: SERVICE.key,
  ports: [{ name: "", protocol: "TCP", port: 8080 }],
  endpoints: [POD],
};

const SESSION: SessionReport = {
  peer: "tor",
  address: "172.30.0.253",
  state: "Idle",
  prefixesAdvertised: 0,
  prefixesReceived: 0,
  prefixesKeptBack: 0,
  prefixesWithoutNextHop: 0,
  messagesIn: 0,
  messagesOut: 0,
  updatesOut: 0,
  losses: 0,
};

/** A speaker on n1 whose parts are fakes, and what its routers are told, pass by pass. */
function world() {
  const fakes = fakeParts(NODE.name);
  const { knowledge, members, router, forwarder, attractor, reporter, emitted, triggers, steps } = fakes;
  knowledge.nodes.set(NODE.name, NODE);
  knowledge.setPools(POOL);
  knowledge.peerViews = [PEER];
  knowledge.put(SERVICE, SLICE);
  return {
    steps,
    told: router.advertised,
    events: emitted,
    problems: attractor.problems,
    published: members.published,
    triggers: () => triggers.length,
    /** What of single Services the kernel does not take from now on. */
    refuseOne: (...refusals: KernelRefusal[]) => {
      forwarder.refused = refusals;
    },
    speaker: new Speaker(fakes.parts),
    /** What the kernel says from now on. */
    refuse: (error: Error | undefined) => {
      forwarder.fault = error;
    },
    /** Passes give way once they have come to these; undefined: they come to their end. */
    giveWay: (...vips: string[]) => {
      forwarder.whole = new Set(vips);
    },
    goOn: () => {
      forwarder.whole = undefined;
    },
    /** Whether it waits for others' connections. */
    gather: (isGathering: boolean) => {
      forwarder.isGathering = isGathering;
    },
    /** What stands in the way of single ports from now on. */
    obstruct: (...marks: string[]) => {
      forwarder.conflicts = marks;
    },
    condition: (type: string) => {
      const {
        status: is,
        reason,
        message,
      } = reporter.status?.conditions?.find((one) => one.type === type) ?? {};
      return [is, reason, message];
    },
    add: (service: ServiceView) => knowledge.put(service, { ...SLICE, service: service.key }),
    judge: (judgement: Partial<Judgement>) => {
      members.judgement = { ...members.judgement, ...judgement };
    },
    knowledge,
    router,
    status: () => reporter.status,
    sessions: (peer: string, state: SessionReport["state"]) => {
      router.sessions = [{ ...SESSION, peer, state }];
    },
  };
}

test("routers hear nothing before this node counts as alive: they may still have its routes from before a restart", async () => {
  const { speaker, told, judge } = world();
  for (const _ of [1, 2, 3]) await speaker.pass();
  assert.deepEqual(told, []);
  judge({ live: [NODE.name], isFrozen: false });
  await speaker.pass();
  assert.deepEqual(told, [[`${VIP}/32`]]);
});

test("a Service's label decides what routers hear of it, where a pool asks for Services, and as soon as it changes", async () => {
  const { speaker, told, judge, knowledge, add } = world();
  judge({ live: [NODE.name], isFrozen: false });
  const forInternet = projectAdvertisement({ serviceSelectors: [{ matchLabels: { expose: "yes" } }] }, "");
  knowledge.setPools({ ...POOL, advertisements: [forInternet] });
  await speaker.pass();
  assert.deepEqual(told, []);
  add({ ...SERVICE, labels: { expose: "yes" } });
  await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
  add({ ...SERVICE, labels: { expose: "no" } });
  await speaker.pass();
  assert.deepEqual(told.at(-1), []);
});

test("a link that does not work is tried again after a pause, and not in a circle", async () => {
  const { speaker, problems, triggers, judge } = world();
  judge({ live: [NODE.name], isFrozen: false });
  await speaker.pass();
  await speaker.pass();
  const before = triggers();
  problems.push({ link: "eth0", code: "ENETDOWN", message: "the link is down" });
  assert.deepEqual(await speaker.pass(), { retryAfterMs: 2_000 });
  assert.equal(triggers(), before);
});

test("settled is who forwards and counts as alive, and who has said why not", async () => {
  const { speaker, judge, refuse } = world();
  assert.match(speaker.unsettled ?? "", /kernel/);
  await speaker.pass();
  assert.match(speaker.unsettled ?? "", /Lease/);
  judge({ live: [NODE.name], isFrozen: false });
  await speaker.pass();
  assert.equal(speaker.unsettled, undefined);
  // Cut off, it goes on.
  judge({ isFrozen: true });
  await speaker.pass();
  assert.equal(speaker.unsettled, undefined);
  refuse(new ForwardingError("NoIpvs", "no ip_vs"));
  await speaker.pass();
  assert.equal(speaker.unsettled, undefined, "a condition says it: waiting would not help");
});

test("not settled before the sessions are back that an earlier speaker of the node had", async () => {
  const { speaker, judge, sessions, status } = world();
  speaker.inheritSessions(["tor", "gone"]);
  judge({ live: [NODE.name], isFrozen: false });
  await speaker.pass();
  assert.equal(speaker.unsettled, "BGP sessions that this node had are not back yet: tor, gone");
  sessions("tor", "Connect");
  await speaker.pass();
  assert.equal(speaker.unsettled, "BGP sessions that this node had are not back yet: tor");
  assert.deepEqual(status()?.formerSessions, ["tor"]);
  sessions("tor", "Established");
  assert.equal(speaker.unsettled, undefined);
  await speaker.pass();
  assert.equal(status()?.formerSessions, undefined);
  // What comes after it is told which sessions there were.
  await speaker.pause();
  assert.deepEqual(status()?.formerSessions, ["tor"]);
});

test("cut off from the API server, it goes on telling what it told", async () => {
  const { speaker, told, judge } = world();
  judge({ live: [NODE.name], isFrozen: false });
  for (const _ of [1, 2]) await speaker.pass();
  judge({ isFrozen: true });
  await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
});

test("an address is told when the kernel was read back with it, and what was told stays over a fault of one moment", async () => {
  const { speaker, told, judge, refuse, add } = world();
  judge({ live: [NODE.name], isFrozen: false });
  for (const _ of [1, 2]) await speaker.pass();
  const before = told.length;
  add({ ...SERVICE, key: "default/more", uid: "2", vips: ["198.51.100.2"], ids: { "IPv4/TCP/80": 2 } });
  refuse(new ForwardingError("KernelRefused", "ENOBUFS"));
  await speaker.pass();
  assert.deepEqual(told.slice(before), [[`${VIP}/32`]], "what was read back before is told on");
  refuse(undefined);
  await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`, "198.51.100.2/32"]);
});

test("what the kernel refuses of one Service takes no readiness and no route from anybody, and is said once", async () => {
  const { speaker, told, judge, refuseOne, condition, events } = world();
  judge({ live: [NODE.name], isFrozen: false });
  const refusal: KernelRefusal = {
    attempt: "add destination 192.0.2.255 port 80 of fwmark 4097 IPv4",
    kind: "realServer",
    what: "endpoint 192.0.2.255 port 80",
    service: "tenant/careless",
    place: "198.51.100.1 TCP/80",
    code: "EINVAL",
    words: "not a valid one (EINVAL)",
  };
  refuseOne(refusal);
  for (const _ of [1, 2, 3]) assert.equal(await speaker.pass(), undefined, "no pass is asked for");
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
  assert.equal(speaker.unsettled, undefined);
  assert.deepEqual(condition("Ready").slice(0, 2), ["True", "Ready"]);
  const [is, reason, message] = condition("AllServed");
  assert.deepEqual([is, reason], ["False", "KernelRefused"]);
  assert.match(
    message ?? "",
    /^endpoint 192\.0\.2\.255 port 80 of .* of Service tenant\/careless is left out/,
  );
  assert.deepEqual(events, ["Service careless KernelRefused"]);
  refuseOne();
  await speaker.pass();
  assert.deepEqual(condition("AllServed").slice(0, 2), ["True", "Served"]);
});

test("what the kernel forwards already is advertised before it is programmed with what is new", async () => {
  const { speaker, steps, judge, knowledge } = world();
  judge({ live: [NODE.name], isFrozen: false });
  knowledge.peerViews = [{ ...PEER, nodeSelectors: [{ matchLabels: { rack: "a" } }] }];
  for (const _ of [1, 2]) await speaker.pass();
  steps.length = 0;
  knowledge.peerViews = [PEER];
  await speaker.pass();
  assert.deepEqual(steps, ["advertise 1", "program"]);
});

test("the kernel goes on forwarding until the last router has heard of a withdrawal", async () => {
  const { speaker, steps, judge, router } = world();
  judge({ live: [NODE.name], isFrozen: false });
  for (const _ of [1, 2]) await speaker.pass();
  steps.length = 0;
  const isHeard = Promise.withResolvers<void>();
  router.withdrawal = isHeard.promise;
  const pass = speaker.pass();
  await settle();
  assert.deepEqual(steps, []);
  isHeard.resolve();
  await pass;
  assert.deepEqual(steps, ["program"]);
});

test("a pass publishes once what this node is, and twice only if it stops being ready", async () => {
  const { speaker, published, judge, refuse } = world();
  judge({ live: [NODE.name], isFrozen: false });
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(published, [true, true]);
  refuse(new ForwardingError("NoIpvs", "no ip_vs"));
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(published.slice(2), [true, false, false]);
});

test("nothing is reported before the first pass: nothing is known", async () => {
  const { speaker, condition } = world();
  speaker.refreshReport();
  assert.deepEqual(condition("Ready"), [undefined, undefined, undefined]);
  await speaker.pass();
  assert.equal(condition("Ready")[0], "True");
});

test("a foreign IPVS service in the way of some ports is said until it is gone, and stops nothing else", async () => {
  const { speaker, told, judge, obstruct, condition } = world();
  judge({ live: [NODE.name], isFrozen: false });
  obstruct("mark 0x1 belongs to a foreign IPVS service", "mark 0x2 belongs to a foreign IPVS service");
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(condition("ForwardingReady"), [
    "False",
    "ForeignService",
    "mark 0x1 belongs to a foreign IPVS service, and 1 more: their ports are not forwarded by this node until it is gone " +
      "(ipvsadm -Ln shows it)",
  ]);
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
  obstruct();
  assert.ok(((await speaker.pass())?.retryAfterMs ?? 0) === 0);
  assert.deepEqual(condition("ForwardingReady").slice(0, 2), ["True", "Programmed"]);
});

test("a pass that gave way makes nobody ready, and takes readiness from nobody; routes go out as far as it came", async () => {
  const { speaker, told, judge, giveWay, goOn, add, obstruct, condition } = world();
  judge({ live: [NODE.name], isFrozen: false });
  giveWay(VIP);
  await speaker.pass();
  assert.match(speaker.unsettled ?? "", /kernel/);
  goOn();
  obstruct("mark 0x1 belongs to a foreign IPVS service");
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
  for (const at of [2, 3])
    add({
      ...SERVICE,
      ...{ key: `default/more-${at}`, uid: `${at}`, vips: [`198.51.100.${at}`] },
      ids: { "IPv4/TCP/80": at },
    });
  giveWay("198.51.100.2");
  obstruct();
  await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`, "198.51.100.2/32"]);
  assert.deepEqual(condition("ForwardingReady").slice(0, 2), ["False", "ForeignService"], "as it was found");
  goOn();
  await speaker.pass();
  assert.equal(told.at(-1)?.length, 3);
  assert.deepEqual(condition("ForwardingReady").slice(0, 2), ["True", "Programmed"]);
});

test("a node that waits for others' connections attracts nothing new, and keeps what it attracts", async () => {
  const { speaker, told, judge, gather } = world();
  judge({ live: [NODE.name], isFrozen: false });
  gather(true);
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(told, []);
  assert.match(speaker.unsettled ?? "", /connections/);
  gather(false);
  for (const _ of [1, 2]) await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
  gather(true);
  await speaker.pass();
  assert.deepEqual(told.at(-1), [`${VIP}/32`]);
});

test("a link by which connections are shared is back: prefixes are held back, and by no other reason", async () => {
  const { speaker, knowledge, router } = world();
  const link = (prefix: string): NodeLink => ({
    ...{ name: "eth0", index: 2, hardware: "", isUp: true, mtu: 1_500 },
    prefixes: [prefix],
  });
  const [own, other] = [link("172.30.0.1/24"), link("192.0.2.1/24")];
  const share = (connectionSync: boolean): void => {
    knowledge.balancer = knowledge.balancer && { ...knowledge.balancer, connectionSync };
  };
  share(true);
  await speaker.pass();
  speaker.linksReturned([own]);
  assert.deepEqual(router.holds, [], "no other node may have a speaker");
  knowledge.nodes.set("n2", { ...NODE, name: "n2" });
  await speaker.pass();
  speaker.linksReturned([other]);
  assert.deepEqual(router.holds, []);
  speaker.linksReturned([other, own]);
  assert.deepEqual(router.holds, [6_000]);
  share(false);
  await speaker.pass();
  speaker.linksReturned([own]);
  assert.equal(router.holds.length, 1);
});
