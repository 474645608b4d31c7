/** What failed, out of what Node's runner prints with REPORTERS: reporter "spec" repeats failures after this line. */
const HEADING = /^✖ failing tests:$/m;
/** A line of reporter.ts. */
const ENDING = /^.* ended (?:by SIG[A-Z]+|with exit code \d+)$/gm;
/** Lines that are repeated of one run's failures: a test that compares large objects prints thousands. */
const MAX_LINES = 60;

/** How files ended that crashed, and what each run says of its failures; "" if nothing failed. Pure. */
export function failuresOf(output: string): string {
  const endings = new Set(output.match(ENDING));
  return [...endings, ...sections(output).map(shortened)].join("\n");
}

/** Names of tests, or of files that ended badly, each once. Pure. */
export function failuresIn(output: string): string[] {
  const names = sections(output)
    .flatMap((part) => [...part.matchAll(/^ *✖ (.*) \([\d.]+ms\)$/gm)])
    .map(([, name = ""]) => name);
  return [...new Set(names)];
}

function sections(output: string): string[] {
  return (
    output
      .split(HEADING)
      .slice(1)
      // What follows belongs to the next run, whose own failures are repeated in its turn.
      .flatMap((part) => part.split(/^(?:ℹ tests \d+|\S+\.test\.ts)$/m).slice(0, 1))
      .map((part) => part.trim())
  );
}

function shortened(text: string): string {
  const lines = text.split("\n");
  if (lines.length <= MAX_LINES) return text;
  return [...lines.slice(0, MAX_LINES), `... ${lines.length - MAX_LINES} more lines are above`].join("\n");
}
