/** A program run to its end, with what it wrote. */
import { spawn } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BUILD } from "#common/version.ts";
import { bundleCli } from "#hack/release/cli.ts";

export const ROOT = new URL("../../", import.meta.url).pathname;
export const KUBECTL = `${ROOT}.lab/bin/kubectl`;

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** At the root of the repository. */
export async function run(program: string, argv: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(program, argv, { cwd: ROOT });
  const texts = { out: "", err: "" };
  for (const [name, stream] of [
    ["out", child.stdout],
    ["err", child.stderr],
  ] as const) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, ...texts };
}

let built: Promise<string> | undefined;

/** As one file, as it is released: from hundreds of source files it computes for half a second more each time. */
async function build(): Promise<string> {
  const directory = join(ROOT, "build/tests");
  const own = join(directory, String(process.pid));
  const file = join(directory, "genkan.mjs");
  // In one step, because other tests run it meanwhile.
  await rename(await bundleCli(own, BUILD), file);
  await rm(own, { recursive: true });
  return file;
}

/** The genkan command. */
export async function genkan(argv: readonly string[], input?: string): Promise<Ran> {
  built ??= build();
  return run(process.execPath, [await built, ...argv], input);
}
