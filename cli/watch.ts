/** `--watch`: asks again and again, and prints what is different. */
import { printable } from "#api/printable.ts";
import type { Answer, ExitCode } from "#cli/answer.ts";
import { type Format, rendered } from "#cli/rendered.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";

export interface WatchOptions {
  readonly look: () => Promise<Answer>;
  readonly format: Format;
  /** What is shown before is wiped away; else it stays above, for a file or a program. */
  readonly isTerminal: boolean;
  readonly clock: Pick<Clock, "now" | "sleep">;
  /** To standard output, and to standard error. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** Lists of thousands take seconds: four fifths of the time the API server rests. */
const EVERY_MS = 2_000;
const REST = 4;
/** Cursor to the beginning, and everything from there away (ECMA-48). */
const WIPE = "\u001b[H\u001b[2J";

/** Until `signal` aborts: the last answer's exit code. Rejects if the first look has no answer; later ones are tried again. */
export async function watch(options: WatchOptions, signal: AbortSignal): Promise<ExitCode> {
  const { look, format, isTerminal, clock, print, complain } = options;
  let began = clock.now();
  let last = await look();
  let shown: string | undefined;
  let failure = "";
  for (;;) {
    // Ages grow by themselves: that is worth a new line to nobody but who sees it in place of the old one.
    const key = isTerminal && format === "table" ? last.text : JSON.stringify(last.value);
    if (key !== shown) print(`${isTerminal && format === "table" ? WIPE : ""}${document(last, format)}`);
    shown = key;
    const took = clock.now() - began;
    await clock.sleep(Math.max(EVERY_MS, took * REST), signal);
    if (signal.aborted) return last.exitCode;
    began = clock.now();
    try {
      last = await look();
      failure = "";
    } catch (error) {
      const text = printable(errorText(error));
      // Said once, while it stays the same.
      if (text !== failure) complain(`${text}\n`);
      failure = text;
    }
  }
}

/** One after the other they have to be told apart: JSON stands in one line, YAML begins with its mark. */
function document(answer: Answer, format: Format): string {
  if (format === "json") return `${printable(JSON.stringify(answer.value))}\n`;
  return format === "yaml" ? `---\n${rendered(answer, format)}` : rendered(answer, format);
}
