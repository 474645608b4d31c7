/** What a run of the probe says about an outage; pure. */

export interface ProbeResult {
  /** Milliseconds since the epoch, when the request began. */
  readonly at: number;
  readonly ok: boolean;
  readonly took: number;
  readonly pod?: string;
  readonly node?: string;
  readonly client?: string;
  readonly error?: string;
}

export interface Outage {
  readonly asked: number;
  readonly failed: number;
  /** From the cut to the first request, begun after it, that was answered; undefined where none was. */
  readonly answeredAfter: number | undefined;
  /** From the cut to the end of the last failed request; 0 where none failed. */
  readonly lastFailureAfter: number;
}

/** Sums up the requests that began at or after `cutAt` (ms since the epoch). */
export function summarize(results: readonly ProbeResult[], cutAt: number): Outage {
  const after = results.filter((result) => result.at >= cutAt).sort((a, b) => a.at - b.at);
  const failed = after.filter((result) => !result.ok);
  const firstFailed = failed[0]?.at;
  const answered = after.find(
    (result) => result.ok && (firstFailed === undefined || result.at > firstFailed),
  );
  const last = failed.at(-1);
  return {
    asked: after.length,
    failed: failed.length,
    answeredAfter: answered === undefined ? undefined : answered.at + answered.took - cutAt,
    lastFailureAfter: last === undefined ? 0 : last.at + last.took - cutAt,
  };
}

/** Parses the probe's output; a line that is not JSON is an error, not a lost request. */
export function parseResults(output: string): ProbeResult[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as ProbeResult);
}
