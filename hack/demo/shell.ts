/** Runs the lab's command and kubectl for the demo, and says in plain words what happens. */
import { join } from "node:path";
import { type CommandOptions, run as runCommand } from "#hack/common/command.ts";

export const ROOT = new URL("../../", import.meta.url).pathname;
const LAB = [join(ROOT, "hack/lab/main.ts")];

export type RunOptions = CommandOptions;

/** Standard output of a command, run in the checkout; throws CommandError. */
export const run = (argv: readonly string[], options: RunOptions = {}): Promise<string> =>
  runCommand(argv, { cwd: ROOT, ...options });

/** The lab's command (`npm run lab -- ...`), of the demo's instance. */
export const lab = (argv: readonly string[], options: RunOptions = {}): Promise<string> =>
  run([process.execPath, ...LAB, ...argv], options);

export interface Kubectl {
  (argv: readonly string[], options?: RunOptions): Promise<string>;
  json<T>(argv: readonly string[]): Promise<T>;
}

/** kubectl as `npm run lab -- env` would give it to a user. */
export async function labKubectl(): Promise<{ kubectl: Kubectl; exports: string }> {
  const exports = await lab(["env"]);
  const environment: Record<string, string> = {};
  for (const line of exports.split("\n")) {
    const found = /^export (\w+)="?([^"]*)"?$/.exec(line.trim());
    if (found?.[1] !== undefined && found[2] !== undefined) {
      environment[found[1]] = found[2].replaceAll("$PATH", process.env.PATH ?? "");
    }
  }
  const kubectl = ((argv, options = {}) =>
    run([join(ROOT, ".lab/bin/kubectl"), ...argv], { ...options, environment })) as Kubectl;
  kubectl.json = async <T>(argv: readonly string[]) =>
    JSON.parse(await kubectl([...argv, "-o", "json"])) as T;
  return { kubectl, exports };
}

const started = performance.now();
const bold = (text: string): string => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);

/** A step of the demo: numbered, with the time since the start. */
let steps = 0;
export function step(text: string): void {
  steps += 1;
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(`\n${bold(`${steps}. ${text}`)}  (${seconds} s)\n`);
}

export function say(text: string): void {
  process.stdout.write(`   ${text.trimEnd().replaceAll("\n", "\n   ")}\n`);
}

/** Waits until `check` gives a value; says `what` was waited for, and what was last seen, where it never does. */
export async function waitFor<T>(
  what: string,
  check: () => Promise<T | undefined>,
  { seconds }: { seconds: number },
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  let last: unknown;
  let said = performance.now();
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${seconds} s for ${what}`, { cause: last });
    }
    if (performance.now() - said > 10_000) {
      said = performance.now();
      say(`... still waiting for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
