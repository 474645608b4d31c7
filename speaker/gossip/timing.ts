/**
 * How long and how often: SWIM (Das, Gupta, Motivala 2002) as memberlist has it, with Lifeguard (Dadgar, Phillips, Currey
 * 2017): suspicion that others confirm ends sooner, and who does badly itself gives others more time.
 */

export interface GossipSettings {
  /** From one probe to the next, and from a probe to suspicion, milliseconds. */
  readonly probeIntervalMs: number;
  /** Without an ack for so long others are asked to ping. */
  readonly probeTimeoutMs: number;
  /** How many others. */
  readonly indirectProbes: number;
  /** Suspicion lasts so many probe intervals at least, in a cluster of up to ten. */
  readonly suspicionMultiplier: number;
  /** And so many times that, when nobody confirms it. */
  readonly suspicionMaxMultiplier: number;
  /** Local health goes from 0 to one less; each point adds one probe interval to a probe. */
  readonly healthMultiplier: number;
  /** Whoever is suspected is asked so many times by each member in the shortest suspicion. */
  readonly looks: number;
  readonly gossipIntervalMs: number;
  /** Whom each round of news is sent to. */
  readonly gossipNodes: number;
  /** News is sent so many times, times the decimal digits of the number of members. */
  readonly retransmitMultiplier: number;
  /** What cannot wait goes to so many at once, which is everybody in all but the largest clusters. */
  readonly urgentNodes: number;
  /** The dead are told the news for so long, so that they can object. */
  readonly gossipToTheDeadMs: number;
  readonly pushPullIntervalMs: number;
  /** How often one of those that do not answer is tried. */
  readonly reachIntervalMs: number;
  /** From one ping of a watched member to the next. */
  readonly watchIntervalMs: number;
  /** An answer may take so long, and twice what answers took of late. */
  readonly watchPatienceMs: number;
  /** So many without an answer are a death where hardly any are lost. */
  readonly watchPings: number;
  /** Who heard nobody of the others for so long is cut off itself. */
  readonly watchHearsMs: number;
  /** Up to so many members, everybody watches everybody. */
  readonly watchAllUpTo: number;
  /** Above it, each watches so many. */
  readonly watches: number;
  /** A death that others tell of is believed when the member does not answer us for so long either. */
  readonly confirmMs: number;
  /** Who wakes so late was not running, and its deadlines move. */
  readonly stallMs: number;
}

export const GOSSIP_SETTINGS: GossipSettings = {
  probeIntervalMs: 300,
  probeTimeoutMs: 150,
  indirectProbes: 3,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  healthMultiplier: 8,
  looks: 5,
  gossipIntervalMs: 100,
  gossipNodes: 3,
  retransmitMultiplier: 4,
  urgentNodes: 64,
  gossipToTheDeadMs: 30_000,
  pushPullIntervalMs: 30_000,
  reachIntervalMs: 500,
  watchIntervalMs: 50,
  watchPatienceMs: 60,
  watchPings: 9,
  watchHearsMs: 250,
  watchAllUpTo: 8,
  watches: 3,
  confirmMs: 300,
  stallMs: 100,
};

/** Shortest suspicion in a cluster of `count`, milliseconds. */
export function suspicionMinMs(count: number, settings: GossipSettings): number {
  const scale = Math.max(1, Math.log10(Math.max(1, count)));
  return settings.suspicionMultiplier * scale * settings.probeIntervalMs;
}

/** Confirmations by others that bring suspicion down to its shortest; 0 where there are too few others. */
export function confirmationsWanted(count: number, settings: GossipSettings): number {
  const wanted = settings.suspicionMultiplier - 2;
  return count - 2 < wanted ? 0 : wanted;
}

/** How long a suspicion lasts in all with so many confirmations, milliseconds. */
export function suspicionMs(confirmed: number, wanted: number, minMs: number, maxMs: number): number {
  if (wanted < 1) return minMs;
  const share = Math.log(confirmed + 1) / Math.log(wanted + 1);
  return Math.max(minMs, maxMs - share * (maxMs - minMs));
}

/** How many times one piece of news is sent by each member. */
export function retransmissions(count: number, settings: GossipSettings): number {
  return settings.retransmitMultiplier * Math.ceil(Math.log10(count + 1));
}

/** Whole states are exchanged less often among many, milliseconds. */
export function pushPullMs(count: number, settings: GossipSettings): number {
  const unscaled = 32;
  if (count <= unscaled) return settings.pushPullIntervalMs;
  return settings.pushPullIntervalMs * (Math.ceil(Math.log2(count / unscaled)) + 1);
}
