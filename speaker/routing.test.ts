/** The order in which sessions are told, and what becomes of BFD's word. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import type { Bfd, BfdChange } from "./bfd/types.ts";
import type { Bgp } from "./bgp/bgp.ts";
import type { BgpPlan } from "./bgp/plan.ts";
import type { SessionReport, WantedSession } from "./bgp/types.ts";
import { Routing } from "./routing.ts";

const TIMERS = {
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  echoMode: false,
  echoIntervalMs: 50,
  passive: false,
};
const session = (...prefixes: string[]): WantedSession => ({
  settings: {
    name: "tor",
    address: "10.0.0.1",
    port: 179,
    localAsn: 1,
    peerAsn: 2,
    routerId: "10.0.0.9",
    holdTimeMs: 90_000,
    connectTimeMs: 1_000,
    ttl: { kind: "direct" },
    gracefulRestart: true,
    families: ["IPv4"],
    nextHops: {},
  },
  advertisements: prefixes.map((prefix) => ({ prefix, communities: [], largeCommunities: [] })),
});
const plan = (sessions: Record<string, WantedSession>, isWatched = false): BgpPlan => ({
  sessions: new Map(Object.entries(sessions)),
  bfd: isWatched
    ? Object.keys(sessions).map((key) => ({ key, address: "10.0.0.1", multihop: false, profile: TIMERS }))
    : [],
  withheld: [],
});

function world() {
  const clock = new FakeClock();
  const steps: string[] = [];
  let watched: string[] = [];
  let reports: SessionReport[] = [];
  const leaving = new Set<string>();
  let changed = (): void => {};
  let told: (change: BfdChange) => void = () => {};
  const bgp: Bgp = {
    relocate() {},
    reconcile: (wanted) => {
      const words = [...wanted].map(([name, { advertisements }]) => {
        return `${name}[${advertisements.map(({ prefix }) => prefix).join()}]`;
      });
      steps.push(`bgp ${words.join(" ")}`);
    },
    sessions: () => reports,
    withdrawn: async () => {},
    leaving: () => leaving,
    listenTrouble: () => undefined,
    bfdDown: (peer) => void steps.push(`down ${peer}`),
    stop: async ({ mode }) => void steps.push(`bgp stops: ${mode}`),
  };
  const bfd: Bfd = {
    reconcile: (peers) => {
      watched = peers.map(({ address, link }) => `${address}%${link ?? ""}`);
      steps.push(`bfd ${peers.map(({ key }) => key).join()}`);
    },
    onState: (callback) => {
      told = callback;
      return () => {};
    },
    sessions: () => [],
    scheduling: { class: "fifo" },
    adminDown: async () => void steps.push("bfd says AdminDown"),
    stop: async () => void steps.push("bfd stops"),
  };
  const sessions: string[] = [];
  const routing = new Routing({
    clock,
    openBgp: (onChange) => {
      steps.push("open bgp");
      changed = onChange;
      return bgp;
    },
    openBfd: () => {
      steps.push("open bfd");
      return bfd;
    },
    onChange: () => {},
    onSession: ({ peer, state }) => void sessions.push(`${peer} ${state}`),
  });
  return {
    clock,
    steps,
    sessions,
    leaving,
    routing,
    say: (change: Partial<BfdChange>) =>
      told({
        key: "tor",
        state: "Down",
        previous: "Up",
        remoteState: "Up",
        diagnostic: "DetectionTimeExpired",
        at: "",
        isLoss: true,
        ...change,
      }),
    /** Where BFD looks for whom. */
    watched: () => watched,
    report: (state: SessionReport["state"], address = "10.0.0.1") => {
      const counts = {
        prefixesAdvertised: 0,
        prefixesReceived: 0,
        prefixesKeptBack: 0,
        prefixesWithoutNextHop: 0,
        messagesIn: 0,
        messagesOut: 0,
        updatesOut: 0,
      };
      reports = [{ peer: "tor", address, state, losses: 0, ...counts }];
      changed();
    },
  };
}

test("nothing is opened before there is a peer", async () => {
  const { steps, routing } = world();
  await routing.withdrawOthers(plan({}));
  routing.reconcile(plan({}));
  assert.deepEqual(steps, []);
});

describe("withdraw first", () => {
  test("what is not wanted any more, and nothing new, before the kernel is touched", async () => {
    const { steps, routing } = world();
    routing.reconcile(plan({ tor: session("a", "b") }));
    steps.length = 0;
    const next = plan({ tor: session("b", "c"), spine: session("c") });
    await routing.withdrawOthers(next);
    assert.deepEqual(steps, ["bgp tor[b]"]);
    routing.reconcile(next);
    assert.deepEqual(steps, ["bgp tor[b]", "bgp tor[b,c] spine[c]"]);
  });

  test("a peer that is gone loses its session first", async () => {
    const { steps, routing } = world();
    routing.reconcile(plan({ tor: session("a"), spine: session("a") }));
    steps.length = 0;
    await routing.withdrawOthers(plan({ tor: session("a") }));
    assert.deepEqual(steps, ["bgp tor[a]"]);
  });

  test("a new peer is not told an empty table first: it may still have ours from before a restart", async () => {
    const { steps, routing } = world();
    await routing.withdrawOthers(plan({ tor: session("a") }));
    assert.deepEqual(steps, []);
    routing.reconcile(plan({ tor: session("a") }));
    assert.deepEqual(steps, ["open bgp", "bgp tor[a]"]);
  });

  test("the same plan again says nothing", async () => {
    const { steps, routing } = world();
    const same = plan({ tor: session("a") });
    routing.reconcile(same);
    steps.length = 0;
    await routing.withdrawOthers(same);
    routing.reconcile(same);
    assert.deepEqual(steps, []);
  });
});

