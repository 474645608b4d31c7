/** docs/results/soak.md. Pure. */
import { faultsOf, type Outcome } from "./growth.ts";

export interface Story extends Outcome {
  readonly minutes: number;
  readonly date: string;
  readonly machine: string;
  readonly load: string;
  readonly rounds: number;
  /** Connections that were kept open, and those that were lost with their pod. */
  readonly opened: number;
  readonly lost: number;
  /** The longest that a request took, milliseconds. */
  readonly longestMs: number;
}

export function page(story: Story): string {
  const faults = faultsOf(story);
  const rows = story.growths.map(
    ({ of, count, first, last, hasGrown }) =>
      `| ${of} | ${count} | ${first.toFixed(1)} | ${last.toFixed(1)} | ${hasGrown ? "**grew**" : ""} |`,
  );
  return `# The last \`make soak\`

${story.minutes} minutes, ${story.date}, ${story.machine}. ${story.load}.

${faults.length === 0 ? "No request failed, and nothing grew." : faults.map((fault) => `- ${fault}`).join("\n")}

Four addresses of three Services were asked five times a second each, every time by a new connection, while Services and
pods came and went (${story.rounds} rounds) and a pool changed. A pod that goes takes its connections with it: those are
counted and not judged.

| | |
|---|---|
| requests; of these failed | ${story.requests}; ${story.failed} |
| the longest of them | ${story.longestMs} ms |
| connections that were opened and kept; of these lost | ${story.opened}; ${story.lost} |
| containers that were started again | ${story.restarts} |
| left behind on nodes after all was deleted | ${story.left.length === 0 ? "nothing" : story.left.join("; ")} |

The first quarter is a warm-up. Of what follows: means of its first and of its last third.

| of | what | first third | last third | |
|---|---|---|---|---|
${rows.join("\n")}
`;
}
