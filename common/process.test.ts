import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { runMain } from "#common/process.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

function running(main: (signal: AbortSignal) => Promise<void>) {
  const process = new FakeProcess();
  const clock = new FakeClock();
  void runMain({ log: silentLogger, clock, main, process, graceMs: 1_000 });
  return { process, clock };
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve()));

test("SIGTERM ends main in order: exit code 0", async () => {
  const { process } = running(untilAborted);
  await settle();
  assert.deepEqual(process.exits, []);
  process.emit("SIGTERM");
  await settle();
  assert.deepEqual(process.exits, [0]);
});

test("a main that throws, a rejection and an exception that nobody caught: exit code 1", async () => {
  const throwing = running(async () => {
    throw new Error("broken");
  });
  await settle();
  assert.deepEqual(throwing.process.exits, [1]);
  for (const event of ["unhandledRejection", "uncaughtException"]) {
    const { process } = running(untilAborted);
    process.emit(event, new Error("unheard"));
    await settle();
    assert.deepEqual(process.exits, [1], event);
  }
});

test("a main that does not end is ended after the grace time, or by a second signal", async () => {
  const slow = running(() => new Promise(() => undefined));
  slow.process.emit("SIGTERM");
  await slow.clock.advance(999);
  assert.deepEqual(slow.process.exits, []);
  await slow.clock.advance(1);
  await settle();
  assert.deepEqual(slow.process.exits, [1]);
  const impatient = running(() => new Promise(() => undefined));
  impatient.process.emit("SIGINT");
  impatient.process.emit("SIGINT");
  await settle();
  assert.deepEqual(impatient.process.exits, [1]);
});
