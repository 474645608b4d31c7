/**
 * SWIM's gossip with Lifeguard, without sockets and clocks: `step` takes what happened and the time, and says what to
 * do. It changes the state that it is given; the same state, events and chance give the same actions.
 *
 * Left out of memberlist's: pings over TCP are answered by the session and not sent (a speaker that only TCP reaches is
 * of no use to ARP either), and no name may change its place. Messages of an application are handed on; whether they
 * travel further is the application's to say.
 */
import { Broadcasts } from "./broadcasts.ts";
import {
  aliveCount,
  drop,
  encodeDeath,
  expire,
  hearAccusation,
  hearAlive,
  OUR_VERSIONS,
  ownAlive,
  renew,
  takePeers,
  worsen,
} from "./members.ts";
import { Outbox } from "./outbox.ts";
import {
  chooseMembers,
  hearAck,
  hearIndirectPing,
  hearNack,
  hearPing,
  pull,
  runLooks,
  runProbe,
  runRelays,
  sendToAll,
  startProbe,
  startReach,
} from "./probe.ts";
import { pushPullMs } from "./timing.ts";
import {
  type Gossip,
  type GossipAction,
  type GossipEvent,
  isUp,
  type Member,
  type Peer,
  placeOf,
} from "./types.ts";
import { chooseWatches, hearWatched, runWatches, watchDueAt } from "./watch.ts";
import { encodeMessage, type Message } from "./wire/message.ts";
import { roomOf } from "./wire/packet.ts";
import type { MemberRecord } from "./wire/stream.ts";

/** News of the application that waits at one time. */
const MOST_TOLD = 1_024;
/** News of the application that is taken in a second. */
const MOST_HEARD = 1_000;
/** How many members ask for a whole state when a member comes back. */
const REJOINERS = 4;
const REJOIN_MS = 1_000;

export interface GossipStart extends Pick<Gossip, "own" | "settings" | "random"> {
  readonly label: string;
  /** Greater than in any earlier life of this node, or others take this life for the one that they know to be dead. */
  readonly incarnation: number;
  readonly now: number;
}

export function startGossip({ own, settings, random, label, incarnation, now }: GossipStart): Gossip {
  const meta = new Uint8Array(0);
  const self: Member = {
    ...own,
    incarnation,
    state: "alive",
    since: now,
    answeredAt: now,
    meta,
    versions: OUR_VERSIONS,
    suspicion: undefined,
  };
  return {
    own,
    settings,
    random,
    room: roomOf({ label }),
    counts: {
      dropped: {},
      answeredProbes: 0,
      failedProbes: 0,
      suspicions: 0,
      deaths: 0,
      refutations: 0,
      stalls: 0,
    },
    broadcasts: new Broadcasts(),
    told: new Broadcasts(),
    toldCount: 0,
    heardAt: now,
    heardCount: 0,
    peers: new Map(),
    places: new Map(),
    members: new Map([[own.name, self]]),
    list: [self],
    self,
    suspects: new Set(),
    downCount: 0,
    probe: undefined,
    // Members that start together must not probe at the same moments.
    probeAt: now + settings.probeIntervalMs * random.number(),
    probeIndex: 0,
    gossipAt: now,
    pushPullAt: now + settings.pushPullIntervalMs * (0.5 + random.number()),
    reachAt: now,
    reachIndex: Math.floor(random.number() * 2 ** 16),
    relays: new Map(),
    reaches: new Map(),
    watches: new Map(),
    objections: new Set(),
    pullAt: now,
    rejoinAt: now,
    health: 0,
    sequence: Math.floor(random.number() * 2 ** 32),
    isJoined: false,
    isLeaving: false,
  };
}

/** When `wake` is due; infinite while there is nobody to talk to. */
export function dueAt(gossip: Gossip): number {
  if (gossip.peers.size === 0 || gossip.isLeaving) return Number.POSITIVE_INFINITY;
  let due = Math.min(gossip.pushPullAt, gossip.reachAt, watchDueAt(gossip));
  const { probe } = gossip;
  due = Math.min(due, probe === undefined ? gossip.probeAt : (probe.askAt ?? probe.endAt));
  if (hasNews(gossip)) due = Math.min(due, gossip.gossipAt);
  for (const { suspicion } of gossip.suspects)
    if (suspicion !== undefined) due = Math.min(due, suspicion.deadline, suspicion.lookAt);
  // In the order in which they end.
  for (const { endAt } of gossip.relays.values()) return Math.min(due, endAt);
  return due;
}

