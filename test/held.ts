/**
 * For how long the machine itself stood still: a thread that does nothing else wakes up every few milliseconds and counts
 * how late it was. A processor that a hypervisor took away shows here, and in no count of the kernel's.
 */
import { Worker } from "node:worker_threads";

/** Microseconds of lateness, counted up for as long as this process lives. */
let counted: Int32Array<SharedArrayBuffer> | undefined;

/** Of the thread; plain JavaScript, as it is text here. */
const PROGRAM = `
const { workerData, parentPort } = require("node:worker_threads");
const EVERY_MS = 5;
const IN_TIME_MS = 10;
const idle = new Int32Array(new SharedArrayBuffer(4));
// Before it says so: a process that is stopped right after that was watched already.
let last = performance.now();
parentPort.postMessage("runs");
for (;;) {
  Atomics.wait(idle, 0, 0, EVERY_MS);
  const now = performance.now();
  const late = now - last - EVERY_MS;
  if (late > IN_TIME_MS) Atomics.add(workerData, 0, Math.round(late * 1_000));
  last = now;
}`;

/** Begins to watch; what it resolves to gives the milliseconds since, in all. */
export async function watchHeld(): Promise<() => number> {
  const micros = counted ?? (await startThread());
  const before = Atomics.load(micros, 0);
  // The count wraps after half an hour of lateness; a difference does not mind.
  return () => ((Atomics.load(micros, 0) - before) | 0) / 1_000;
}

async function startThread(): Promise<Int32Array<SharedArrayBuffer>> {
  const micros = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(PROGRAM, { eval: true, execArgv: [], workerData: micros });
  // It keeps no test from ending.
  thread.unref();
  await new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  counted = micros;
  return micros;
}
