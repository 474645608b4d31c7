import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KubeClient } from "#common/kube/client.ts";
import { ConnectionError, KubeError } from "#common/kube/error.ts";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { Reporter } from "./reporter.ts";
import type { Status } from "./status.ts";

const awaiting = (...peers: string[]): Status => ({ node: "n1", formerSessions: peers });
const owning = (...addresses: string[]): Status => ({
  node: "n1",
  addresses: addresses.map((address) => ({ address, service: "a/b", links: [] })),
});

interface Write {
  readonly status: Status;
  /** The server takes it. */
  readonly land: () => void;
  readonly fail: (error: Error) => void;
}

/** A server that takes a write when the test says so, whatever the caller was told meanwhile. */
function world({ nodes = 1 } = {}) {
  const clock = new FakeClock();
  const writes: Write[] = [];
  let present: Status | undefined;
  let created = 0;
  const client = {
    get: async () => ({ status: present }),
    create: async () => {
      created += 1;
    },
    apply: (_resource: unknown, { status }: { status: Status }) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const land = (): void => {
        present = status;
        resolve();
      };
      writes.push({ status, land, fail: reject });
      return promise;
    },
  };
  const reporter = new Reporter({
    client: client as unknown as KubeClient,
    node: "n1",
    namespace: "ns",
    nodes: () => nodes,
    clock,
    random: fixedRandom(),
    log: silentLogger,
  });
  const stop = new AbortController();
  const running = reporter.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { clock, writes, reporter, end, present: () => present, created: () => created };
}

/** Lets every write arrive, for as long as there are any. */
async function landAll({ clock, writes }: ReturnType<typeof world>, from: number): Promise<void> {
  for (let at = from; at < writes.length; at += 1) {
    writes[at]?.land();
    await clock.advance(1_000);
  }
}

const counting = (realServers: number, digest: string): Status => ({
  ...owning("192.0.2.1"),
  advertisedCount: realServers,
  forwarding: { mode: "IPVS", virtualServers: 2, realServers, lastWrites: 1, digest, programmed: true },
});

describe("reporter", () => {
  test("counts that change all the time are written by the pace of the cluster, and with what is news", async () => {
    const all = world({ nodes: 1_000 });
    const { clock, writes, reporter, present, end } = all;
    reporter.report(counting(0, "0"));
    await clock.advance(1_000);
    await landAll(all, 0);
    for (let at = 1; at <= 100; at += 1) {
      reporter.report(counting(at, `${at}`));
      await clock.advance(500);
      writes.at(-1)?.land();
    }
    // Of a thousand nodes: one write in 20 s each.
    assert.ok(writes.length >= 3 && writes.length <= 4, `${writes.length} writes in 51 s`);
    const before = writes.length;
    reporter.report({ ...counting(101, "101"), lastError: "no route" });
    await clock.advance(1_000);
    await landAll(all, before);
    assert.equal(writes.length, before + 1);
    assert.deepEqual(present(), { ...counting(101, "101"), lastError: "no route" });
    // Of the last change, too, when nothing follows.
    reporter.report({ ...counting(102, "102"), lastError: "no route" });
    await clock.advance(25_000);
    await landAll(all, before + 1);
    assert.equal(present()?.forwarding?.realServers, 102);
    await end();
  });

  test("what is measured is written beside what a pass reports, when it changes, and taken back", async () => {
    const all = world();
    const { clock, writes, reporter, present, end } = all;
    const traffic = {
      connectionsPerMinute: 1,
      packetsPerSecond: 2,
      bytesPerSecond: 3,
      busyServices: 0,
      services: [],
    };
    reporter.reportTraffic(traffic);
    await clock.advance(1_000);
    assert.equal(writes.length, 0, "before the first pass nothing is reported");
    reporter.report(awaiting("tor"));
    await clock.advance(1_000);
    await landAll(all, 0);
    assert.deepEqual(present(), { ...awaiting("tor"), traffic });
    reporter.reportTraffic({ ...traffic });
    await clock.advance(1_000);
    assert.equal(writes.length, 1);
    reporter.reportTraffic(undefined);
    await clock.advance(1_000);
    await landAll(all, 1);
    assert.deepEqual(present(), awaiting("tor"));
    await end();
  });

  test("what changes there and back during a write is there when all is still", async () => {
    const all = world();
    const { clock, writes, reporter, present, end } = all;
    await clock.advance(0);
    reporter.report(awaiting("tor"));
    await clock.advance(1_000);
    writes[0]?.land();
    await clock.advance(1_000);
    reporter.report(awaiting());
    await clock.advance(1_000);
    assert.equal(writes.length, 2, "the write of nobody awaited is under way");
    reporter.report(awaiting("tor"));
    await clock.advance(1_000);
    await landAll(all, 1);
    assert.deepEqual(present(), awaiting("tor"));
    const before = writes.length;
    await clock.advance(60_000);
    assert.equal(writes.length, before, "and nothing is written over and over");
    await end();
  });

  const lost: readonly (readonly [string, Error])[] = [
    ["an answer that never came", new ConnectionError("TIMEOUT", "patch", "timed out")],
    [
      "a server that failed",
      new KubeError("patch", { code: 500, status: "Failure", reason: "R", message: "" }),
    ],
  ];
  for (const [name, error] of lost) {
    test(`${name} may have changed the status all the same: going back is written`, async () => {
      const all = world();
      const { clock, writes, reporter, present, end } = all;
      await clock.advance(0);
      reporter.report(awaiting("tor"));
      await clock.advance(1_000);
      await landAll(all, 0);
      reporter.report(awaiting());
      await clock.advance(1_000);
      writes[1]?.fail(error);
      writes[1]?.land();
      reporter.report(awaiting("tor"));
      await clock.advance(60_000);
      await landAll(all, 2);
      assert.deepEqual(present(), awaiting("tor"));
      await end();
    });
  }

  test("what this node had before goes along with the addresses, also what an earlier process had", async () => {
    const all = world();
    const { clock, writes, reporter, present, end } = all;
    await clock.advance(0);
    reporter.report(owning("192.0.2.1", "192.0.2.2"));
    await clock.advance(1_000);
    await landAll(all, 0);
    await reporter.readPresent();
    reporter.report(owning("192.0.2.1"));
    await clock.advance(10_000);
    reporter.report(owning("192.0.2.1"));
    await clock.advance(1_000);
    await landAll(all, 1);
    assert.deepEqual(
      present()?.formerAddresses?.map(({ address, service }) => [address, service]),
      [["192.0.2.2", "a/b"]],
    );
    const before = writes.length;
    reporter.report(owning("192.0.2.1"));
    await clock.advance(60_000);
    assert.equal(writes.length, before);
    await end();
  });

  test("what somebody else did to it is put right after a while", async () => {
    const all = world();
    const { clock, writes, reporter, end } = all;
    await clock.advance(0);
    reporter.report(awaiting("tor"));
    await clock.advance(1_000);
    await landAll(all, 0);
    await clock.advance(1_300_000);
    assert.equal(writes.length, 2);
    assert.deepEqual(writes[1]?.status, awaiting("tor"));
    await landAll(all, 1);
    await end();
  });

  test("conditions keep their times while nothing is known to be written", async () => {
    const { clock, writes, reporter, end } = world();
    const conditions = [
      {
        type: "Ready",
        status: "True" as const,
        reason: "R",
        message: "",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ];
    await clock.advance(0);
    reporter.report({ ...awaiting(), conditions });
    await clock.advance(1_000);
    assert.equal(writes.length, 1);
    assert.deepEqual(reporter.conditions, conditions);
    writes[0]?.land();
    await end();
  });
});
