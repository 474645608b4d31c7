/** Runs programs of this machine to their end. */
import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Told what comes out, as it comes. */
  readonly onOutput?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Leave its standard input open: a command that works until its input ends goes on until `signal`. */
  readonly keepsInput?: boolean;
}

/** A program did not end with 0; `output` is all that it printed. */
export class CommandError extends Error {
  readonly code = "LAB_COMMAND";
  readonly output: string;
  constructor(argv: readonly string[], ending: string, output: string) {
    super(`${argv.join(" ").slice(0, 300)}: ${ending}${output === "" ? "" : `\n${tail(output)}`}`);
    this.output = output;
  }
}

/** The last `lines` lines of a text. */
export function tail(text: string, lines = 20): string {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

/** Resolves to standard output; throws CommandError. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program = "", ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      stdio: "pipe",
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.signal !== undefined && { signal: options.signal }),
      env: { ...process.env, ...options.environment },
    });
    let stdout = "";
    let all = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      all += chunk.toString();
      options.onOutput?.(chunk.toString());
    });
    child.stderr.on("data", (chunk: Buffer) => {
      all += chunk.toString();
      options.onOutput?.(chunk.toString());
    });
    child.once("error", (error) => reject(new CommandError(argv, error.message, "")));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(argv, signal === null ? `exit code ${code}` : `killed by ${signal}`, all));
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on("error", () => {});
    if (options.keepsInput !== true) child.stdin.end(options.input ?? "");
  });
}

/** A shell script that stops at its first failing command. */
export function runScript(script: string, options: CommandOptions = {}): Promise<string> {
  return run(["sh", "-eu", "-c", script], options);
}
