/** Two hosts at the ends of a cable: the owner of addresses, and another station. Namespaces of this process' own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { cableLines, type End as NetworkEnd, namespaceLines } from "#hack/common/networks.ts";
import { build, removeNamespaces } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

export type End = "owner" | "other";
const PROGRAMS = new URL("../layer2/", import.meta.url);
export const HARDWARE = { owner: "02:00:00:00:0a:01", other: "02:00:00:00:0c:01" } as const;

/** The owner announces without having any. */
const OTHER_ALONE = { owner: [], other: ["10.9.0.1/16"] };

export class Cable {
  readonly #names: Readonly<Record<End, string>>;
  readonly #t: TestContext;

  constructor(
    t: TestContext,
    name: string,
    addresses: Readonly<Record<End, readonly string[]>> = OTHER_ALONE,
  ) {
    this.#t = t;
    this.#names = { owner: `gk${name}o-${process.pid}`, other: `gk${name}t-${process.pid}` };
    const remove = (): void => removeNamespaces(Object.values(this.#names));
    remove();
    t.after(remove);
    const end = (which: End): NetworkEnd => ({
      namespace: this.#names[which],
      link: "eth0",
      hardware: HARDWARE[which],
      addresses: addresses[which],
    });
    build(
      Object.values(this.#names).flatMap((one) => namespaceLines(one)),
      cableLines(end("owner"), end("other")),
    );
  }

  namespace(end: End): string {
    return this.#names[end];
  }

  /** What the command says on standard output, whatever its exit code. */
  run(end: End, ...command: string[]): string {
    return spawnSync("ip", ["netns", "exec", this.#names[end], ...command], { encoding: "utf8" }).stdout;
  }

  /** A program of test/layer2; `say` writes a line and resolves when a line that begins with `answer` has come. */
  start(end: End, file: string, ...options: string[]): Program {
    const path = fileURLToPath(new URL(file, PROGRAMS));
    const child = spawn(
      "nsenter",
      [`--net=/run/netns/${this.#names[end]}`, process.execPath, path, ...options],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    this.#t.after(() => child.kill());
    return new Program(child);
  }

  /** All that tcpdump prints, as it comes. Resolves when it listens. */
  async capture(end: End, filter: string): Promise<() => string> {
    const options = "tcpdump -n -e -l --immediate-mode -B 16384 -i eth0".split(" ");
    const child = spawn("ip", ["netns", "exec", this.#names[end], ...options, filter]);
    this.#t.after(() => child.kill());
    let [heard, errors] = ["", ""];
    child.stdout.on("data", (data) => {
      heard += data;
    });
    child.stderr.on("data", (data) => {
      errors += data;
    });
    await until("tcpdump to listen", () => errors.includes("listening"));
    return () => heard;
  }
}

export class Program {
  readonly #child: ChildProcess;
  #said = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (data) => {
      this.#said += data;
    });
  }

  /** All that it said so far. */
  get said(): string {
    return this.#said;
  }

  async say(line: string, answer: string): Promise<void> {
    const count = (): number => this.#said.split("\n").filter((one) => one.startsWith(answer)).length;
    const before = count();
    this.#child.stdin?.write(`${line}\n`);
    await until(`"${answer}"`, () => count() > before, { deadlineMs: 30_000 });
  }
}
