/** Programs inside a namespace: a router that runs until it is stopped, and commands with their output. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs a command in the namespace and resolves to its standard output; rejected when it fails. */
export async function output(namespace: string, program: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("ip", ["netns", "exec", namespace, program, ...args], { maxBuffer: 1 << 28 });
  return stdout;
}

export interface DaemonOptions {
  readonly namespace: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** Standard output and error go here. */
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program that stays in the foreground. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor({ namespace, command, logFile, environment = {} }: DaemonOptions) {
    const log = openSync(logFile, "a");
    this.#logFile = logFile;
    this.#child = spawn("ip", ["netns", "exec", namespace, ...command], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...environment },
    });
    closeSync(log);
  }

  /** `ip netns exec` becomes the program, so it is the program's own. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Throws with the end of its log when it has ended. */
  checkAlive(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`${this.#child.spawnargs.join(" ")} has ended: ${this.log().slice(-2_000)}`);
  }

  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }
}