test("BFD's loss takes the session down; a peer that stops BFD on purpose does not", () => {
  const { steps, routing, say } = world();
  routing.reconcile(plan({ tor: session("a") }, true));
  assert.deepEqual(steps, ["open bgp", "bgp tor[a]", "open bfd", "bfd tor"]);
  say({ isLoss: false, remoteState: "AdminDown" });
  assert.ok(!steps.includes("down tor"));
  say({});
  assert.equal(steps.at(-1), "down tor");
});

test("BFD of an unnumbered peer is where its session is, follows it, and outlives its address (RFC 5882)", () => {
  const { steps, routing, report, watched } = world();
  const bfd = [{ key: "tor", address: "", multihop: false, link: "eth1", profile: TIMERS } as const];
  routing.reconcile({ ...plan({ tor: session("a") }), bfd });
  assert.ok(!steps.includes("open bfd"), "nobody knows yet where the router is");
  report("Established", "fe80::1");
  assert.deepEqual(watched(), ["fe80::1%eth1"]);
  const before = steps.length;
  report("Established", "fe80::1");
  report("Idle", "");
  assert.equal(steps.length, before);
  report("Established", "fe80::2");
  assert.deepEqual(watched(), ["fe80::2%eth1"]);
});

test("a session that says goodbye keeps its BFD until that is said", async () => {
  const { steps, routing, leaving, report } = world();
  routing.reconcile(plan({ tor: session("a") }, true));
  steps.length = 0;
  leaving.add("tor");
  await routing.withdrawOthers(plan({}));
  routing.reconcile(plan({}));
  assert.deepEqual(steps, ["bgp ", "bfd tor", "bgp ", "bfd tor"]);
  leaving.delete("tor");
  report("Idle");
  assert.equal(steps.at(-1), "bfd ");
  report("Idle");
  assert.equal(steps.length, 5);
});

test("an end says AdminDown by BFD before anything else", async () => {
  const { steps, routing } = world();
  routing.reconcile(plan({ tor: session("a") }, true));
  steps.length = 0;
  await routing.stop("restart");
  assert.deepEqual(steps, ["bfd says AdminDown", "bgp stops: restart", "bfd stops"]);
  await routing.stop("restart");
  assert.equal(steps.length, 3);
});

test("comings and losses are told once each, attempts are not", () => {
  const { sessions, routing, report } = world();
  routing.reconcile(plan({ tor: session("a") }));
  for (const state of ["Connect", "OpenSent", "Established", "Established", "Idle", "Connect"] as const)
    report(state);
  assert.deepEqual(sessions, ["tor Established", "tor Idle"]);
});

describe("a link is back", () => {
  test("a session that is down gets its prefixes after the time that is asked for, and new ones as well", async () => {
    const { clock, steps, routing, report } = world();
    routing.reconcile(plan({ tor: session("a") }));
    report("Idle");
    steps.length = 0;
    routing.hold(6_000);
    assert.deepEqual(steps, ["bgp tor[]"]);
    report("Established");
    const next = plan({ tor: session("a", "b"), spine: session("a") });
    await routing.withdrawOthers(next);
    routing.reconcile(next);
    assert.equal(steps.at(-1), "bgp tor[] spine[]");
    await clock.advance(5_999);
    assert.equal(steps.length, 2);
    await clock.advance(1);
    assert.equal(steps.at(-1), "bgp tor[a,b] spine[a]");
    routing.reconcile(next);
    assert.equal(steps.length, 3);
  });

  test("a session that is up goes on", async () => {
    const { clock, steps, routing, report } = world();
    routing.reconcile(plan({ tor: session("a") }));
    report("Established");
    steps.length = 0;
    routing.hold(6_000);
    await clock.advance(6_000);
    assert.deepEqual(new Set(steps), new Set(["bgp tor[a]"]));
  });

  test("back once more: the time begins anew, and what is withdrawn meanwhile stays away", async () => {
    const { clock, steps, routing, report } = world();
    routing.reconcile(plan({ tor: session("a", "b") }));
    report("Idle");
    routing.hold(6_000);
    await clock.advance(4_000);
    routing.hold(6_000);
    const next = plan({ tor: session("b") });
    await routing.withdrawOthers(next);
    routing.reconcile(next);
    await clock.advance(5_999);
    assert.equal(steps.at(-1), "bgp tor[]");
    await clock.advance(1);
    assert.equal(steps.at(-1), "bgp tor[b]");
  });

  test("an end ends it", async () => {
    const { clock, steps, routing, report } = world();
    routing.reconcile(plan({ tor: session("a") }));
    report("Idle");
    routing.hold(6_000);
    await routing.stop("restart");
    const count = steps.length;
    await clock.advance(6_000);
    assert.equal(steps.length, count);
  });
});
