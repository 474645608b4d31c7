/**
 * One address that another station claims too: when this node announces it again, when it stops answering for it, and
 * when it takes it back (RFC 5227 section 2.4, and the same for IPv6). Pure: `step` says what to do, and when it has to
 * be called next.
 *
 * Another node of ours may claim the address for a moment, while the two nodes judge differently. The node that is right
 * has no reason to announce anything when the other one gives up. Neighbours would keep the other node's announcement,
 * for good if that node then dies. So the node that still answers announces once more. That is no conflict, and a node
 * never yields to another one of ours.
 *
 *            heard just after we announced          pause over            three probes unanswered
 *   answering ------------------------------> silent ----------> probing -----------------------> answering
 *    | heard: announced again, at most once      ^                  | heard
 *    | in DEFEND_INTERVAL_MS                     +------------------+
 */

export type Policy = "defend" | "yield";

/**
 * So long after another station's announcement we announce again: hosts ignore a second change within a second (Linux:
 * neigh/locktime).
 */
export const LAST_WORD_MS = 1_100;
/** RFC 5227 section 1.1. */
export const DEFEND_INTERVAL_MS = 10_000;
/** A conflict is over when nothing was heard for so long. */
export const QUIET_MS = 30_000;
/** What was yielded is asked for again after this time. */
export const YIELD_PAUSE_MS = 60_000;
/** RFC 5227 section 1.1: PROBE_NUM, PROBE_MIN, ANNOUNCE_WAIT. */
const PROBE = { count: 3, everyMs: 1_000, waitMs: 2_000 } as const;

export interface Contest {
  /** Hardware address of the last station that is none of our nodes, 12 hex digits. */
  readonly foreign: string | undefined;
  /** The last announcement was another station's: ours is still to come. */
  readonly isOwed: boolean;
  /** When we last announced since the contest began. */
  readonly announcedAt: number | undefined;
  readonly phase: "answering" | "silent" | "probing";
  /** Sent so far. */
  readonly probes: number;
  /** When `step` wants to be called with `due`. */
  readonly dueAt: number;
}

export type ContestEvent =
  | { readonly type: "heard"; readonly station: string; readonly isMember: boolean }
  | { readonly type: "due" }
  /** The policy is another one than before. */
  | { readonly type: "ruled" };

/** announce: once more. silence: answer no more. probe: ask who has it. resume: answer again. report: tell people. */
export type ContestAct = "announce" | "silence" | "probe" | "resume" | "report";

export interface Stepped {
  /** Undefined: it is over. */
  readonly contest: Contest | undefined;
  readonly acts: readonly ContestAct[];
}

/** `now`: milliseconds. */
export function step(
  contest: Contest | undefined,
  event: ContestEvent,
  { now, policy }: { readonly now: number; readonly policy: Policy },
): Stepped {
  switch (event.type) {
    case "heard":
      return contest === undefined ? began(event, now) : heard(contest, event, { now, policy });
    case "due":
      return contest === undefined ? { contest, acts: [] } : due(contest, now);
    case "ruled":
      if (contest === undefined || contest.phase === "answering" || policy === "yield")
        return { contest, acts: [] };
      return resumed(contest, now);
  }
}

type Heard = Extract<ContestEvent, { type: "heard" }>;

function began({ station, isMember }: Heard, now: number): Stepped {
  const contest: Contest = {
    foreign: isMember ? undefined : station,
    isOwed: true,
    announcedAt: undefined,
    phase: "answering",
    probes: 0,
    dueAt: now + LAST_WORD_MS,
  };
  return { contest, acts: isMember ? [] : ["report"] };
}

function heard(
  contest: Contest,
  { station, isMember }: Heard,
  { now, policy }: { now: number; policy: Policy },
): Stepped {
  const foreign = isMember ? contest.foreign : station;
  if (contest.phase !== "answering") {
    if (isMember) return { contest, acts: [] };
    if (contest.phase === "silent") return { contest: { ...contest, foreign }, acts: [] };
    return { contest: silent({ ...contest, foreign }, now), acts: [] };
  }
  const { announcedAt } = contest;
  const isKnown = contest.foreign !== undefined;
  const isPersisting = announcedAt !== undefined && now - announcedAt <= DEFEND_INTERVAL_MS;
  if (policy === "yield" && !isMember && isKnown && isPersisting)
    return { contest: silent({ ...contest, foreign }, now), acts: ["silence", "report"] };
  const earliest = now + LAST_WORD_MS;
  const interval = foreign === undefined ? LAST_WORD_MS : DEFEND_INTERVAL_MS;
  const dueAt = contest.isOwed ? contest.dueAt : Math.max(earliest, (announcedAt ?? now) + interval);
  return {
    contest: { ...contest, foreign, isOwed: true, dueAt },
    acts: isMember || isKnown ? [] : ["report"],
  };
}

function silent(contest: Contest, now: number): Contest {
  return { ...contest, phase: "silent", probes: 0, dueAt: now + YIELD_PAUSE_MS };
}

function due(contest: Contest, now: number): Stepped {
  if (now < contest.dueAt) return { contest, acts: [] };
  const isForeign = contest.foreign !== undefined;
  if (contest.phase === "answering") {
    if (!contest.isOwed) return { contest: undefined, acts: isForeign ? ["report"] : [] };
    const dueAt = now + (isForeign ? QUIET_MS : LAST_WORD_MS);
    // The station may be another one than at the last report.
    return {
      contest: { ...contest, isOwed: false, announcedAt: now, dueAt },
      acts: isForeign ? ["announce", "report"] : ["announce"],
    };
  }
  if (contest.probes === PROBE.count) return resumed(contest, now);
  const probes = contest.probes + 1;
  const dueAt = now + (probes === PROBE.count ? PROBE.waitMs : PROBE.everyMs);
  return { contest: { ...contest, phase: "probing", probes, dueAt }, acts: ["probe"] };
}

function resumed(contest: Contest, now: number): Stepped {
  const again: Contest = {
    ...contest,
    phase: "answering",
    probes: 0,
    isOwed: false,
    announcedAt: now,
    dueAt: now + QUIET_MS,
  };
  return { contest: again, acts: ["resume", "report"] };
}
