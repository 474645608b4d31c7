/**
 * Loaded before a program (`node --import`): appends a line of JSON every five seconds to the file that OWN_DELAYS names,
 * with how late the program's timers were, its memory and its descriptors.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Milliseconds, MiB, seconds. */
export interface OwnDelay {
  readonly at: number;
  readonly p99: number;
  readonly max: number;
  readonly rss: number;
  readonly heap: number;
  readonly descriptors: number;
  readonly cpu: number;
}

const EVERY_MS = 5_000;
const file = process.env.OWN_DELAYS;
const round = (value: number): number => Math.round(value * 10) / 10;

if (file !== undefined && isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: 2 });
  delays.enable();
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const line: OwnDelay = {
      at: Date.now(),
      ...{ p99: round(delays.percentile(99) / 1e6), max: round(delays.max / 1e6) },
      ...{ rss: round(rss / 2 ** 20), heap: round(heapUsed / 2 ** 20) },
      descriptors: readdirSync("/proc/self/fd").length,
      cpu: round((user + system) / 1e6),
    };
    delays.reset();
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  }, EVERY_MS).unref();
}
