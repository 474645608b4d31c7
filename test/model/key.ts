/**
 * When two states are the same. Times count from now, and only as far back as a rule looks: of what is older, it does not
 * matter how much. What rules compare with each other is in it as the answer of that comparison.
 */
import type { Heard } from "#speaker/gossip/gossip.ts";
import type { Renewals } from "#speaker/membership/liveness.ts";
import type { Speaker, World } from "./model-state.ts";

/** No rule but those below looks further back. */
const OLD_MS = 5_000;
/** promises.ts looks so far back. */
const QUIET_MS = 13_500;
/** Longer than an address without a claim waits for one. */
const SETTLED_MS = 61_000;
/** As in combine.ts: deaths of all others in so short a time, and a renewal of the last moment. */
const TOGETHER_MS = 3_000;
const STRAY_MS = 500;

export function keyOf(world: World): string {
  const { now, speakers, leases, cuts, apiCuts, excluded, rebalance, waiting, marks } = world;
  const { events, eventSteps, faults } = world;
  const ages = (times: ReadonlyMap<string, number>): unknown[] =>
    [...times].map(([what, at]) => [what, now - at]).sort();
  return JSON.stringify([
    world.names.map((name) => keyOfSpeaker(world, speakers.get(name))),
    [...leases].map(([name, { isHeld, state }]) => [name, isHeld, state]).sort(),
    [[...cuts].sort(), [...apiCuts].sort(), [...excluded].sort(), rebalance ?? ""],
    waiting.map(({ mail, at }) => [mail, at - now]),
    [events, events > 0 ? eventSteps : 0, faults, now % 1_000],
    [
      ages(marks.two),
      ages(marks.apart),
      ages(marks.none),
      age(now, marks.faultAt, QUIET_MS),
      marks.hasLost,
      marks.breach ?? "",
    ],
  ]);
}

const age = (now: number, at: number | undefined, most = OLD_MS): number =>
  at === undefined ? -1 : Math.min(now - at, most);

function keyOfSpeaker({ now, leases, vips }: World, speaker: Speaker | undefined): unknown {
  if (speaker === undefined) return 0;
  const { liveness, acquaintance, ownership, heard, contactAt, joinedAt } = speaker;
  const { known, confirmedAt, thawedAt, last } = liveness.state;
  const { askedAt, startingAt, isIntroduced, isCutOff, heardAt } = acquaintance.state;
  const isJoined = (joinedAt ?? -1) >= (contactAt ?? -1);
  return [
    [...known].sort().map(([name, one]) => {
      const isSeen = one.record.stamp === leases.get(name)?.stamp;
      // The time that is frozen is taken off a silence.
      const sinceMs = (confirmedAt ?? now) - one.changedAt;
      const silence = Math.max(-OLD_MS, Math.min(sinceMs, OLD_MS));
      return [name, isSeen, one.record.isHeld, one.record.state, silence, one.isDead];
    }),
    [age(now, confirmedAt, 3_000), age(now, thawedAt, 3_000), last.live, last.dead],
    [
      age(now, askedAt, 2_500),
      age(now, startingAt, 5_500),
      isIntroduced,
      isCutOff,
      age(now, heardAt, 11_000),
    ],
    keysOfHeard(now, heard, (name) => liveness.renewals(name)),
    [age(now, contactAt, 3_000), joinedAt !== undefined, isJoined, Math.max(0, speaker.rejoinAt - now)],
    [...speaker.silentSince].map(([name, at]) => [name, age(now, at)]).sort(),
    [
      speaker.isCounted,
      speaker.said,
      [...speaker.held].sort(),
      age(now, speaker.leavesAt),
      age(now, speaker.stoppedUntil),
    ],
    vips.map((vip) => {
      const claim = ownership.claims.of(vip);
      const tenure = ownership.owned.get(vip);
      const most = claim === undefined ? SETTLED_MS : 2_000;
      return [
        ...[claim?.node, claim?.epoch, ownership.owners.get(vip), ownership.vips.has(vip)],
        ...[tenure?.why, tenure && age(now, tenure.since, most), tenure && age(now, tenure.claimedAt, 2_000)],
      ];
    }),
    ownership.rebalanced?.after ?? "",
  ];
}

function keysOfHeard(
  now: number,
  heard: ReadonlyMap<string, Heard>,
  renewals: (name: string) => Renewals | undefined,
): unknown {
  const words = [...heard].sort();
  return words.map(([name, { state, at, downAt }]) => {
    const { last = 0, before } = renewals(name) ?? {};
    const goesOn = before !== undefined && before > at + STRAY_MS;
    const together = words.filter(
      ([, other]) =>
        downAt !== undefined && other.downAt !== undefined && Math.abs(other.downAt - downAt) < TOGETHER_MS,
    );
    const isBack = downAt === undefined || last > downAt;
    const [lastAge, beforeAge] = [age(now, last), age(now, before)];
    const downAge = age(now, downAt, TOGETHER_MS + 500);
    const of = together.map(([one]) => one);
    return [name, state, age(now, at), downAge, isBack, goesOn, of, lastAge, beforeAge];
  });
}
