/** The walks that there are: what is broken, among how many, and how often. */
import type { EventName } from "./moves.ts";
import { EVENTS } from "./moves.ts";
import type { Walk } from "./walk.ts";

export interface Sized {
  readonly what: string;
  readonly walk: Walk;
}

const COMING_AND_GOING: readonly EventName[] = ["crash", "start", "leave", "exclude", "include"];
const NETWORK: readonly EventName[] = ["cut", "unplug", "apiAway", "heal", "crash", "start"];
const MOST_STEPS = 160;

/** A second or two each. */
export const QUICK: readonly Sized[] = [
  {
    what: "two nodes: any two events within a second and a half",
    walk: {
      ...{ nodes: 2, addresses: 1, events: 2, eventSteps: 2, faults: 0 },
      ...{ kinds: EVENTS, fates: [], mostSteps: MOST_STEPS, starts: [0] },
    },
  },
  {
    what: "three nodes: any event, and one message that is late, doubled or lost",
    walk: {
      ...{ nodes: 3, addresses: 1, events: 1, eventSteps: 1, faults: 1 },
      ...{ kinds: EVENTS, fates: ["late", "twice", "lost"], mostSteps: MOST_STEPS, starts: [0, 2] },
    },
  },
];

/** Minutes. */
export const DEEP: readonly Sized[] = [
  {
    what: "two nodes, two addresses: any three events within two seconds",
    walk: {
      ...{ nodes: 2, addresses: 2, events: 3, eventSteps: 4, faults: 0 },
      ...{ kinds: EVENTS, fates: [], mostSteps: MOST_STEPS },
    },
  },
  {
    what: "three nodes: any two events within two seconds and a half",
    walk: {
      ...{ nodes: 3, addresses: 1, events: 2, eventSteps: 5, faults: 0 },
      ...{ kinds: EVENTS, fates: [], mostSteps: MOST_STEPS },
    },
  },
  {
    what: "three nodes: three that come, go or may not own, within two seconds",
    walk: {
      ...{ nodes: 3, addresses: 1, events: 3, eventSteps: 4, faults: 0 },
      ...{ kinds: COMING_AND_GOING, fates: [], mostSteps: MOST_STEPS },
    },
  },
  {
    what: "three nodes: three faults of the network or nodes, within two seconds",
    walk: {
      ...{ nodes: 3, addresses: 1, events: 3, eventSteps: 4, faults: 0 },
      ...{ kinds: NETWORK, fates: [], mostSteps: MOST_STEPS },
    },
  },
  {
    what: "three nodes: two events within a second, and one message that is late, doubled or lost",
    walk: {
      ...{ nodes: 3, addresses: 1, events: 2, eventSteps: 2, faults: 1 },
      ...{ kinds: COMING_AND_GOING, fates: ["late", "twice", "lost"], mostSteps: MOST_STEPS, starts: [0, 2] },
    },
  },
  {
    what: "four nodes, which also come apart two and two: any two events within a second and a half",
    walk: {
      ...{ nodes: 4, addresses: 1, events: 2, eventSteps: 3, faults: 0 },
      ...{ kinds: EVENTS, fates: [], mostSteps: MOST_STEPS, starts: [0, 2] },
    },
  },
];