export function step(gossip: Gossip, event: GossipEvent, now: number): GossipAction[] {
  const out = new Outbox(gossip);
  if (gossip.isLeaving) return [];
  forgiveStall(gossip, out, now);
  take(gossip, event, out, now);
  if (gossip.isLeaving) return out.actions;
  rejoin(gossip, out, now);
  object(gossip, out);
  run(gossip, out, now);
  if (event.type === "peers" || out.actions.some(({ type }) => type === "changed"))
    chooseWatches(gossip, now);
  return out.actions;
}

/** A member that slept through a deadline heard nobody in that time. The silence is its own, and proves nothing. */
function forgiveStall(gossip: Gossip, out: Outbox, now: number): void {
  const { stallMs, watchPings, watchIntervalMs } = gossip.settings;
  const lateMs = now - dueAt(gossip);
  if (lateMs < stallMs) return;
  gossip.counts.stalls += 1;
  worsen(gossip, 1);
  if (gossip.probe !== undefined) {
    if (gossip.probe.askAt !== undefined) gossip.probe.askAt += lateMs;
    gossip.probe.endAt += lateMs;
  }
  gossip.probeAt += lateMs;
  for (const { suspicion } of gossip.suspects) if (suspicion !== undefined) suspicion.deadline += lateMs;
  for (const relay of gossip.relays.values()) relay.endAt += lateMs;
  if (lateMs >= watchPings * watchIntervalMs) sendToAll(gossip, renew(gossip), out);
}

function take(gossip: Gossip, event: GossipEvent, out: Outbox, now: number): void {
  switch (event.type) {
    case "wake":
      return;
    case "peers":
      takePeers(gossip, event.peers);
      return;
    case "dropped":
      drop(gossip, event.reason);
      return;
    case "packet": {
      const sender = gossip.places.get(placeOf(event.from));
      if (sender === undefined) {
        drop(gossip, "stranger");
        return;
      }
      for (const message of event.messages) hear(gossip, message, sender, out, now);
      return;
    }
    case "pushPull": {
      const sender = [...gossip.peers.values()].find(({ address }) => address === event.from);
      if (sender === undefined) {
        drop(gossip, "stranger");
        return;
      }
      gossip.isJoined = true;
      for (const record of event.records) out.actions.push(...merge(gossip, record, sender, now));
      if (event.user.length > 0)
        out.actions.push({ type: "told", from: sender.name, bytes: event.user, isWhole: true });
      out.actions.push({ type: "joined" });
      return;
    }
    case "tell":
      queueNews(gossip, event, out, now);
      return;
    case "say": {
      const peer = gossip.peers.get(event.to);
      if (peer === undefined) return;
      for (const bytes of event.messages) out.sendOnly(peer, [encodeMessage({ type: "user", bytes })]);
      return;
    }
    case "leave":
      leave(gossip, out);
      return;
  }
}

function hear(gossip: Gossip, message: Message, sender: Peer, out: Outbox, now: number): void {
  switch (message.type) {
    case "ping":
      hearPing(gossip, message, sender, out);
      return;
    case "indirectPing":
      hearIndirectPing(gossip, message, sender, out, now);
      return;
    case "ack":
      if (!hearWatched(gossip, message.sequence, sender, now)) hearAck(gossip, message, sender, out, now);
      return;
    case "nack":
      hearNack(gossip, message, sender);
      return;
    case "alive":
      out.actions.push(...hearAlive(gossip, message, now));
      return;
    case "suspect":
    case "dead":
      out.actions.push(...hearAccusation(gossip, message, sender, now));
      return;
    case "user":
      if (hasRoomFor(gossip, now))
        out.actions.push({ type: "told", from: sender.name, bytes: message.bytes, isWhole: false });
      else drop(gossip, "excess");
      return;
  }
}

/** A member may say more than another thread can take in: what is lost comes again with the next whole state. */
function hasRoomFor(gossip: Gossip, now: number): boolean {
  if (now - gossip.heardAt >= 1_000) {
    gossip.heardAt = now;
    gossip.heardCount = 0;
  }
  gossip.heardCount += 1;
  return gossip.heardCount <= MOST_HEARD;
}

