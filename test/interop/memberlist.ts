/** A member as hashicorp/memberlist makes it: the Go program beside, built from its pinned module when it changed. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { buildGoProgram } from "#test/go-program.ts";
import { until } from "#test/until.ts";

const SOURCE = join(import.meta.dirname, "memberlist");

/** Path of the program. */
export const buildMemberlist = (): Promise<string> => buildGoProgram(SOURCE);

export interface MemberlistOptions {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly label: string;
  readonly compress: boolean;
  /** The first one writes. */
  readonly keys: readonly Uint8Array[];
}

/** What it tells of others, and of commands. */
export interface MemberlistWord {
  readonly event: "ready" | "join" | "leave" | "update" | "done" | "members";
  readonly name?: string;
  readonly of?: string;
  readonly error?: string;
  readonly names?: readonly string[];
}

export class Memberlist {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly words: MemberlistWord[] = [];
  #log = "";

  private constructor(program: string, { keys, ...options }: MemberlistOptions) {
    const hex = keys.map((key) => Buffer.from(key).toString("hex"));
    const config = JSON.stringify({ ...options, keys: hex, probeMs: 300 });
    this.#child = spawn(program, ["member", config], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.on("data", (text) => {
      this.#log = `${this.#log}${text}`.slice(-20_000);
    });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => this.words.push(JSON.parse(line) as MemberlistWord));
  }

  static async start(options: MemberlistOptions): Promise<Memberlist> {
    const member = new Memberlist(await buildMemberlist(), options);
    await member.heard({ event: "ready" });
    return member;
  }

  /** Its log's end. */
  get log(): string {
    return this.#log;
  }

  /** Waits for a word that has these parts. */
  heard(wanted: Partial<MemberlistWord>, deadlineMs = 10_000): Promise<MemberlistWord> {
    return until(
      `memberlist's word ${JSON.stringify(wanted)}`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`memberlist has ended: ${this.#log}`);
        return this.words.find((word) =>
          Object.entries(wanted).every(([key, value]) => word[key as keyof MemberlistWord] === value),
        );
      },
      { deadlineMs },
    );
  }

  /** Resolves when it was done, to the error if there was one. */
  async command(word: string, rest = ""): Promise<string | undefined> {
    const before = this.words.length;
    this.#child.stdin.write(`${word} ${rest}\n`);
    const done = await until(`memberlist's ${word}`, () =>
      this.words.slice(before).find(({ event, of }) => event === "done" && of === word),
    );
    return done.error;
  }

  async names(): Promise<readonly string[]> {
    const before = this.words.length;
    this.#child.stdin.write("members\n");
    const found = await until("memberlist's members", () =>
      this.words.slice(before).find(({ event }) => event === "members"),
    );
    return [...(found.names ?? [])].sort();
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
