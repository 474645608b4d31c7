/** Takes an address from its owner again and again, and measures until another one answers. */
import { until } from "#test/until.ts";
import { type Asker, nowMs } from "../layer2/asker.ts";
import type { Host } from "../network/bridge.ts";
import { overlapIn } from "./failover-figures.ts";

/** Until another one answers. */
export const DEADLINE_MS = 20_000;

export interface Takeovers {
  /** Until another one answers, milliseconds. */
  readonly times: number[];
  /** For how long two answered, from the return of the owner on; milliseconds. */
  readonly overlaps: number[];
}

export interface TakeoverPlan {
  readonly count: number;
  readonly vip: string;
  readonly asker: Asker;
  /** Who has the address before each turn. */
  readonly owner: () => Host;
  readonly take: (owner: Host) => unknown;
  readonly giveBack: (owner: Host) => unknown;
  /** Until all is as before. */
  readonly rest: () => Promise<void>;
}

export async function takeovers({
  count,
  vip,
  asker: client,
  owner,
  take,
  giveBack,
  rest: settle,
}: TakeoverPlan): Promise<Takeovers> {
  const [times, overlaps]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < count; turn++) {
    client.forget();
    // Not always at the same moment of a ping's interval.
    const end = nowMs() + ((turn * 37) % 100);
    await until("a moment", () => nowMs() >= end, { everyMs: 1 });
    const since = nowMs();
    const before = owner();
    await take(before);
    times.push(await client.firstOfAnother(vip, before, { since, deadlineMs: DEADLINE_MS }));
    client.forget();
    await giveBack(before);
    await settle();
    overlaps.push(overlapIn(client.answers.filter((answer) => answer.vip === vip)));
  }
  return { times, overlaps };
}
