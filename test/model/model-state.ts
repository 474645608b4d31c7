/**
 * The model's state: speakers as far as they decide who owns what, what the API server has of them, what is on its way
 * between them, and what is broken. Plain values, so that it can be copied at each branch. Times are milliseconds.
 */
import type { Heard } from "#speaker/gossip/gossip.ts";
import type { MemberState } from "#speaker/gossip/wire/stream.ts";
import { Acquaintance } from "#speaker/membership/acquaintance.ts";
import { type LeaseRecord, LIVENESS_TIMES, Liveness } from "#speaker/membership/liveness.ts";
import { type Claim, Claims } from "#speaker/ownership/claims.ts";
import { type Ownership, startOwnership, type Tenure } from "#speaker/ownership/ownership.ts";

export interface Speaker {
  readonly liveness: Liveness;
  readonly acquaintance: Acquaintance;
  readonly ownership: Ownership;
  readonly heard: ReadonlyMap<string, Heard>;
  readonly contactAt: number | undefined;
  readonly joinedAt: number | undefined;
  /** Another whole state is not asked for before. */
  readonly rejoinAt: number;
  /** Node -> since when gossip does not reach it. */
  readonly silentSince: ReadonlyMap<string, number>;
  /** The plan has counted this node among the live ones. */
  readonly isCounted: boolean;
  /** What its Lease says; undefined before it says anything. */
  readonly said: string | undefined;
  /** Addresses that it answers for. */
  readonly held: ReadonlySet<string>;
  /** It has said goodbye, and answers until then. */
  readonly leavesAt: number | undefined;
  /** It is stopped (SIGSTOP), and goes on then with what it knew. */
  readonly stoppedUntil: number | undefined;
}

export type Mail = { readonly to: string; readonly from: string } & (
  | { readonly kind: "changed"; readonly state: MemberState }
  | { readonly kind: "claims"; readonly claims: readonly Claim[]; readonly isWhole: boolean }
);

export interface Waiting {
  readonly mail: Mail;
  readonly at: number;
}

export interface World {
  readonly names: readonly string[];
  readonly vips: readonly string[];
  readonly now: number;
  /** Of those that run. */
  readonly speakers: ReadonlyMap<string, Speaker>;
  readonly leases: ReadonlyMap<string, LeaseRecord>;
  /** Pairs that do not hear each other: `n0 n1`. */
  readonly cuts: ReadonlySet<string>;
  /** Nodes that do not reach the API server. */
  readonly apiCuts: ReadonlySet<string>;
  readonly excluded: ReadonlySet<string>;
  readonly rebalance: string | undefined;
  readonly waiting: readonly Waiting[];
  /** How many more events, and faults of messages, there may be. */
  readonly events: number;
  /** In how many more half seconds events may happen. */
  readonly eventSteps: number;
  readonly faults: number;
  /** What the promises are judged by (promises.ts). */
  readonly marks: Marks;
}

export interface Marks {
  /** Since when two that hear each other answer for an address: `vip: n0 and n1`. */
  readonly two: ReadonlyMap<string, number>;
  /** Of two that do not, and both reach the API server. */
  readonly apart: ReadonlyMap<string, number>;
  /** Since when nobody answers for an address though somebody could: `vip among n0 n1`. */
  readonly none: ReadonlyMap<string, number>;
  /** When the last fault was made, or the last late message came. */
  readonly faultAt: number;
  /** News was lost, and comes with the next whole state only. */
  readonly hasLost: boolean;
  readonly breach: string | undefined;
}

export const pairOf = (one: string, other: string): string =>
  one < other ? `${one} ${other}` : `${other} ${one}`;

/** They hear each other without a third. */
export const hasLink = ({ cuts }: Pick<World, "cuts">, one: string, other: string): boolean =>
  !cuts.has(pairOf(one, other));

/** It answers for the address. */
export const answersFor = ({ speakers }: Pick<World, "speakers">, name: string, vip: string): boolean => {
  const speaker = speakers.get(name);
  return speaker?.stoppedUntil === undefined && speaker?.held.has(vip) === true;
};

export function startSpeaker(name: string): Speaker {
  return {
    liveness: new Liveness(name),
    acquaintance: new Acquaintance(),
    ownership: startOwnership(name),
    heard: new Map(),
    contactAt: undefined,
    joinedAt: undefined,
    rejoinAt: 0,
    silentSince: new Map(),
    isCounted: false,
    said: undefined,
    held: new Set(),
    leavesAt: undefined,
    stoppedUntil: undefined,
  };
}

/** Its own from then on: what the product's functions change in place is copied. */
export function copyOf(name: string, speaker: Speaker): Speaker {
  const { known, ...rest } = speaker.liveness.state;
  const state = { ...rest, known: new Map([...known].map(([node, one]) => [node, { ...one }])) };
  const { ownership } = speaker;
  const claims = new Claims();
  for (const one of ownership.claims.list()) claims.add(one);
  const owned = new Map<string, Tenure>();
  for (const [vip, tenure] of ownership.owned) owned.set(vip, { ...tenure });
  return {
    ...speaker,
    liveness: new Liveness(name, LIVENESS_TIMES, state),
    acquaintance: new Acquaintance({ ...speaker.acquaintance.state }),
    ownership: { ...ownership, claims, owned },
  };
}
