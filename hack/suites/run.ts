/** Runs suites by Node's own runner, with test/end.ts preloaded and within their time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { REPORTERS } from "#hack/common/reporters.ts";
import { RUNNER } from "#hack/common/runner.ts";
import { pureFiles } from "#hack/suites/pure.ts";
import { filesOf, type Suite } from "#hack/suites/suites.ts";

export interface Outcome {
  readonly passed: boolean;
  /** Somebody asked for the end by a signal: nothing more should run. */
  readonly isInterrupted: boolean;
  readonly seconds: number;
  /** All that the runs printed. */
  readonly output: string;
  /** Seconds by file, where each file had a run of its own. */
  readonly byFile: Readonly<Record<string, number>>;
}

export interface Job {
  readonly argv: readonly string[];
  /** Of a job for one file. */
  readonly file?: string;
}

/** Most of the time of a small test is to make JavaScript of TypeScript: what one process did the next ones need not do. */
const COMPILED = join(CHECKOUT, "build/compile-cache");
/**
 * A network and a mount namespace for the program that follows, with /sys and /run/netns of that network. Cgroups stay
 * those of the machine.
 */
const APART = `mount --make-rprivate /
kept=$(mktemp -d) && mount --rbind /sys/fs/cgroup $kept && mount -t sysfs sysfs /sys &&
  mount --rbind $kept /sys/fs/cgroup && umount -l $kept; rmdir $kept
mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
ip link set lo up
exec "$@"`;

/** The runs that a suite is made of: one, or one for each file; `pure` are those of them that share processes. Pure. */
export function jobsOf(suite: Suite, files: readonly string[], pure: readonly string[] = []): Job[] {
  if (suite.sharing !== "apart") {
    const others = files.filter((file) => !pure.includes(file));
    const count = suite.sharedProcesses ?? 1;
    const runs = [
      { setting: `--test-concurrency=${suite.atOnce}`, its: others },
      ...Array.from({ length: count }, (_, process) => ({
        setting: "--test-isolation=none",
        its: pure.filter((_file, at) => at % count === process),
      })),
    ].filter(({ its }) => its.length > 0);
    return runs.map(({ setting, its }) => ({ argv: ["node", ...RUNNER, ...REPORTERS, setting, ...its] }));
  }
  return files.map((file) => ({
    argv: [
      "unshare",
      "-n",
      "-m",
      "sh",
      "-c",
      APART,
      "sh",
      "node",
      ...RUNNER,
      ...REPORTERS,
      "--test-concurrency=1",
      file,
    ],
    file,
  }));
}

export interface RunOptions {
  /** Whatever else runs on this machine comes first. */
  readonly givesWay?: boolean;
}

/**
 * Those that do not give way get ten times as much of a processor. Where the kernel shares by session first, a session's
 * own niceness counts; it is the one that the job is started in.
 */
const GIVING_WAY = [
  ...["nice", "-n", "10", "sh", "-c"],
  '{ echo 10 >/proc/self/autogroup; } 2>/dev/null; exec "$@"',
  "sh",
];

/** `tell` gets what a run prints: as it comes where there is one run, and each in one piece where there are several. */
export async function runSuite(
  suite: Suite,
  tell: (text: string) => void,
  { givesWay = false }: RunOptions = {},
): Promise<Outcome> {
  const began = performance.now();
  const end = began + suite.limitMinutes * 60_000;
  const pure = suite.sharedProcesses === undefined ? [] : pureFiles(CHECKOUT);
  const jobs = jobsOf(suite, filesOf(suite, CHECKOUT), pure).map((job) =>
    givesWay ? { ...job, argv: [...GIVING_WAY, ...job.argv] } : job,
  );
  const isOne = jobs.length === 1;
  const queue = jobs.values();
  const byFile: Record<string, number> = {};
  let passed = true;
  let isInterrupted = false;
  let output = "";
  const work = async (): Promise<void> => {
    for (const job of queue) {
      if (isInterrupted) return;
      const beganJob = performance.now();
      const result = await runJob(job, end - beganJob, isOne ? tell : () => {});
      if (!isOne) tell(result.output);
      output += result.output;
      passed &&= result.passed;
      isInterrupted ||= result.isInterrupted;
      if (job.file !== undefined) byFile[job.file] = (performance.now() - beganJob) / 1000;
    }
  };
  await Promise.all(Array.from({ length: suite.sharing === "apart" ? suite.atOnce : jobs.length }, work));
  return { passed, isInterrupted, seconds: (performance.now() - began) / 1000, output, byFile };
}

/** Ends the run and all that it started when `limitMs` are over. */
export async function runJob(
  { argv, file }: Job,
  limitMs: number,
  tell: (text: string) => void,
): Promise<Pick<Outcome, "passed" | "isInterrupted" | "output">> {
  const [program = "", ...rest] = argv;
  // A group of its own, so that all of it can be ended.
  const child = spawn(program, rest, {
    cwd: CHECKOUT,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env },
  });
  let output = file === undefined ? "" : `${file}\n`;
  const hear = (text: string): void => {
    output += text;
    tell(text);
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", hear);
  const kill = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  let isInterrupted = false;
  const passOn = (signal: NodeJS.Signals): void => {
    isInterrupted = true;
    kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, passOn);
  let isLate = false;
  const timer = setTimeout(
    () => {
      isLate = true;
      hear(`✖ ${file ?? "the suite"} hangs: ended after its time (${Math.round(limitMs)}ms)\n`);
      kill("SIGTERM");
      // Whoever has not cleaned up by then does not.
      setTimeout(kill, 20_000, "SIGKILL").unref();
    },
    Math.max(0, limitMs),
  );
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { passed: code === 0 && !isLate, isInterrupted, output };
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, passOn);
  }
}
