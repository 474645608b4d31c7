/** What can happen in a half second: one event or none, and one thing on its way that is held up, doubled or lost, or none. */
import type { Step } from "./explore.ts";
import { answersFor, type Mail, pairOf, startSpeaker, type World } from "./model-state.ts";
import { type Judging, judge } from "./promises.ts";
import type { Rules } from "./rules.ts";
import { type Fate, type FateOf, TICK_MS, Tick } from "./tick.ts";

export const EVENTS = [
  "crash",
  "leave",
  "start",
  "stop",
  "cut",
  "unplug",
  "apiCut",
  "apiAway",
  "split",
  "exclude",
  "include",
  "rebalance",
  "heal",
] as const;
export type EventName = (typeof EVENTS)[number];

export interface MovesOptions extends Judging {
  readonly rules: Rules;
  readonly events: ReadonlySet<EventName>;
  /** What may become of things on their way, besides coming at once. */
  readonly fates: readonly Fate[];
}

/** So short that nobody notices, just long enough to be dead, and longer than a Lease holds. */
const STOPPED_MS = [500, 1_500, 6_000];

interface Happening {
  readonly what: string;
  readonly world: World;
  /** Who says goodbye. */
  readonly leaves?: string;
}

export function* stepsOf(world: World, options: MovesOptions): Generator<Step<World>> {
  if (isOver(world, options)) return;
  for (const happening of happenings(world, options)) {
    const met: Mail[] = [];
    yield step(happening, options, (mail) => {
      met.push(mail);
      return "now";
    });
    if (world.faults === 0) continue;
    for (const [at, mail] of met.entries()) {
      for (const fate of options.fates) {
        // A change of mind that gossip has is no datagram.
        if (mail.kind === "changed" && fate !== "late") continue;
        let seen = -1;
        const next = step(happening, options, () => {
          seen += 1;
          return seen === at ? fate : "now";
        });
        const what = mail.kind === "changed" ? `that ${mail.from} is ${mail.state}` : wordsOf(mail);
        yield {
          what: `${next.what}; ${what} comes to ${mail.to} ${fate}`,
          next: { ...next.next, faults: world.faults - 1 },
        };
      }
    }
  }
}

/** Nothing can happen any more, and it was looked at for long enough. */
function isOver({ events, eventSteps, waiting, marks, now }: World, { bounds }: MovesOptions): boolean {
  const isQuiet = now - marks.faultAt > bounds.quietMs + 2 * TICK_MS;
  return isQuiet && waiting.length === 0 && (events === 0 || eventSteps === 0);
}

const wordsOf = (mail: Extract<Mail, { kind: "claims" }>): string =>
  mail.isWhole
    ? `all that ${mail.from} knows`
    : mail.claims.map(({ vip, node, epoch }) => `claim ${vip} ${node} ${epoch} of ${mail.from}`).join(", ");

function step(happening: Happening, options: MovesOptions, fateOf: FateOf): Step<World> {
  const tick = new Tick(options.rules, happening.world, fateOf);
  if (happening.leaves !== undefined) tick.leave(happening.leaves);
  const next = tick.run();
  const lossy = { ...next, marks: { ...next.marks, hasLost: next.marks.hasLost || tick.isLost } };
  const isFault = happening.what !== "" || tick.isLate || tick.isLost;
  const marks = judge(happening.world, lossy, isFault, options);
  const what = `${(next.now / 1_000).toFixed(1)} s: ${happening.what || "-"} [${answersOf(next)}]`;
  return { what, next: { ...next, marks } };
}

const answersOf = (world: World): string =>
  world.vips
    .map((vip) => {
      const by = world.names.filter((name) => answersFor(world, name, vip));
      return `${vip} ${by.join("+") || "nobody"}`;
    })
    .join(", ");

function* happenings(before: World, { events }: MovesOptions): Generator<Happening> {
  const world = { ...before, eventSteps: Math.max(0, before.eventSteps - 1) };
  yield { what: "", world };
  if (world.events === 0 || before.eventSteps === 0) return;
  const left = { ...world, events: world.events - 1 };
  for (const one of allEvents(left)) if (events.has(one.event)) yield one;
}

function* allEvents(world: World): Generator<Happening & { readonly event: EventName }> {
  const { names, speakers, cuts, apiCuts, excluded } = world;
  for (const name of names) {
    const speaker = speakers.get(name);
    if (speaker === undefined) {
      const started = new Map(speakers).set(name, startSpeaker(name));
      yield { event: "start", what: `${name} starts`, world: { ...world, speakers: started } };
      continue;
    }
    const rest = new Map(speakers);
    rest.delete(name);
    yield { event: "crash", what: `${name} dies`, world: { ...world, speakers: rest } };
    if (speaker.leavesAt !== undefined || speaker.stoppedUntil !== undefined) continue;
    for (const ms of STOPPED_MS) {
      const stopped = new Map(speakers).set(name, { ...speaker, stoppedUntil: world.now + ms });
      yield {
        ...{ event: "stop", what: `${name} is stopped for ${ms} ms` },
        world: { ...world, speakers: stopped },
      };
    }
    yield { event: "leave", what: `${name} says goodbye`, world, leaves: name };
  }
  for (const [at, one] of names.entries())
    for (const other of names.slice(at + 1))
      if (!cuts.has(pairOf(one, other)))
        yield {
          ...{ event: "cut", what: `${one} and ${other} do not hear each other` },
          world: { ...world, cuts: new Set(cuts).add(pairOf(one, other)) },
        };
  for (const name of names) {
    if (apiCuts.has(name)) continue;
    const apart = { ...world, apiCuts: new Set(apiCuts).add(name) };
    yield { event: "apiCut", what: `${name} loses the API server`, world: apart };
    const pairs = names.filter((other) => other !== name).map((other) => pairOf(name, other));
    const alone = { ...apart, cuts: new Set([...cuts, ...pairs]) };
    yield { event: "unplug", what: `${name} is unplugged`, world: alone };
  }
  if (apiCuts.size < names.length)
    yield { event: "apiAway", what: "the API server is away", world: { ...world, apiCuts: new Set(names) } };
  const half = names.length / 2;
  if (names.length > 3) {
    const [left, right] = [names.slice(0, half), names.slice(half)];
    const across = left.flatMap((one) => right.map((other) => pairOf(one, other)));
    yield {
      ...{ event: "split", what: `${left.join(" ")} and ${right.join(" ")} are apart` },
      world: { ...world, cuts: new Set([...cuts, ...across]) },
    };
  }
  for (const name of names) {
    const others = new Set(excluded);
    if (others.delete(name))
      yield { event: "include", what: `${name} may own again`, world: { ...world, excluded: others } };
    else
      yield {
        ...{ event: "exclude", what: `${name} may not own` },
        world: { ...world, excluded: others.add(name) },
      };
  }
  yield {
    ...{ event: "rebalance", what: "addresses are to be spread anew" },
    world: { ...world, rebalance: `${world.now}` },
  };
  if (cuts.size + apiCuts.size > 0)
    yield { event: "heal", what: "all is mended", world: { ...world, cuts: new Set(), apiCuts: new Set() } };
}
