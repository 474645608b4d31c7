/** The device under test: the speaker's own BGP in a child process inside a namespace, told what to do line by line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SessionReport, WantedSession } from "#speaker/bgp/types.ts";

export type Wanted = ReadonlyMap<string, WantedSession>;

/** Lines to the driver. */
export type Order =
  | {
      readonly do: "reconcile";
      readonly wanted: readonly (readonly [string, WantedSession])[];
      /** Of sessions by name: as text, which a Password's JSON does not tell. */
      readonly passwords: readonly (readonly [string, string])[];
    }
  /** To every peer of the last reconcile: so many prefixes, made by the driver so that no reading of a list is measured. */
  | { readonly do: "announce"; readonly count: number }
  | { readonly do: "sessions" }
  | { readonly do: "bfdDown"; readonly peer: string }
  | { readonly do: "stop"; readonly mode: "restart" | "leave" };

/** The driver's answer to an order, one each, in order. */
export interface Answer {
  readonly sessions?: readonly SessionReport[];
  readonly error?: string;
}

const DRIVER = fileURLToPath(new URL("./bgp-device-child.ts", import.meta.url));
/** As the image starts the speaker. */
const FLAGS = [
  "--max-semi-space-size=1",
  "--optimize-for-size",
  "--max-old-space-size=192",
  "--v8-pool-size=1",
];

export class Device {
  readonly #child: ChildProcess;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  readonly #log: string[] = [];

  constructor(namespace: string) {
    this.#child = spawn("ip", ["netns", "exec", namespace, process.execPath, ...FLAGS, DRIVER], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, MALLOC_ARENA_MAX: "1" },
    });
    for (const [stream, take] of [
      [this.#child.stdout, (line: string) => this.#waiting.shift()?.(JSON.parse(line) as Answer)],
      [this.#child.stderr, (line: string) => this.#log.push(line)],
    ] as const) {
      if (stream) createInterface({ input: stream }).on("line", take);
    }
    this.#child.on("exit", () => {
      for (const give of this.#waiting.splice(0))
        give({ error: `the driver has ended: ${this.log().slice(-2_000)}` });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  log(): string {
    return this.#log.join("\n");
  }

  async reconcile(wanted: Wanted): Promise<void> {
    const passwords = [...wanted].flatMap(([name, { settings }]): [string, string][] =>
      settings.password === undefined ? [] : [[name, settings.password.reveal()]],
    );
    await this.#order({ do: "reconcile", wanted: [...wanted], passwords });
  }

  async announce(count: number): Promise<void> {
    await this.#order({ do: "announce", count });
  }

  async sessions(): Promise<readonly SessionReport[]> {
    return (await this.#order({ do: "sessions" })).sessions ?? [];
  }

  async bfdDown(peer: string): Promise<void> {
    await this.#order({ do: "bfdDown", peer });
  }

  /** Stops by the book and waits for the process to end. */
  async stop(mode: "restart" | "leave"): Promise<void> {
    if (this.#hasEnded()) return;
    const ended = once(this.#child, "exit");
    await this.#order({ do: "stop", mode });
    await ended;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    if (this.#hasEnded()) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #order(order: Order): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.push(resolve);
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const answer = await promise;
    if (answer.error !== undefined) throw new Error(`${order.do}: ${answer.error}`);
    return answer;
  }
}
