/** Runs the commands of a page, as a reader would: its fenced blocks of `sh`, under a heading, in lists as well. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The `sh` blocks between the heading and the next one, in their order. Throws where there is no such heading. */
export function commandsOf(page: string, heading: string): string[] {
  const lines = readFileSync(join(ROOT, page), "utf8").split("\n");
  const from = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (from === -1) throw new Error(`${page} has no heading "${heading}"`);
  const blocks: string[] = [];
  let block: string[] | undefined;
  // Of the block, where it belongs to a step of a list.
  let indent = 0;
  for (const line of lines.slice(from + 1)) {
    if (block === undefined && /^#+ /.test(line)) break;
    const text = line.slice(indent);
    if (block === undefined && line.trimStart() === "```sh") {
      block = [];
      indent = line.indexOf("`");
    } else if (block !== undefined && text === "```") {
      blocks.push(block.join("\n"));
      block = undefined;
      indent = 0;
    } else block?.push(text);
  }
  return blocks;
}

/** The `yaml` blocks of a page, as manifests. */
export function manifestsOf(page: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block).join("---\n");
}

export interface Reader {
  readonly kubeconfig: string;
  /** Where the commands run; the checkout if nothing is said. */
  readonly directory?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Standard output. Rejects at the first command that fails. */
export async function runBlock(
  block: string,
  { kubeconfig, directory = ROOT, env }: Reader,
): Promise<string> {
  const path = `${join(ROOT, ".lab/bin")}:${process.env.PATH ?? ""}`;
  const options = { cwd: directory, env: { ...process.env, ...env, PATH: path, KUBECONFIG: kubeconfig } };
  // What docs/cli.md says for a checkout; scripts know no alias.
  const genkan = `genkan() { node "${join(ROOT, "cli/main.ts")}" "$@"; }`;
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", `${genkan}\n${block}`], options))
    .stdout;
}
