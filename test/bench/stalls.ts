/** Loaded into a speaker before its program: its main thread stands still for a second, about every ten. */
import { isMainThread } from "node:worker_threads";

const STALL_MS = 1_000;
/** Not those of all speakers at once, and not always after each other. */
const EVERY_MS = 9_000 + 200 * (process.pid % 11);

if (isMainThread) {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.wait(nobody, 0, 0, STALL_MS), EVERY_MS).unref();
}
