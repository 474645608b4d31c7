/** The genkan command while it goes on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "#test/integration/command.ts";
import { until } from "#test/until.ts";

/**
 * Runs `genkan ARGV --watch -o json`; once the first document is there `change` is made, and after the second one the
 * command is ended as Ctrl-C does. Its documents, and its exit code.
 */
export async function watchOnce(
  argv: readonly string[],
  change: () => Promise<unknown>,
): Promise<{ readonly documents: readonly unknown[]; readonly code: number | null }> {
  const child = spawn(process.execPath, ["cli/main.ts", ...argv, "--watch", "-o", "json"], { cwd: ROOT });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.pipe(process.stderr);
  const ended = once(child, "close");
  const lines = (): string[] => out.split("\n").slice(0, -1);
  const deadline = { deadlineMs: 60_000, everyMs: 100 };
  try {
    await until("the first document", () => lines().length >= 1, deadline);
    await change();
    await until("the second document", () => lines().length >= 2, deadline);
    child.kill("SIGINT");
    const [code] = (await ended) as [number | null];
    return { documents: lines().map((line) => JSON.parse(line)), code };
  } finally {
    child.kill("SIGKILL");
  }
}
