/**
 * Whether what was promised was kept, of what was seen. Pure: all times are milliseconds of one clock.
 *
 * - On the wire, no address is answered for by two for longer than `twoMs`, nor by nobody for longer than `noneMs`.
 * - Requests fail only from a fault that may cost some until `convergeMs` after its end.
 * - Connections are lost only with a fault that takes pods away.
 * - No address is of two Services.
 * - Each fault was done: what nobody did shows nothing.
 */

export interface Answer {
  readonly vip: string;
  /** Who answered. */
  readonly hardware: string;
  readonly at: number;
}

export interface Request {
  readonly vip: string;
  readonly at: number;
  readonly isAnswered: boolean;
  readonly took: number;
  readonly error?: string;
}

/** The end of a connection that was to go on. */
export interface Loss {
  readonly flow: string;
  readonly at: number;
  readonly error: string;
}

/** A fault that was done. */
export interface Done {
  readonly what: string;
  readonly from: number;
  /** When it was taken back; of one moment: when it was done. */
  readonly to: number;
  readonly isLossless: boolean;
  readonly takesPods: boolean;
  /** Why times are judged by STARVED_BARS. */
  readonly starvation?: string;
  /** Why it could not be done, or not be taken back. */
  readonly error?: string;
}

export interface Seen {
  readonly from: number;
  readonly to: number;
  readonly vips: readonly string[];
  /** Those of them that a node answers for on the wire: an address that a router is told of by BGP is none. */
  readonly onWire: readonly string[];
  readonly answers: readonly Answer[];
  readonly requests: readonly Request[];
  readonly losses: readonly Loss[];
  /** Who had an address together with whom. */
  readonly twice: readonly { readonly what: string; readonly at: number }[];
}

export interface Bars {
  readonly twoMs: number;
  readonly noneMs: number;
  readonly convergeMs: number;
}

export const BARS: Bars = { twoMs: 2_000, noneMs: 10_000, convergeMs: 10_000 };
/** On a starved machine: that it works at all. */
export const STARVED_BARS: Bars = { twoMs: 15_000, noneMs: 60_000, convergeMs: 60_000 };

export interface Breach {
  readonly promise: "two" | "none" | "request" | "converged" | "flow" | "twice" | "done";
  readonly what: string;
  readonly at: number;
  /** The fault that it came with. */
  readonly fault?: string;
}

/** Answers of one station that are not further apart are one span. */
const SPAN_MS = 1_000;

export function judge(seen: Seen, faults: readonly Done[]): Breach[] {
  const breaches = [
    ...seen.onWire.flatMap((vip) => judgeAnswers(vip, seen, faults)),
    ...judgeRequests(seen, faults),
    ...judgeLosses(seen, faults),
    ...seen.twice.map(({ what, at }) => breachAt(faults, at, "twice", what)),
    ...faults.flatMap(({ what, from, error }): Breach[] =>
      error === undefined ? [] : [{ promise: "done", what: `not done: ${error}`, at: from, fault: what }],
    ),
  ];
  return breaches.sort((a, b) => a.at - b.at);
}

/** The last fault that began before. */
const faultAt = (faults: readonly Done[], at: number): Done | undefined =>
  faults.findLast(({ from }) => from <= at);
const barsAt = (faults: readonly Done[], at: number): Bars =>
  faultAt(faults, at)?.starvation === undefined ? BARS : STARVED_BARS;

function breachAt(faults: readonly Done[], at: number, promise: Breach["promise"], what: string): Breach {
  const fault = faultAt(faults, at)?.what;
  return { promise, what, at, ...(fault !== undefined && { fault }) };
}

export interface Span {
  readonly hardware: string;
  readonly from: number;
  readonly to: number;
}

/** Who answered from when to when, of the answers for one address. */
export function spansOf(answers: readonly Pick<Answer, "hardware" | "at">[]): Span[] {
  const open = new Map<string, { hardware: string; from: number; to: number }>();
  const spans: Span[] = [];
  for (const { hardware, at } of answers.toSorted((a, b) => a.at - b.at)) {
    const span = open.get(hardware);
    if (span !== undefined && at - span.to <= SPAN_MS) span.to = at;
    else {
      const next = { hardware, from: at, to: at };
      open.set(hardware, next);
      spans.push(next);
    }
  }
  return spans.sort((a, b) => a.from - b.from);
}

function judgeAnswers(vip: string, { answers, from, to }: Seen, faults: readonly Done[]): Breach[] {
  const spans = spansOf(answers.filter((answer) => answer.vip === vip));
  const breaches: Breach[] = [];
  for (const [at, one] of spans.entries())
    for (const other of spans.slice(at + 1)) {
      const began = Math.max(one.from, other.from);
      const ms = Math.min(one.to, other.to) - began;
      if (one.hardware === other.hardware || ms <= barsAt(faults, began).twoMs) continue;
      const what = `${one.hardware} and ${other.hardware} both answered for ${vip} for ${Math.round(ms)} ms`;
      breaches.push(breachAt(faults, began, "two", what));
    }
  let answeredTo = from;
  for (const span of [...spans, { from: to, to }]) {
    const ms = span.from - answeredTo;
    if (ms > barsAt(faults, answeredTo).noneMs)
      breaches.push(
        breachAt(faults, answeredTo, "none", `nobody answered for ${vip} for ${Math.round(ms)} ms`),
      );
    answeredTo = Math.max(answeredTo, span.to);
  }
  return breaches;
}

function judgeRequests({ requests, vips }: Seen, faults: readonly Done[]): Breach[] {
  const breaches: Breach[] = [];
  for (const vip of vips) {
    const failed = requests.filter((one) => one.vip === vip && !one.isAnswered);
    for (const [index, fault] of [undefined, ...faults].entries()) {
      const next = faults[index]?.from ?? Number.POSITIVE_INFINITY;
      const mine = failed.filter(({ at }) => at >= (fault?.from ?? 0) && at < next);
      const [first, last] = [mine[0], mine.at(-1)];
      if (first === undefined || last === undefined) continue;
      const words = `${mine.length} requests to ${vip} failed (${last.error ?? "no answer"})`;
      const { convergeMs } = barsAt(faults, first.at);
      const lateMs = fault === undefined ? Number.POSITIVE_INFINITY : last.at + last.took - fault.to;
      if (fault === undefined || mayLose(fault, faults)) {
        if (lateMs > convergeMs)
          breaches.push(breachAt(faults, last.at, "converged", `${words}, the last ${inSeconds(lateMs)}`));
      } else if (fault.starvation === undefined) breaches.push(breachAt(faults, first.at, "request", words));
    }
  }
  return breaches;
}

const inSeconds = (ms: number): string =>
  Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s after its end` : "before any fault";

/** By itself, or because of another one that went on meanwhile. */
function mayLose(fault: Done, faults: readonly Done[]): boolean {
  return faults.some(
    (one) => !one.isLossless && one.from <= fault.to && one.to + BARS.convergeMs >= fault.from,
  );
}

function judgeLosses({ losses }: Seen, faults: readonly Done[]): Breach[] {
  return losses
    .filter(
      ({ at }) =>
        !faults.some(
          ({ takesPods, from, to }) => takesPods && at >= from && at <= to + STARVED_BARS.convergeMs,
        ),
    )
    .map(({ flow, at, error }) => breachAt(faults, at, "flow", `connection ${flow} was lost: ${error}`));
}
