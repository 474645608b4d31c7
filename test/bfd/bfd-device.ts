/** device.ts in a namespace: commands in, events out. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BfdChange, BfdPeer, BfdReport, BfdScheduling } from "#speaker/bfd/types.ts";
import { until } from "#test/until.ts";

const PROGRAM = fileURLToPath(new URL("./bfd-child.ts", import.meta.url));

export interface DeviceChange extends BfdChange {
  /** CLOCK_MONOTONIC when the main thread was told. */
  readonly monotonicMs: number;
}

export interface DeviceSessions {
  readonly sessions: readonly BfdReport[];
  readonly scheduling: BfdScheduling;
  readonly discards: Readonly<Record<string, number>>;
}

export interface DeviceOptions {
  readonly namespace: string;
  /** Between `ip netns exec` and node. */
  readonly wrapper?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** CLOCK_MONOTONIC, as the device's events have it. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** From a moment of Date.now() to when the thread saw the change, milliseconds. */
export const tookSince = (startedAt: number, change: BfdChange | undefined): number =>
  Date.parse(change?.at ?? "") - startedAt;

/** As the image starts the speaker; a load of 9 MB needs more memory than a speaker. */
const FLAGS = (
  process.env.BFD_NODE_FLAGS ?? "--max-semi-space-size=1 --optimize-for-size --v8-pool-size=1"
).split(" ");

export class Device {
  readonly changes: DeviceChange[] = [];
  readonly #child: ChildProcess;
  /** By event; answers come in the order of the questions. */
  readonly #waiting = new Map<string, ((event: Record<string, unknown>) => void)[]>();

  constructor({ namespace, wrapper = [], environment = {} }: DeviceOptions) {
    const node = [process.execPath, ...FLAGS, "--expose-gc", PROGRAM];
    this.#child = spawn("ip", ["netns", "exec", namespace, ...wrapper, ...node], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...environment },
    });
    if (this.#child.stdout === null) throw new Error("no output of the device");
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#read(line));
  }

  /** `ip netns exec` becomes the program, so it is the program's own; undefined: it was not started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  reconcile(peers: readonly BfdPeer[]): void {
    this.#say({ do: "reconcile", peers });
  }

  async sessions(): Promise<DeviceSessions> {
    return (await this.#ask("sessions", { do: "sessions" })) as unknown as DeviceSessions;
  }

  async report(key: string): Promise<BfdReport | undefined> {
    return (await this.sessions()).sessions.find((session) => session.key === key);
  }

  /** The main thread parses and collects until `calm`. */
  load(megabytes: number, restMs = 0): void {
    this.#say({ do: "load", megabytes, restMs });
  }

  /** How long the main thread stood still at most. */
  async calm(): Promise<number> {
    return Number((await this.#ask("calm", { do: "calm" })).longestMs);
  }

  async adminDown(): Promise<void> {
    await this.#ask("adminDown", { do: "adminDown" });
  }

  /** All of these report this state. */
  async reach(keys: readonly string[], state: BfdReport["state"], deadlineMs = 20_000): Promise<void> {
    await until(
      `${keys.join(", ")} in state ${state}`,
      async () => {
        const { sessions } = await this.sessions();
        const states = new Map(sessions.map((session) => [session.key, session.state]));
        if (keys.every((key) => states.get(key) === state)) return true;
        throw new Error(JSON.stringify(sessions));
      },
      { deadlineMs, everyMs: 100 },
    );
  }

  /** Ends by itself: a crash on the way is an error. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`the device ended with ${code ?? signal}`);
  }

  #say(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  #ask(event: string, command: object): Promise<Record<string, unknown>> {
    return new Promise((resolve) => {
      this.#waiting.set(event, [...(this.#waiting.get(event) ?? []), resolve]);
      this.#say(command);
    });
  }

  #read(line: string): void {
    if (!line.startsWith("{")) {
      // Of node itself: --trace-gc among BFD_NODE_FLAGS.
      process.stderr.write(`${line}\n`);
      return;
    }
    const message = JSON.parse(line) as { event: string; monotonicMs: number; change?: BfdChange };
    if (message.event === "error") throw new Error(line);
    if (message.change !== undefined)
      this.changes.push({ ...message.change, monotonicMs: message.monotonicMs });
    this.#waiting.get(message.event)?.shift()?.(message as unknown as Record<string, unknown>);
  }
}
