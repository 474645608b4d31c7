/** Which tests failed, out of what Node's reporter "spec" prints: it repeats them after this line. */
const HEADING = /^✖ failing tests:$/m;

/** Names of tests, or of files that ended badly, each once. Pure. */
export function failuresIn(output: string): string[] {
  const names = output
    .split(HEADING)
    .slice(1)
    // What follows belongs to the next run, whose own failures are repeated in its turn.
    .flatMap((part) => part.split(/^ℹ tests \d+$/m).slice(0, 1))
    .flatMap((part) => [...part.matchAll(/^ *✖ (.*) \([\d.]+ms\)$/gm)])
    .map(([, name = ""]) => name);
  return [...new Set(names)];
}
