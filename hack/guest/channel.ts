/** The host's side of the guest's control channel: agent.c has the frames. */

import { connect, type Socket } from "node:net";
import { constants } from "node:os";

const TYPE = {
  start: 1,
  input: 2,
  inputEnd: 3,
  signal: 4,
  hello: 5,
  sync: 6,
  output: 7,
  errors: 8,
  exit: 9,
  synced: 10,
};
const HEADER = 12;
const CHUNK = 64 * 1024;

export interface ExecOptions {
  /** Network namespace (a name below /run/netns) to run in. */
  netns?: string;
  /** Working directory in the guest; the checkout when absent. */
  cwd?: string;
  /** Added to the guest's environment. */
  env?: Record<string, string>;
  /** Standard input; empty when absent. */
  input?: string | Uint8Array;
  /** Called with output as it comes. It is collected all the same, unless `discard` is set. */
  onOutput?: (chunk: Buffer, stream: "stdout" | "stderr") => void;
  /** Do not collect the output (long-running programs). */
  discard?: boolean;
  /** Kills the command with its process group. */
  signal?: AbortSignal;
}

export interface ExecResult {
  /** Exit code, 128 + signal number, 127 when the command could not be started. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A program that runs in the guest. */
export interface Running {
  write(input: string | Uint8Array): void;
  /** No more input. */
  end(): void;
  /** Signals the program with its process group. */
  kill(signal: NodeJS.Signals): void;
  done: Promise<ExecResult>;
}

/** Runs a program to its end with the input and the abort signal of its options. */
export async function runToEnd(running: Running, options: ExecOptions): Promise<ExecResult> {
  const kill = (): void => running.kill("SIGKILL");
  options.signal?.addEventListener("abort", kill);
  if (options.input !== undefined) running.write(options.input);
  running.end();
  if (options.signal?.aborted === true) kill();
  try {
    return await running.done;
  } finally {
    options.signal?.removeEventListener("abort", kill);
  }
}

interface Job {
  onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => void;
  onExit: (code: number) => void;
  onLost: (error: Error) => void;
}

/** The guest is gone, or the host hung up while commands ran. */
export class GuestLost extends Error {
  readonly code = "GUEST_LOST";
}

/** One connection to one port of the agent; any number of commands at a time. */
export class Channel {
  readonly #socket: Socket;
  readonly #explain: () => string;
  readonly #jobs = new Map<number, Job>();
  #pending: Buffer = Buffer.alloc(0);
  #nextJob = 1;
  #lostFor: GuestLost | undefined;

  private constructor(socket: Socket, explain: () => string) {
    this.#socket = socket;
    this.#explain = explain;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#lose(error));
    socket.on("close", () => this.#lose(undefined));
  }

  /**
   * Connects to an agent's port; undefined when nobody answers within `timeoutMs` (not booted yet, or port in use).
   * `explain` is asked for what to add to the error of a lost guest.
   */
  static async open(
    path: string,
    { timeoutMs, explain = () => "" }: { timeoutMs: number; explain?: () => string },
  ): Promise<Channel | undefined> {
    const socket = connect(path);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (!connected) return undefined;
    const channel = new Channel(socket, explain);
    const greeted = await channel.#greet(timeoutMs);
    if (greeted) return channel;
    channel.close();
    return undefined;
  }

  /** The guest has ended, or we have hung up. */
  get isLost(): boolean {
    return this.#lostFor !== undefined;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** An idle channel does not keep the process alive. */
  unref(): void {
    this.#socket.unref();
  }

  /** Has the guest write everything that lies in its caches to the host. */
  async sync(): Promise<void> {
    await this.#ask(TYPE.sync);
  }

  /** Starts a program; `done` rejects with GuestLost only. */
  spawn(
    argv: readonly string[],
    options: ExecOptions & { cwd: string; env: Record<string, string> },
  ): Running {
    const id = this.#nextJob++;
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const code = new Promise<number>((resolve, reject) => {
      this.#add(id, {
        onOutput: (chunk, stream) => {
          if (options.discard !== true) output[stream].push(chunk);
          options.onOutput?.(chunk, stream);
        },
        onExit: resolve,
        onLost: reject,
      });
    });
    // Whoever waits for `done` sees the loss; a program that nobody waits for ends with the guest.
    code.catch(() => {});
    const done = code
      .then((value) => ({ code: value, stdout: text(output.stdout), stderr: text(output.stderr) }))
      .finally(() => this.#jobs.delete(id));
    done.catch(() => {});
    this.#send(id, TYPE.start, startPayload(argv, options));
    return {
      write: (input) => {
        const bytes = Buffer.from(input);
        for (let at = 0; at < bytes.length; at += CHUNK) {
          this.#send(id, TYPE.input, bytes.subarray(at, at + CHUNK));
        }
      },
      end: () => this.#send(id, TYPE.inputEnd, Buffer.alloc(0)),
      kill: (signal) => this.#send(id, TYPE.signal, u32(constants.signals[signal])),
      done,
    };
  }

  /** qemu drops what comes before the agent has opened its port, so the greeting is repeated. */
  async #greet(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline && !this.#socket.destroyed) {
      const answer = this.#ask(TYPE.hello).then(
        () => true,
        () => false,
      );
      const pause = new Promise<boolean>((resolve) => setTimeout(resolve, 200, false));
      if (await Promise.race([answer, pause])) return true;
    }
    return false;
  }

  #ask(type: number): Promise<number> {
    const id = this.#nextJob++;
    return new Promise((resolve, reject) => {
      this.#add(id, { onOutput: () => {}, onExit: resolve, onLost: reject });
      this.#send(id, type, Buffer.alloc(0));
    }).finally(() => this.#jobs.delete(id)) as Promise<number>;
  }

  /** A job of a channel that is lost already is lost at once: nothing will ever come of it. */
  #add(id: number, job: Job): void {
    if (this.#lostFor === undefined) this.#jobs.set(id, job);
    else job.onLost(this.#lostFor);
  }

  #send(id: number, type: number, payload: Uint8Array): void {
    if (this.#lostFor !== undefined) return;
    this.#socket.write(Buffer.concat([u32(payload.length), u32(id), u32(type), payload]));
  }

  #receive(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= HEADER && rest.length >= HEADER + rest.readUInt32LE(0)) {
      const end = HEADER + rest.readUInt32LE(0);
      this.#handle(rest.readUInt32LE(4), rest.readUInt32LE(8), Buffer.from(rest.subarray(HEADER, end)));
      rest = rest.subarray(end);
    }
    this.#pending = rest;
  }

  #handle(id: number, type: number, payload: Buffer): void {
    const job = this.#jobs.get(id);
    if (type === TYPE.output) job?.onOutput(payload, "stdout");
    else if (type === TYPE.errors) job?.onOutput(payload, "stderr");
    else if (type === TYPE.exit) job?.onExit(payload.readUInt32LE(0));
    else job?.onExit(0);
  }

  #lose(cause: Error | undefined): void {
    this.#lostFor ??= new GuestLost(`the guest's control channel closed; ${this.#explain()}`, { cause });
    for (const job of this.#jobs.values()) job.onLost(this.#lostFor);
    this.#jobs.clear();
  }
}

function startPayload(
  argv: readonly string[],
  options: { netns?: string; cwd: string; env: Record<string, string> },
): Buffer {
  const strings = [options.netns ?? "", options.cwd, String(argv.length), ...argv];
  for (const [name, value] of Object.entries(options.env)) strings.push(`${name}=${value}`);
  return Buffer.from(strings.map((item) => `${item}\0`).join(""));
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}
