/** Where the walks begin. */
import type { Step } from "./explore.ts";
import { startSpeaker, type World } from "./model-state.ts";
import { RULES } from "./rules.ts";
import { Tick } from "./tick.ts";

export interface StartOptions {
  readonly nodes: number;
  readonly addresses: number;
  readonly events: number;
  /** Events happen in the first so many half seconds. */
  readonly eventSteps: number;
  readonly faults: number;
}

/** Longer than an address waits that nobody has claimed. */
const SETTLED_MS = 64_000;
const STARTED_MS = 6_000;

/**
 * `claimed`: all run for more than a minute, and claim what they own. `new`: all have just started, and the election
 * decides. `returned`: the first owner died and is back, so that another node keeps what the election would give to it.
 */
export function startsOf(options: StartOptions): Step<World>[] {
  const fresh = after(startOf(options), STARTED_MS);
  const claimed = after(fresh, SETTLED_MS);
  const [first = ""] = claimed.names.filter((name) =>
    claimed.speakers.get(name)?.held.has(claimed.vips[0] ?? ""),
  );
  const speakers = new Map(claimed.speakers);
  speakers.delete(first);
  const dead = after({ ...claimed, speakers }, 8_000);
  const back = { ...dead, speakers: new Map(dead.speakers).set(first, startSpeaker(first)) };
  return [
    { what: "all claim what they own", next: ready(claimed) },
    { what: "all have just started", next: ready(fresh) },
    { what: `${first} has died and come back`, next: ready(after(back, 16_000)) },
  ];
}

function startOf({ nodes, addresses, events, eventSteps, faults }: StartOptions): World {
  const names = Array.from({ length: nodes }, (_, at) => `n${at}`);
  return {
    names,
    vips: Array.from({ length: addresses }, (_, at) => `172.30.16.${at + 1}`),
    now: 0,
    speakers: new Map(names.map((name) => [name, startSpeaker(name)])),
    leases: new Map(),
    cuts: new Set(),
    apiCuts: new Set(),
    excluded: new Set(),
    rebalance: undefined,
    waiting: [],
    events,
    eventSteps,
    faults,
    marks: {
      two: new Map(),
      apart: new Map(),
      none: new Map(),
      faultAt: 0,
      hasLost: false,
      breach: undefined,
    },
  };
}

function after(world: World, ms: number): World {
  let now = world;
  while (now.now < world.now + ms) now = new Tick(RULES, now, () => "now").run();
  return now;
}

/** Time begins with the walk. */
const ready = (world: World): World => ({ ...world, marks: { ...world.marks, faultAt: world.now } });
