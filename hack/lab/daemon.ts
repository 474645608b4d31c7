/** Programs that go on running: started with a log, known by pid and start time, stopped by them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { tail } from "#hack/common/command.ts";

/** Enough to find a process again and never take another for it. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** Clock ticks from boot to its start, from /proc/PID/stat. */
  readonly startTime: string;
  readonly log: string;
}

export interface DaemonOptions {
  readonly name: string;
  readonly log: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** False: the kernel kills it when this process ends. */
  readonly outlivesUs: boolean;
}

/** A program ended or did not become ready; the message has the end of its log. */
export class DaemonError extends Error {
  readonly code = "LAB_DAEMON";
}

export async function startDaemon(argv: readonly string[], options: DaemonOptions): Promise<ProcessRecord> {
  const log = openSync(options.log, "a");
  const guarded = options.outlivesUs ? argv : ["setpriv", "--pdeathsig", "KILL", "--", ...argv];
  const [program = "", ...rest] = guarded;
  const child = spawn(program, rest, {
    stdio: ["ignore", log, log],
    detached: true,
    env: { ...process.env, ...options.environment },
  });
  await once(child, "spawn").catch((cause: unknown) => {
    throw new DaemonError(`${options.name}: cannot start ${program}`, { cause });
  });
  if (options.outlivesUs) child.unref();
  const pid = child.pid ?? 0;
  return { name: options.name, pid, startTime: startTimeOf(pid) ?? "", log: options.log };
}

/** Field 22 of /proc/PID/stat; undefined for a process that has ended. The name before it may hold spaces. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    // No such process.
    return undefined;
  }
}

export function isRunning(record: ProcessRecord): boolean {
  return record.startTime !== "" && startTimeOf(record.pid) === record.startTime;
}

/** Asks with SIGTERM, insists with SIGKILL after `graceMs`; returns when the process is gone. */
export async function stopDaemon(record: ProcessRecord, graceMs = 3000): Promise<void> {
  const end = performance.now() + graceMs;
  let signal: NodeJS.Signals = graceMs > 0 ? "SIGTERM" : "SIGKILL";
  let sent: NodeJS.Signals | undefined;
  while (isRunning(record)) {
    if (performance.now() >= end) signal = "SIGKILL";
    if (sent !== signal) {
      sent = signal;
      try {
        process.kill(record.pid, signal);
      } catch {
        // It ended between the look and the signal.
        return;
      }
    }
    await sleep(20);
  }
}

/** Waits for `look` to be true; fails when the process ends or the time is over, with the end of its log. */
export async function waitForDaemon(
  record: ProcessRecord,
  look: () => Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    if (!isRunning(record)) throw new DaemonError(`${record.name} ended:\n${await logTail(record.log)}`);
    if (await look()) return;
    if (performance.now() >= end) {
      throw new DaemonError(
        `${record.name} was not ready in ${deadlineMs} ms:\n${await logTail(record.log)}`,
      );
    }
    await sleep(50);
  }
}

/** The end of a log file, with its name. */
async function logTail(path: string, lines = 20): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: Error) => error.message);
  return `--- ${path}\n${tail(text, lines)}`;
}
