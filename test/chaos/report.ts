/** docs/results/chaos.md, out of what was done and found. Pure. */
import type { Breach, Done, Seen } from "./judge.ts";
import { spansOf } from "./judge.ts";

export interface Story {
  readonly seed: number;
  readonly minutes: number;
  readonly mode: string;
  readonly date: string;
  readonly machine: string;
  readonly faults: readonly Done[];
  readonly breaches: readonly Breach[];
  readonly seen: Seen;
  /** Connections that were opened. */
  readonly opened: number;
  readonly left: readonly string[];
}

export interface Summary {
  readonly faults: number;
  readonly breaches: number;
  readonly requests: number;
  readonly failed: number;
  readonly connections: number;
  readonly lost: number;
  /** The longest that an address had no answer on the wire, and that two answered for one, milliseconds. */
  readonly longestSilenceMs: number;
  readonly longestTwoMs: number;
  /** Nodes on which something was left in the end. */
  readonly left: number;
}

export function summaryOf({ faults, breaches, seen, opened, left }: Story): Summary {
  return {
    ...{ faults: faults.length, breaches: breaches.length, requests: seen.requests.length },
    failed: seen.requests.filter(({ isAnswered }) => !isAnswered).length,
    ...{ connections: opened, lost: seen.losses.length },
    ...longestOf(seen),
    left: left.length,
  };
}

function longestOf({ onWire, answers }: Seen): Pick<Summary, "longestSilenceMs" | "longestTwoMs"> {
  let [silence, two] = [0, 0];
  for (const vip of onWire) {
    const spans = spansOf(answers.filter((answer) => answer.vip === vip));
    let answeredTo = spans[0]?.from ?? 0;
    for (const [at, span] of spans.entries()) {
      silence = Math.max(silence, span.from - answeredTo);
      answeredTo = Math.max(answeredTo, span.to);
      for (const other of spans.slice(at + 1))
        if (other.hardware !== span.hardware)
          two = Math.max(two, Math.min(span.to, other.to) - Math.max(span.from, other.from));
    }
  }
  return { longestSilenceMs: Math.round(silence), longestTwoMs: Math.round(two) };
}

/** What a fault cost: failed requests until the next one began, and when the last of them ended after it was over. */
export function costOf(
  faults: readonly Done[],
  at: number,
  { requests }: Seen,
): { failed: number; lateMs: number } {
  const fault = faults[at];
  if (fault === undefined) return { failed: 0, lateMs: 0 };
  const next = faults[at + 1]?.from ?? Number.POSITIVE_INFINITY;
  const failed = requests.filter((one) => !one.isAnswered && one.at >= fault.from && one.at < next);
  const last = failed.at(-1);
  return {
    failed: failed.length,
    lateMs: last === undefined ? 0 : Math.max(0, last.at + last.took - fault.to),
  };
}

const onWire = ({ longestSilenceMs, longestTwoMs }: Summary): string =>
  `| the longest that an address had no answer on the wire | ${(longestSilenceMs / 1_000).toFixed(1)} s |
| the longest that two answered for one | ${(longestTwoMs / 1_000).toFixed(1)} s |
`;

export function page(story: Story): string {
  const { seed, minutes, mode, date, machine, faults, breaches, seen, left } = story;
  const summary = summaryOf(story);
  const start = seen.from;
  const rows = faults.map(({ what, from, to, starvation }, at) => {
    const { failed, lateMs } = costOf(faults, at, seen);
    const mine = breaches.filter(({ fault, at: when }) => fault === what && when >= from);
    const cells = [
      ((from - start) / 1_000).toFixed(0),
      `${what}${starvation === undefined ? "" : " *"}`,
      ((to - from) / 1_000).toFixed(1),
      failed,
      failed === 0 ? "" : (lateMs / 1_000).toFixed(1),
      mine.length === 0 ? "" : mine.map(({ what: told }) => told).join("; "),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const told = breaches.length === 0 ? "No promise was broken." : `${breaches.length} promises were broken.`;
  return `# The last \`make chaos\`

\`SEED=${seed} MINUTES=${minutes} MODE=${mode} make chaos\`, ${date}, ${machine}. ${told}
[What is done, what is judged, and how to run it](../chaos.md).

| | |
|---|---|
| faults | ${summary.faults} |
| requests; of these failed | ${summary.requests}; ${summary.failed} |
| connections that were kept open; of these lost | ${summary.connections}; ${summary.lost} |
${seen.onWire.length === 0 ? "" : onWire(summary)}| left behind on nodes after all was deleted | ${left.length === 0 ? "nothing" : left.join("; ")} |

| at, s | fault | lasted, s | requests that failed | the last of them, s after its end | broken promises |
|---|---|---|---|---|---|
${rows.join("\n")}

\\* The machine was starved meanwhile, and longer times were allowed.
`;
}
