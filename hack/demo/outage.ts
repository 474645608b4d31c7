/** What a run of the probe says about an outage; pure. */
import { describeLoad, isStarved, type Load } from "#hack/common/load.ts";

export interface ProbeResult {
  /** Milliseconds since the epoch, when the request began. */
  readonly at: number;
  readonly ok: boolean;
  readonly took: number;
  readonly pod?: string;
  readonly node?: string;
  readonly client?: string;
  readonly error?: string;
  /** It had a line before, which said that its time was over. */
  readonly late?: true;
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

/** An address is answered again within this time after its node is lost. */
const PROMISED_MS = 1_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** What the demo says of a cut, and of the machine where that is why a promise was not kept. */
export function outageLines(outage: Outage, during: Load): string[] {
  const { asked, failed, answeredAfter, lastFailureAfter } = outage;
  const isKept = answeredAfter !== undefined && answeredAfter <= PROMISED_MS;
  const after =
    answeredAfter === undefined ? "Not answered again" : `Answered again ${seconds(answeredAfter)}`;
  const broken = isStarved(during)
    ? "That is later than promised, because the machine has too much to do"
    : "That is LATER THAN PROMISED, and the machine's load does not explain it";
  return [
    `${after} after the cut (promised: ${seconds(PROMISED_MS)}).`,
    ...(isKept ? [] : [`${broken}: ${describeLoad(during)}.`]),
    `Of ${asked} requests since the cut ${failed} failed, the last ${seconds(lastFailureAfter)} after it.`,
  ];
}

/** Each request once: as it was when its time was over, or, where late answers count, as it ended. */
export function judged(results: readonly ProbeResult[], doesLateCount: boolean): ProbeResult[] {
  const late = new Map(results.flatMap((one) => (one.late === true ? [[one.at, one] as const] : [])));
  const inTime = results.filter((one) => one.late !== true);
  return doesLateCount ? inTime.map((one) => (one.ok ? one : (late.get(one.at) ?? one))) : inTime;
}

/** Parses the probe's output; a line that is not JSON is an error, not a lost request. */
export function parseResults(output: string): ProbeResult[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as ProbeResult);
}
