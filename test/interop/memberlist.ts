/** A member as hashicorp/memberlist makes it: the Go program beside, built from its pinned module when it changed. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { say } from "#hack/common/progress.ts";
import { ensureGo } from "#hack/lab/programs.ts";
import { until } from "#test/until.ts";

const SOURCE = join(import.meta.dirname, "memberlist");

/** Path of the program. */
export async function buildMemberlist(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(SOURCE)).sort()) hash.update(await readFile(join(SOURCE, file)));
  const directory = join(LAB_DIRECTORY, "bin");
  const program = join(directory, `memberlist-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  say("building memberlist from its Go module (a minute the first time)");
  const draft = `${program}.${process.pid}`;
  const environment = { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
  await run([await ensureGo(say), "build", "-o", draft, "."], { cwd: SOURCE, environment });
  await rename(draft, program);
  return program;
}

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
