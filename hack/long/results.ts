/** What many runs of the tests say: counted, and told as a page. Pure. */

export interface Run {
  readonly suite: string;
  readonly seconds: number;
  /** Names of the tests that failed; empty if all passed. */
  readonly failed: readonly string[];
}

export interface Circumstances {
  readonly commit: string;
  readonly kernel: string;
  readonly cores: number;
  /** Where what needs ip_vs ran. */
  readonly place: string;
  readonly began: Date;
  readonly ended: Date;
}

/** Names of failed tests in what node's spec reporter printed, outermost first, each once. */
export function failedTests(output: string): string[] {
  const names = new Set<string>();
  for (const line of output.split("\n")) {
    const name = /^\s*✖ (.+) \([\d.]+ms\)$/.exec(line)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

interface Row {
  readonly suite: string;
  readonly seconds: readonly number[];
  readonly failures: number;
}

function rowsOf(runs: readonly Run[]): Row[] {
  const suites = [...new Set(runs.map(({ suite }) => suite))];
  return suites.map((suite) => {
    const mine = runs.filter((run) => run.suite === suite);
    return {
      suite,
      seconds: mine.map(({ seconds }) => seconds).sort((a, b) => a - b),
      failures: mine.filter(({ failed }) => failed.length > 0).length,
    };
  });
}

/** Test -> in how many runs it failed, the most frequent first. */
function failureCounts(runs: readonly Run[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { suite, failed } of runs) {
    for (const name of failed) {
      const key = `${suite}: ${name}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

const stamp = (date: Date): string => date.toISOString().slice(0, 16).replace("T", " ");

/** docs/results/test-long.md. */
export function page(
  runs: readonly Run[],
  { commit, kernel, cores, place, began, ended }: Circumstances,
): string {
  const rows = rowsOf(runs).map(({ suite, seconds, failures }) => {
    const [least, most] = [seconds[0] ?? 0, seconds.at(-1) ?? 0];
    const middle = seconds[Math.floor(seconds.length / 2)] ?? 0;
    return `| ${suite} | ${seconds.length} | ${failures} | ${least.toFixed(0)} | ${middle.toFixed(0)} | ${most.toFixed(0)} |`;
  });
  const failures = failureCounts(runs).map(([name, count]) => `- ${count} x ${name}`);
  return `# The last \`make test-long\`

Commit ${commit}, from ${stamp(began)} to ${stamp(ended)} UTC, ${cores} cores, Linux ${kernel}; ${place}.

| tests | runs | with a failure | shortest, s | median, s | longest, s |
|---|---|---|---|---|---|
${rows.join("\n")}

${failures.length === 0 ? "No test failed." : `Failed:\n\n${failures.join("\n")}`}
`;
}