/** Makes the next round of news due now. */
function queueNews(
  gossip: Gossip,
  { news, isUrgent }: Extract<GossipEvent, { type: "tell" }>,
  out: Outbox,
  now: number,
): void {
  for (const bytes of news) {
    const message = encodeMessage({ type: "user", bytes });
    if (isUrgent) sendToAll(gossip, message, out);
    gossip.told.add(String(gossip.toldCount), () => message);
    gossip.told.forget(String(gossip.toldCount - MOST_TOLD));
    gossip.toldCount += 1;
  }
  gossip.gossipAt = Math.min(gossip.gossipAt, now);
}

/**
 * Who comes back may have missed news, or know some that was missed here: a few of those who hear it again ask it for all
 * of the application's. What it thinks of others is old, and would be an accusation of the living.
 */
function rejoin(gossip: Gossip, out: Outbox, now: number): void {
  const isBack = (action: GossipAction): boolean =>
    action.type === "changed" && isUp(action) && (action.before === "dead" || action.before === "left");
  const back = out.actions.find(isBack);
  if (back?.type !== "changed" || now < gossip.rejoinAt) return;
  const count = aliveCount(gossip);
  const peer = gossip.peers.get(back.name);
  if (peer === undefined || gossip.random.number() * count >= REJOINERS) return;
  gossip.rejoinAt = now + REJOIN_MS;
  out.actions.push({ type: "pushPull", to: peer, join: false, isOfUser: true });
}

const hasNews = ({ broadcasts, told }: Gossip): boolean => broadcasts.size + told.size > 0;

/** A record of a whole state. What it says of the dead is old: it is an accusation, and no death. */
function merge(gossip: Gossip, record: MemberRecord, sender: Peer, now: number): GossipAction[] {
  const { state, node, incarnation } = record;
  if (state === "alive") return hearAlive(gossip, { ...record, type: "alive" }, now);
  const isOwnGoodbye = state === "left" && node === sender.name;
  const accusation = isOwnGoodbye
    ? ({ type: "dead", node, incarnation, from: node } as const)
    : ({ type: "suspect", node, incarnation, from: sender.name } as const);
  return hearAccusation(gossip, accusation, sender, now);
}

/** The other side's half of a push/pull: all that we know. */
export function recordsOf(gossip: Gossip): MemberRecord[] {
  return gossip.list.map(({ name, address, port, incarnation, state, meta, versions }) => ({
    node: name,
    address,
    port,
    incarnation,
    state,
    meta,
    versions,
  }));
}

/** Tells everybody at once: news that travels from one to the next would take longer than we stay. */
function leave(gossip: Gossip, out: Outbox): void {
  const goodbye = encodeDeath(gossip.self, gossip.self.incarnation, gossip.self.name);
  for (const member of gossip.list)
    if (member !== gossip.self && isUp(member)) out.sendOnly(member, [goodbye]);
  gossip.self.state = "left";
  gossip.isLeaving = true;
}

function object(gossip: Gossip, out: Outbox): void {
  if (gossip.objections.size === 0) return;
  const alive = ownAlive(gossip);
  for (const accuser of gossip.objections) out.sendOnly(accuser, [alive]);
  gossip.objections.clear();
}

/** Whatever is due. */
function run(gossip: Gossip, out: Outbox, now: number): void {
  if (gossip.peers.size === 0) return;
  runRelays(gossip, out, now);
  runProbe(gossip, out, now);
  if (gossip.probe === undefined && now >= gossip.probeAt) startProbe(gossip, out, now);
  runWatches(gossip, out, now);
  for (const member of gossip.suspects) {
    runLooks(gossip, member, out, now);
    const deadline = member.suspicion?.deadline ?? Number.POSITIVE_INFINITY;
    if (now >= deadline) out.actions.push(...expire(gossip, member, now));
  }
  if (now >= gossip.gossipAt && hasNews(gossip)) spread(gossip, out, now);
  if (now >= gossip.reachAt) startReach(gossip, out, now);
  if (now >= gossip.pushPullAt) {
    gossip.pushPullAt = now + pushPullMs(aliveCount(gossip), gossip.settings);
    const [member] = chooseMembers(gossip, 1, (one) => one !== gossip.self && one.state === "alive");
    if (member !== undefined) pull(gossip, member, out, now);
  }
}

function spread(gossip: Gossip, out: Outbox, now: number): void {
  const { settings } = gossip;
  gossip.gossipAt = now + settings.gossipIntervalMs;
  const accept = (member: Member): boolean =>
    member !== gossip.self &&
    (isUp(member) || (member.state === "dead" && now - member.since < settings.gossipToTheDeadMs));
  for (const member of chooseMembers(gossip, settings.gossipNodes, accept)) if (!out.sendNews(member)) return;
}
