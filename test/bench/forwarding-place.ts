/**
 * Where it is measured: this machine's own kernel, or a guest's. In both, processor time is what this machine's
 * scheduler counts for the processes that do the work: of a guest all of its processes, its kernel's first of all. A
 * program in a guest cannot tell its own time: that kernel counts in ticks, and does not notice when it had to wait.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import type { Say } from "#hack/common/progress.ts";
import type { Guest } from "#hack/guest/boot.ts";
import { startGuest } from "#hack/guest/guest.ts";

/** Before others that want the same processor: what they take is not counted, but they empty its caches. */
const PRIORITY = -19;
const SAMPLE_DEADLINE_MS = 60_000;

/** A command of the benchmark's own arrangement, or a sample, failed. */
export class BenchError extends Error {
  readonly code = "BENCH";
}

/** A program that says a line, waits for one, and so on. */
interface Talking {
  say(line: string): void;
  /** Process whose descendants, and itself, do the work. */
  readonly pid: number;
  readonly ended: Promise<{ code: number; errors: string }>;
}

export interface Place {
  readonly name: "here" | "guest";
  /** For people. */
  readonly kernel: string;
  /** Options of the load program. */
  readonly load: readonly string[];
  /** Runs a command (in the namespace `netns`) and returns its output; throws BenchError. */
  exec(argv: readonly string[], options?: { netns?: string; input?: string }): Promise<string>;
  /** Runs the load program; returns its line, and the microseconds of processor time between its two lines. */
  sample(argv: readonly string[]): Promise<{ line: string; cpuUs: number }>;
  stop(): Promise<void>;
}

export function here(): Place {
  const cpu =
    readFileSync("/proc/self/status", "utf8").match(/Cpus_allowed_list:\s*(?:.*[,-])?(\d+)/)?.[1] ?? "0";
  return {
    name: "here",
    kernel: `Linux ${readFileSync("/proc/sys/kernel/osrelease", "utf8").trim()}`,
    load: [`cpu=${cpu}`],
    exec: ([...argv], { netns, input } = {}) => {
      const enter = netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`, "--"];
      return run([...enter, ...argv], { cwd: CHECKOUT, ...(input === undefined ? {} : { input }) });
    },
    sample: ([program = "", ...rest]) =>
      converse((onLine) => {
        const child = spawn(program, rest, { stdio: "pipe", detached: true });
        if (child.pid === undefined) throw new BenchError(`${program} does not start`);
        putFirst(child.pid);
        return overChild(child, child.pid, onLine);
      }),
    stop: async () => {},
  };
}

/** Throws GuestBootError where no user-mode Linux can be had: what an emulator needs says nothing. */
export async function inGuest(progress: Say): Promise<Place> {
  return placeIn(await startGuest({ kernel: "user-mode", progress }));
}

/** The guest ends with it. */
export async function placeIn(guest: Guest): Promise<Place> {
  putFirst(guest.pid);
  const { stdout: built } = await guest.exec(["uname", "-v"]);
  return {
    name: "guest",
    kernel: `${guest.kernel.description}, ${built.trim()}`,
    load: [],
    exec: async (argv, options = {}) => {
      const { code, stdout, stderr } = await guest.exec(argv, options);
      if (code !== 0)
        throw new BenchError(`in the guest, ${argv.join(" ").slice(0, 200)}: ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    sample: (argv) => converse((onLine) => overGuest(guest, argv, onLine)),
    stop: () => guest.stop(),
  };
}

/** They are in sessions of their own: where the scheduler shares by session first, those have to be put first as well. */
export function putFirst(root: number): void {
  for (const pid of family(root)) {
    setPriority(pid, PRIORITY);
    const session = `/proc/${pid}/autogroup`;
    if (existsSync(session)) writeFileSync(session, `${PRIORITY}`);
  }
}

/** Both lines, and what was used between. */
async function converse(
  start: (onLine: (line: string) => void) => Talking,
): Promise<{ line: string; cpuUs: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ line: string; cpuUs: number }>();
  let before: number | undefined;
  const talking = start((line) => {
    const used = cpuMicros(talking.pid);
    if (before === undefined) before = used;
    else resolve({ line, cpuUs: used - before });
    talking.say("go");
  });
  const timer = setTimeout(() => reject(new BenchError("the load did not end in time")), SAMPLE_DEADLINE_MS);
  void talking.ended.then(({ code, errors }) =>
    reject(new BenchError(`the load ended with ${code}: ${errors}`)),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await talking.ended;
  }
}

function overChild(
  child: ChildProcessWithoutNullStreams,
  pid: number,
  onLine: (line: string) => void,
): Talking {
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  child.stdout.on("data", linesTo(onLine));
  child.stdin.on("error", () => {});
  return {
    pid,
    say: (line) => void child.stdin.write(`${line}\n`),
    ended: new Promise((resolve) => {
      child.once("error", (error) => resolve({ code: 127, errors: error.message }));
      child.once("close", (code) => resolve({ code: code ?? 128, errors }));
    }),
  };
}

function overGuest(guest: Guest, argv: readonly string[], onLine: (line: string) => void): Talking {
  const lines = linesTo(onLine);
  const running = guest.spawn(argv, {
    onOutput: (chunk, stream) => {
      if (stream === "stdout") lines(chunk);
    },
  });
  return {
    pid: guest.pid,
    say: (line) => running.write(`${line}\n`),
    ended: running.done.then(({ code, stderr }) => ({ code, errors: stderr })),
  };
}

function linesTo(onLine: (line: string) => void): (chunk: Buffer) => void {
  let text = "";
  return (chunk) => {
    const parts = (text + chunk.toString()).split("\n");
    text = parts.pop() ?? "";
    for (const line of parts) onLine(line);
  };
}

/** Microseconds that a process and its descendants have run, all their threads together. */
export function cpuMicros(root: number): number {
  let nanoseconds = 0;
  for (const pid of family(root)) {
    for (const task of entriesOf(`/proc/${pid}/task`))
      nanoseconds += Number(readOr(`/proc/${pid}/task/${task}/schedstat`, "0").split(" ")[0]);
  }
  return nanoseconds / 1000;
}

function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of entriesOf("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readOr(`/proc/${entry}/stat`, "");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const all = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}

/** What has ended between two looks has no files. */
function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
