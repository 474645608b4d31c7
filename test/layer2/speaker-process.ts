/** The real speaker as a plain process in a host's network namespace. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "#test/until.ts";
import type { Host } from "../network/bridge.ts";

/** Words of a command that every speaker is started by, so that whole suites look at it under a tool or a profile. */
export const SPEAKER_UNDER = (process.env.SPEAKER_UNDER ?? "").split(" ").filter((word) => word !== "");
const MAIN = fileURLToPath(new URL("../../speaker/main.ts", import.meta.url));

export interface LogRecord {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export class SpeakerProcess implements AsyncDisposable {
  readonly host: Host;
  readonly logs: LogRecord[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  hasEnded = false;

  /** `without`: capabilities that the process does not get, for example ["net_raw"]; `under`: what starts it. */
  constructor(
    host: Host,
    kubeconfig: string,
    without: readonly string[] = [],
    under: readonly string[] = SPEAKER_UNDER,
  ) {
    this.host = host;
    const list = without.map((name) => `-${name}`).join(",");
    const limited = list === "" ? [] : ["setpriv", `--inh-caps=${list}`, `--bounding-set=${list}`];
    // nsenter replaces itself, so that signals reach the speaker; `ip netns exec` would mount /sys anew.
    const command = [`--net=/run/netns/${host.namespace}`, ...limited, ...under, process.execPath, MAIN];
    this.#child = spawn("nsenter", command, {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        KUBECONFIG: kubeconfig,
        NODE_NAME: host.name,
        POD_NAMESPACE: "genkan-system",
        METRICS_ACCESS: "Loopback",
      },
    });
    this.#ended = new Promise((resolve) =>
      this.#child.once("exit", () => {
        this.hasEnded = true;
        resolve();
      }),
    );
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#read(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Addresses announced since the start, in order. */
  announced(): string[] {
    return this.logs.filter(({ msg }) => msg === "address announced").map(({ ip }) => String(ip));
  }

  said(message: string): boolean {
    return this.logs.some(({ msg }) => msg.includes(message));
  }

  async started(): Promise<this> {
    await until(`the speaker of ${this.host.name} to start`, () => this.said("speaker started"));
    return this;
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.hasEnded) this.#child.kill(signal);
    await this.#ended;
  }

  /** Resolves when the process has ended by itself. */
  ended(): Promise<void> {
    return this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end("SIGKILL");
  }

  #read(line: string): void {
    if (process.env.SPEAKER_LOGS !== undefined) process.stderr.write(`${line}\n`);
    try {
      this.logs.push(JSON.parse(line) as LogRecord);
    } catch {
      // Not a record: an uncaught error's text. It is what a failing test wants to show.
      this.logs.push({ level: "error", msg: line });
    }
  }
}
