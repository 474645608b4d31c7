/** A client that asks every 10 ms who has an address, and what it was answered. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "#test/until.ts";
import type { Host } from "../network/bridge.ts";

const CHILD = fileURLToPath(new URL("./asker-child.ts", import.meta.url));

export interface Answer {
  readonly vip: string;
  /** 12 hex digits. */
  readonly hardware: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export const nowMs = (): number => performance.timeOrigin + performance.now();
const plain = (hardware: string): string => hardware.replaceAll(":", "");

export class Asker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #answers: Answer[] = [];
  #isReady = false;
  #hasEnded = false;

  private constructor(host: Pick<Host, "namespace">, vips: readonly string[], everyMs: number) {
    const command = [`--net=/run/netns/${host.namespace}`, process.execPath, CHILD, ...vips];
    const env = { ...process.env, ASK_EVERY_MS: String(everyMs) };
    this.#child = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"], env });
    this.#ended = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    void this.#ended.then(() => {
      this.#hasEnded = true;
    });
    if (this.#child.stdout === null) throw new Error("no output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as Answer | { readonly ready: true };
      if ("ready" in said) this.#isReady = true;
      else this.#answers.push(said);
    });
  }

  static async start(host: Pick<Host, "namespace">, vips: readonly string[], everyMs = 10): Promise<Asker> {
    const asker = new Asker(host, vips, everyMs);
    await until("the client to ask", () => asker.#isReady);
    return asker;
  }

  /** Throws once nobody asks any more. */
  get answers(): readonly Answer[] {
    if (this.#hasEnded) throw new Error("the client that asks has ended; what it said of it is above");
    return this.#answers;
  }

  forget(): void {
    this.#answers = [];
  }

  /** The first answer of anybody but `former` after `since`; how long after, milliseconds. */
  async firstOfAnother(
    vip: string,
    former: Host,
    { since, deadlineMs }: { since: number; deadlineMs: number },
  ): Promise<number> {
    const answer = await until(
      `another node than ${former.name} to answer for ${vip}`,
      () =>
        this.answers.find(
          (one) => one.vip === vip && one.at >= since && one.hardware !== plain(former.hardware),
        ),
      { deadlineMs },
    );
    return answer.at - since;
  }

  /** Only this one has answered for the last while. */
  async only(vip: string, owner: Host, deadlineMs = 60_000): Promise<void> {
    await until(
      `${owner.name} alone to answer for ${vip}`,
      () => {
        const recent = this.answers.filter((one) => one.vip === vip && one.at > nowMs() - 500);
        return recent.length > 10 && recent.every(({ hardware }) => hardware === plain(owner.hardware));
      },
      { deadlineMs },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
