/** Programs for tests to their end, and what hack/common/networks.ts says, done on this machine. */
import { spawnSync } from "node:child_process";
import { removeNamespaceLine } from "#hack/common/networks.ts";

/** Runs a program, gives its standard output; throws with what it said when it fails. */
export function run(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error) throw new Error(`${program}: ${result.error.message}`, { cause: result.error });
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(" ")}: exit ${result.status}: ${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}

/** Runs several ip(8) commands, one a line. */
export function ip(commands: string): void {
  for (const line of commands.split("\n").map((text) => text.trim())) {
    if (line) run("ip", ...line.split(/\s+/));
  }
}

/** Runs lines of shell; the first that fails ends them, and is named. */
export function build(...lines: readonly (string | readonly string[])[]): void {
  run("sh", "-euxc", lines.flat().join("\n"));
}

/** Whether they are there or not. */
export function removeNamespaces(names: Iterable<string>): void {
  build([...names].map(removeNamespaceLine));
}
