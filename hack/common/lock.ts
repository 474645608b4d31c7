/** One command at a time changes a lab. The kernel lets go of the lock when the command ends, however it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Say } from "#hack/common/progress.ts";

const TELL_AFTER_MS = 500;

/** The lock could not be taken. */
export class LockError extends Error {
  readonly code = "LAB_LOCK";
}

/** Runs `work` while no other process is in `locked` with the same file; says so when it has to wait. */
export async function locked<T>(path: string, tell: Say, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  // Node has no flock(2). The helper holds the lock until its input ends, which it does with this process.
  const holder = spawn("flock", [path, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const timer = setTimeout(
    () => tell(`waiting for another command on ${basename(path)} to end`),
    TELL_AFTER_MS,
  );
  const ended = once(holder, "exit");
  try {
    await Promise.race([
      once(holder.stdout, "data"),
      ended.then(([code]) => {
        throw new LockError(`flock ${path}: exit code ${code}`);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
