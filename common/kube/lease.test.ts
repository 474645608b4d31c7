import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeClient } from "#common/kube/client.ts";
import {
  type LeaderElectionOptions,
  LeadershipError,
  microTime,
  runLeaderElection,
} from "#common/kube/lease.ts";
import { type Lease, leases } from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import { silentLogger } from "#common/log.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

const at = { name: "test", namespace: "n" };

/** A candidate on its own clock, as processes on different nodes are. */
function stand(server: FakeApiServer, options: Partial<LeaderElectionOptions> = {}) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const client = createKubeClient(server.connection, { clock });
  const state = { leads: false, terms: 0 };
  const end = runLeaderElection({
    ...at,
    client,
    clock,
    identity: "a",
    random: fixedRandom(0.5),
    log: silentLogger,
    signal: stop.signal,
    onStarted: async (signal) => {
      state.leads = true;
      state.terms += 1;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      state.leads = false;
    },
    ...options,
  });
  // A test looks at the end when it wants to; nobody else has to.
  end.catch(() => undefined);
  return {
    clock,
    state,
    end,
    stop,
    resign: async () => {
      stop.abort();
      await end;
      client.close();
    },
  };
}

function record(holder: string, renewals: number): Draft<Lease> {
  // The date says "long dead": it must not matter.
  return {
    metadata: at,
    spec: { holderIdentity: holder, leaseDurationSeconds: 15, renewTime: microTime(new Date(renewals)) },
  };
}

/** Lets the candidate look at the lease `times` times, `everyMs` of its clock apart. */
async function looks(server: FakeApiServer, clock: FakeClock, everyMs: number, times = 1): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    const before = server.requests.length;
    await until("it to wait", () => clock.pending === 1);
    await clock.advance(everyMs);
    await until("a look", () => server.requests.length > before);
    await until("the look's end", () => clock.pending >= 1);
  }
}

const spec = (server: FakeApiServer): Lease["spec"] => server.get(leases, "n/test")?.spec;

test("takes a lease that is not there, renews it, gives it back", async () => {
  await using server = await FakeApiServer.start();
  const a = stand(server);
  await until("a to lead", () => a.state.leads);
  assert.equal(spec(server)?.holderIdentity, "a");
  assert.equal(spec(server)?.leaseDurationSeconds, 15);
  const { renewTime } = spec(server) ?? {};
  await until("it to wait", () => a.clock.pending === 2);
  await a.clock.advance(2_000);
  await until("a renewal", () => spec(server)?.renewTime !== renewTime);
  await a.resign();
  assert.equal(spec(server)?.holderIdentity, "");
});

test("a foreign lease is left alone while it changes, and taken when it has stood still for its duration here", async () => {
  await using server = await FakeApiServer.start();
  server.put(leases, record("b", 0));
  const a = stand(server);
  await looks(server, a.clock, 2_000, 6);
  server.put(leases, record("b", 1));
  await looks(server, a.clock, 2_000, 7);
  assert.equal(a.state.leads, false, "14 s after the change was seen, at most");
  await looks(server, a.clock, 2_000, 2);
  await until("a to lead", () => a.state.leads);
  assert.equal(spec(server)?.leaseTransitions, 1);
  await a.resign();
});

test("a lease that was given back is taken at once", async () => {
  await using server = await FakeApiServer.start();
  server.put(leases, record("", 0));
  const a = stand(server);
  await until("a to lead", () => a.state.leads);
  await a.resign();
});

test("a leader whose renewals fail stops at the deadline, not at the first failure, and stands again", async () => {
  await using server = await FakeApiServer.start();
  const a = stand(server);
  await until("a to lead", () => a.state.leads && a.clock.pending === 2);
  let isBroken = true;
  for (let count = 0; count < 50; count += 1) server.inject({ type: "status", code: 500 }, () => isBroken);
  await a.clock.advance(2_000);
  await until("the first failure", () => a.clock.pending === 2);
  assert.equal(a.state.leads, true);
  while (a.clock.now() < 9_900) await a.clock.advance(100);
  assert.equal(a.state.leads, true);
  await a.clock.advance(200);
  await until("a to stop", () => !a.state.leads);
  isBroken = false;
  await until("a to lead again", async () => {
    await a.clock.advance(100);
    return a.state.terms === 2;
  });
  await a.resign();
});

test("a leader that sees another holder stops at once", async () => {
  await using server = await FakeApiServer.start();
  const a = stand(server);
  await until("a to lead", () => a.state.leads && a.clock.pending === 2);
  server.put(leases, record("b", 1));
  await a.clock.advance(2_000);
  await until("a to stop", () => !a.state.leads);
  assert.equal(spec(server)?.holderIdentity, "b");
  await a.resign();
  assert.equal(spec(server)?.holderIdentity, "b", "what is not ours is not given back");
});

test("work that goes on after a loss ends in LeadershipError, so that the process ends", async () => {
  await using server = await FakeApiServer.start();
  let terms = 0;
  const a = stand(server, {
    onStarted: () => {
      terms += 1;
      return new Promise(() => undefined);
    },
  });
  await until("a to lead", () => terms === 1 && a.clock.pending === 2);
  server.put(leases, record("b", 1));
  await a.clock.advance(2_000);
  await until("the grace time to run", async () => {
    await a.clock.advance(500);
    return a.clock.now() >= 6_500;
  });
  await assert.rejects(a.end, LeadershipError);
});

/** Time that has passed although no timer has run yet, as in a process that stood still. */
class StoppedClock extends FakeClock {
  stoodStillMs = 0;
  override now(): number {
    return super.now() + this.stoodStillMs;
  }
}

test("a leader that stood still knows that it may not write before any timer tells it", async () => {
  await using server = await FakeApiServer.start();
  const clock = new StoppedClock();
  let ask = (): boolean => false;
  const a = stand(server, {
    clock,
    onStarted: async (signal, isLeading) => {
      ask = isLeading;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  });
  await until("it to lead", () => ask() && clock.pending === 2);
  clock.stoodStillMs = 9_900;
  assert.equal(ask(), true);
  clock.stoodStillMs = 10_000;
  assert.equal(ask(), false);
  clock.stoodStillMs = 0;
  assert.equal(ask(), true);
  a.stop.abort();
  assert.equal(ask(), false);
  await a.resign();
});

test("an error of the work gives the lease back and is the election's error", async () => {
  await using server = await FakeApiServer.start();
  const a = stand(server, {
    onStarted: async () => {
      throw new Error("broken");
    },
  });
  await assert.rejects(a.end, /broken/);
  assert.equal(spec(server)?.holderIdentity, "");
});

test("timings that could let two work are refused", async () => {
  await using server = await FakeApiServer.start();
  await assert.rejects(stand(server, { leaseDurationMs: 5_000, renewDeadlineMs: 5_000 }).end, RangeError);
});
