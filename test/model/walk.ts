/** One exploration of ownership: of what size, by which rules. */
import { type Explored, explore } from "./explore.ts";
import { keyOf } from "./key.ts";
import { type EventName, stepsOf } from "./moves.ts";
import { BOUNDS, type Bounds } from "./promises.ts";
import { RULES, type Rules } from "./rules.ts";
import { type StartOptions, startsOf } from "./start.ts";
import type { Fate } from "./tick.ts";

export interface Walk extends StartOptions {
  readonly kinds: readonly EventName[];
  readonly fates: readonly Fate[];
  readonly mostSteps: number;
  readonly mostStates?: number;
  /** Which of the starts. All of them if it is left out. */
  readonly starts?: readonly number[];
}

export interface Walked extends Explored {
  /** The longest that two answered that hear each other, and that nobody did, milliseconds. */
  readonly twoMs: number;
  /** The longest that two answered that do not, and reach the API server. */
  readonly apartMs: number;
  readonly noneMs: number;
  /** The same where one of those that could waits for Leases. */
  readonly aloneMs: number;
}

export function walk(options: Walk, rules: Rules = RULES, bounds: Bounds = BOUNDS): Walked {
  const { kinds, fates, mostSteps, mostStates, starts } = options;
  const longest = { two: 0, apart: 0, none: 0, alone: 0 };
  const chosen = startsOf(options).filter((_, at) => starts?.includes(at) ?? true);
  const events = new Set(kinds);
  const explored = explore({
    starts: chosen,
    stepsOf: (world) =>
      stepsOf(world, {
        ...{ rules, bounds, events, fates },
        note: (what, ms) => {
          longest[what] = Math.max(longest[what], ms);
        },
      }),
    keyOf,
    breachOf: ({ marks }) => marks.breach,
    mostDepth: mostSteps,
    ...(mostStates !== undefined && { mostStates }),
  });
  return {
    ...explored,
    twoMs: longest.two,
    apartMs: longest.apart,
    noneMs: longest.none,
    aloneMs: longest.alone,
  };
}
