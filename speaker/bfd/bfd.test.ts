import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { peerOf } from "#test/fakes/bfd-pair.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { type BfdWorkerLike, createBfd, spawnBfdWorker } from "./bfd.ts";
import type { ToBfdWorker } from "./messages.ts";
import type { BfdChange, BfdReport } from "./types.ts";

class FakeWorker extends EventEmitter implements BfdWorkerLike {
  readonly told: ToBfdWorker[] = [];
  answers = true;

  postMessage(message: ToBfdWorker): void {
    this.told.push(message);
    if (!this.answers) return;
    if (message.type === "adminDown") this.emit("message", { type: "adminDown" });
    if (message.type === "close") this.emit("message", { type: "closed" });
  }

  terminate(): Promise<number> {
    this.emit("exit", 1);
    return Promise.resolve(1);
  }
}

function shell() {
  const clock = new FakeClock();
  const workers: FakeWorker[] = [];
  const spawn = (): FakeWorker => {
    const worker = new FakeWorker();
    workers.push(worker);
    return worker;
  };
  return { clock, workers, bfd: createBfd({ clock, log: silentLogger, spawn }) };
}

const REPORT: BfdReport = {
  key: "peer",
  address: "10.0.0.2",
  state: "Up",
  remoteState: "Up",
  diagnostic: "None",
  remoteDiagnostic: "None",
  since: "2026-01-01T00:00:00.000Z",
  detectionTimeMs: 150,
  transmitIntervalMs: 50,
  isEchoing: false,
  losses: 0,
  packetsIn: 1,
  packetsOut: 1,
  sendFailures: 0,
};
const CHANGE: BfdChange = {
  key: "peer",
  state: "Down",
  previous: "Up",
  remoteState: "Up",
  diagnostic: "DetectionTimeExpired",
  at: "2026-01-01T00:00:01.000Z",
  isLoss: true,
};

test("without peers there is no thread; the same list again says nothing to it", () => {
  const { bfd, workers } = shell();
  bfd.reconcile([]);
  assert.equal(workers.length, 0);
  assert.deepEqual(bfd.scheduling, { class: "unknown" });
  bfd.reconcile([peerOf("10.0.0.2")]);
  bfd.reconcile([peerOf("10.0.0.2")]);
  assert.deepEqual(workers[0]?.told, [{ type: "reconcile", peers: [peerOf("10.0.0.2")] }]);
  bfd.reconcile([]);
  assert.equal(workers[0]?.told.length, 2);
});

test("what the thread says is passed on and remembered", () => {
  const { bfd, workers } = shell();
  const seen: BfdChange[] = [];
  const end = bfd.onState((change) => seen.push(change));
  bfd.reconcile([peerOf("10.0.0.2")]);
  const [worker] = workers;
  worker?.emit("message", { type: "scheduling", scheduling: { class: "fifo" } });
  worker?.emit("message", { type: "reports", reports: [REPORT], discards: { Short: 3 } });
  assert.deepEqual(
    [bfd.scheduling, bfd.sessions(), bfd.discards()],
    [{ class: "fifo" }, [REPORT], { Short: 3 }],
  );
  const down = { ...REPORT, state: "Down" as const };
  worker?.emit("message", { type: "change", change: CHANGE, report: down });
  assert.deepEqual([seen, bfd.sessions()], [[CHANGE], [down]]);
  end();
  worker?.emit("message", { type: "change", change: CHANGE, report: down });
  assert.equal(seen.length, 1);
  bfd.reconcile([]);
  assert.deepEqual(bfd.sessions(), []);
});

test("a thread that ends is started again with the same peers, until stop", async () => {
  const { bfd, workers, clock } = shell();
  bfd.reconcile([peerOf("10.0.0.2")]);
  workers[0]?.emit("exit", 7);
  assert.deepEqual(bfd.sessions(), []);
  clock.advanceSync(1_000);
  assert.deepEqual(workers[1]?.told, [{ type: "reconcile", peers: [peerOf("10.0.0.2")] }]);
  await bfd.stop();
  clock.advanceSync(10_000);
  assert.equal(workers.length, 2);
});

test("a thread that does not answer holds nothing up", async () => {
  const { bfd, workers, clock } = shell();
  bfd.reconcile([peerOf("10.0.0.2")]);
  const [worker] = workers;
  assert.ok(worker);
  await bfd.adminDown();
  worker.answers = false;
  let isDone = false;
  const done = bfd.adminDown().then(() => {
    isDone = true;
  });
  await clock.advance(1_900);
  assert.equal(isDone, false);
  await clock.advance(200);
  await done;
});

test("real threads: many starts and stops, with and without a goodbye, and the process lives", async () => {
  // Loopback only, ports that others may have: what counts is that sockets, timer and polls end with the thread.
  for (let round = 0; round < 6; round += 1) {
    const bfd = createBfd({ clock: systemClock, log: silentLogger, fifo: round % 2 === 0 });
    bfd.reconcile([peerOf("127.0.0.77"), { ...peerOf("::1"), key: "second", multihop: true }]);
    await until("the thread's word", () => bfd.sessions().length === 2);
    assert.notEqual(bfd.scheduling.class, "unknown");
    if (round % 3 === 0) await bfd.adminDown();
    await bfd.stop();
  }
  for (let round = 0; round < 6; round += 1) {
    const worker = spawnBfdWorker({ fifo: false, policy: "raise" });
    const told = new Promise<void>((resolve) => {
      worker.on("message", (message) => message.type === "reports" && resolve());
    });
    worker.postMessage({ type: "reconcile", peers: [peerOf("127.0.0.77")] });
    await told;
    await worker.terminate();
  }
});
