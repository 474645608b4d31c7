/** The kernel that the data plane is tested on: this one where it has ip_vs, else a guest's. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { type ExecOptions, type ExecResult, type Running, runToEnd } from "#hack/guest/channel.ts";
import { type GuestOptions, startGuest } from "#hack/guest/guest.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";

export interface Machine {
  /** True when the commands run in a guest, whose eth0 is the tap that was asked for. */
  readonly isGuest: boolean;
  /** True when every instruction is emulated: times say nothing there. */
  readonly isEmulated: boolean;
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  spawn(argv: readonly string[], options?: ExecOptions): Running;
  stop(): Promise<void>;
}

/** A command of a test's own arrangement failed. */
export class CommandFailed extends Error {
  readonly code = "COMMAND_FAILED";
}

/** Opens the machine; says on standard error why it is a guest. */
export async function openMachine(options: GuestOptions = {}): Promise<Machine> {
  if (hasIpvs()) return hostMachine();
  const guest = await startGuest({ progress: (line) => console.error(line), ...options });
  const { kind, description } = guest.kernel;
  console.error(`this kernel has no ip_vs (or no mh, ipip, ip6_tunnel): in a guest, ${description}`);
  const { exec, spawn, stop } = guest;
  return { isGuest: true, isEmulated: kind === "qemu", exec, spawn, stop };
}

/** Runs a shell script (`sh -e`) and returns its output; throws CommandFailed with its errors. */
export async function script(machine: Machine, text: string, options: ExecOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await machine.exec(["sh", "-e"], { ...options, input: text });
  if (code === 0) return stdout;
  throw new CommandFailed(`script ended with ${code}: ${stderr || stdout}\n${text.slice(0, 2000)}`);
}

function hostMachine(): Machine {
  const running = new Set<Running>();
  const start = (argv: readonly string[], options: ExecOptions = {}): Running => {
    const process_ = hostProcess(argv, options);
    running.add(process_);
    process_.done.finally(() => running.delete(process_)).catch(() => {});
    return process_;
  };
  return {
    isGuest: false,
    isEmulated: false,
    exec: (argv, options = {}) => runToEnd(start(argv, options), options),
    spawn: start,
    stop: async () => {
      for (const process_ of running) process_.kill("SIGKILL");
      await Promise.all([...running].map((process_) => process_.done.catch(() => {})));
    },
  };
}

function hostProcess(argv: readonly string[], options: ExecOptions): Running {
  const enter = options.netns === undefined ? [] : ["nsenter", `--net=/run/netns/${options.netns}`, "--"];
  const [command = "", ...rest] = [...enter, ...argv];
  const child = spawn(command, rest, {
    cwd: options.cwd ?? CHECKOUT,
    env: { ...process.env, ...options.env },
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      if (options.discard !== true) output[stream] += chunk.toString();
      options.onOutput?.(chunk, stream);
    });
  }
  child.stdin.on("error", () => {});
  const done = new Promise<ExecResult>((resolve) => {
    child.once("error", (error) => resolve({ code: 127, stdout: "", stderr: error.message }));
    child.once("close", (code, signal) =>
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), ...output }),
    );
  });
  return {
    write: (input) => void child.stdin.write(input),
    end: () => void child.stdin.end(),
    kill: (signal) => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
    },
    done,
  };
}
