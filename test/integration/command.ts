/** A program run to its end, with what it wrote. */
import { spawn } from "node:child_process";

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

/** The genkan command. */
export const genkan = (argv: readonly string[], input?: string): Promise<Ran> =>
  run(process.execPath, ["cli/main.ts", ...argv], input);
