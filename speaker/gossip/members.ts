/**
 * What is believed of whom. The rules are memberlist's (state.go), and stricter where a key alone would be enough to
 * speak for others:
 *
 * - A name is at the place that the API says, and nowhere else.
 * - That a member leaves is believed when it comes from that member's place. From others it is an accusation.
 * - A death out of the blue is an accusation, too: whoever is thought well here gets the time to object. Only of whom we
 *   suspect already, and who does not answer us either, we believe others that it is dead.
 * - Nobody is declared dead who answered since it is suspected, however many say so.
 * - Suspicion counts by the names of those who suspect, and these must be members that are alive.
 */
import { confirmationsWanted, suspicionMinMs, suspicionMs } from "./timing.ts";
import {
  type Gossip,
  type GossipAction,
  type GossipDrop,
  isUp,
  type Member,
  type Peer,
  placeOf,
  type Suspicion,
} from "./types.ts";
import { type Accusation, type Alive, encodeMessage } from "./wire/message.ts";
import type { MemberState } from "./wire/stream.ts";

/** So high that nobody gets there by objecting; above it an objection would find no number. */
const HIGHEST_INCARNATION = 0xffff_0000;
/** memberlist's: least and most version of the protocol, the one spoken, none of an application. */
export const OUR_VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

export function drop(gossip: Gossip, reason: GossipDrop): void {
  const { dropped } = gossip.counts;
  dropped[reason] = (dropped[reason] ?? 0) + 1;
}

/** Members that count: with ourselves, without the dead and those that left. */
export function aliveCount(gossip: Gossip): number {
  return gossip.list.length - gossip.downCount;
}

/** `alive` as `sender` tells it; undefined: nobody of the peers. */
export function hearAlive(gossip: Gossip, alive: Alive, now: number): GossipAction[] {
  if (alive.incarnation > HIGHEST_INCARNATION) return forged(gossip);
  if (alive.node === gossip.own.name) return hearOfSelf(gossip, alive);
  const known = gossip.members.get(alive.node);
  const peer = known ?? gossip.peers.get(alive.node);
  if (peer === undefined) {
    // It may be one that we have not been told of yet.
    drop(gossip, "stranger");
    return [];
  }
  if (peer.address !== alive.address || peer.port !== alive.port) return forged(gossip);
  if (known !== undefined && alive.incarnation <= known.incarnation) return [];
  const member = known ?? addMember(gossip, peer, alive, now);
  member.incarnation = alive.incarnation;
  member.meta = alive.meta;
  member.versions = alive.versions;
  gossip.broadcasts.add(member.name, () => encodeMessage({ ...alive, type: "alive" }));
  return become(gossip, member, "alive", now, known === undefined ? undefined : known.state);
}

function hearOfSelf(gossip: Gossip, alive: Alive): GossipAction[] {
  const { self, own } = gossip;
  if (alive.address !== own.address || alive.port !== own.port) return forged(gossip);
  // From an earlier life of this node, whose clock went otherwise.
  if (alive.incarnation > self.incarnation) refute(gossip, alive.incarnation);
  return [];
}

/** What `sender` says against a member. */
export function hearAccusation(
  gossip: Gossip,
  accusation: Accusation,
  sender: Peer,
  now: number,
): GossipAction[] {
  const { node, from, incarnation, type } = accusation;
  if (incarnation > HIGHEST_INCARNATION) return forged(gossip);
  if (node === gossip.own.name) {
    if (gossip.isLeaving) return [];
    if (incarnation >= gossip.self.incarnation) refute(gossip, incarnation, sender);
    // It has missed what we said since.
    else gossip.objections.add(sender);
    return [];
  }
  const member = gossip.members.get(node);
  if (member === undefined || incarnation < member.incarnation) return [];
  const isGoodbye = type === "dead" && from === node;
  if (isGoodbye && sender.name === node) return die(gossip, member, "left", incarnation, now);
  if (!isGoodbye && from !== gossip.own.name && !gossip.peers.has(from)) return forged(gossip);
  const accuser = gossip.members.get(from);
  if (!isGoodbye && (accuser === undefined || !isUp(accuser))) return [];
  if (
    type === "dead" &&
    member.suspicion !== undefined &&
    !isGoodbye &&
    !hasAnswered(member, member.suspicion)
  )
    return die(gossip, member, "dead", incarnation, now);
  const actions = suspect(gossip, member, { incarnation, from: isGoodbye ? sender.name : from }, now);
  if (type === "dead") hasten(gossip, member, now);
  return actions;
}

/** Somebody is sure: asked at once and often, it is alive if it answers, and dead if not. */
function hasten({ settings }: Gossip, { suspicion }: Member, now: number): void {
  if (suspicion === undefined) return;
  suspicion.lookEveryMs = Math.min(suspicion.lookEveryMs, settings.confirmMs / settings.looks);
  suspicion.lookAt = Math.min(suspicion.lookAt, now);
  suspicion.deadline = Math.min(suspicion.deadline, now + settings.confirmMs);
}

const hasAnswered = (member: Member, { startedAt }: Suspicion): boolean => member.answeredAt > startedAt;

/** `from` got no answer of the member. */
export function suspect(
  gossip: Gossip,
  member: Member,
  { incarnation, from }: { incarnation: number; from: string },
  now: number,
): GossipAction[] {
  const broadcast = (): void =>
    gossip.broadcasts.add(member.name, () =>
      encodeMessage({ type: "suspect", node: member.name, incarnation, from }),
    );
  const { suspicion } = member;
  if (suspicion !== undefined) {
    if (suspicion.accusers.size > suspicion.wanted || suspicion.accusers.has(from)) return [];
    suspicion.accusers.add(from);
    const { startedAt, wanted, minMs, maxMs, accusers } = suspicion;
    const ends = startedAt + suspicionMs(accusers.size - 1, wanted, minMs, maxMs);
    suspicion.deadline = Math.min(suspicion.deadline, ends);
    broadcast();
    return [];
  }
  if (member.state !== "alive") return [];
  const count = aliveCount(gossip);
  const wanted = confirmationsWanted(count, gossip.settings);
  const minMs = suspicionMinMs(count, gossip.settings);
  const maxMs = minMs * gossip.settings.suspicionMaxMultiplier;
  member.incarnation = incarnation;
  member.suspicion = {
    startedAt: now,
    lookAt: now,
    lookEveryMs: minMs / gossip.settings.looks,
    minMs,
    maxMs,
    wanted,
    accusers: new Set([from]),
    deadline: now + suspicionMs(0, wanted, minMs, maxMs),
  };
  gossip.counts.suspicions += 1;
  broadcast();
  return become(gossip, member, "suspect", now, member.state);
}

/** Nobody objected in time. */
export function expire(gossip: Gossip, member: Member, now: number): GossipAction[] {
  const { suspicion } = member;
  if (suspicion !== undefined && hasAnswered(member, suspicion)) {
    const { wanted, minMs, maxMs, accusers } = suspicion;
    suspicion.startedAt = member.answeredAt;
    suspicion.deadline = member.answeredAt + suspicionMs(accusers.size - 1, wanted, minMs, maxMs);
    if (suspicion.deadline > now) return [];
  }
  gossip.counts.deaths += 1;
  return die(gossip, member, "dead", member.incarnation, now);
}

/** `from`: who says so; the member itself when it leaves. */
export function encodeDeath({ name }: Pick<Member, "name">, incarnation: number, from: string): Buffer {
  return encodeMessage({ type: "dead", node: name, incarnation, from });
}

export function die(
  gossip: Gossip,
  member: Member,
  state: "dead" | "left",
  incarnation: number,
  now: number,
): GossipAction[] {
  if (!isUp(member)) return [];
  member.incarnation = incarnation;
  const from = state === "left" ? member.name : gossip.own.name;
  gossip.broadcasts.add(member.name, () => encodeDeath(member, incarnation, from));
  return become(gossip, member, state, now, member.state);
}

function become(
  gossip: Gossip,
  member: Member,
  state: MemberState,
  now: number,
  before: MemberState | undefined,
): GossipAction[] {
  const wasUp = before === undefined || isUp({ state: before });
  gossip.downCount += Number(wasUp) - Number(isUp({ state }));
  if (state === "suspect") gossip.suspects.add(member);
  else {
    member.suspicion = undefined;
    gossip.suspects.delete(member);
  }
  member.state = state;
  if (state === before) return [];
  member.since = now;
  return [{ type: "changed", name: member.name, state, before }];
}

/** Says that we are alive, in a way that beats whatever was said. Who had to hear it from others is not well. */
function refute(gossip: Gossip, accused: number, accuser?: Peer): void {
  const { self } = gossip;
  self.incarnation = Math.max(self.incarnation, accused) + 1;
  gossip.counts.refutations += 1;
  worsen(gossip, 1);
  broadcastSelf(gossip);
  if (accuser !== undefined) gossip.objections.add(accuser);
}

/** We were silent for long, and may have been called dead: says that we are alive before anybody asks. */
export function renew(gossip: Gossip): Buffer {
  gossip.self.incarnation += 1;
  return broadcastSelf(gossip);
}

function broadcastSelf(gossip: Gossip): Buffer {
  const message = ownAlive(gossip);
  gossip.broadcasts.add(gossip.own.name, () => message);
  return message;
}

export function ownAlive({ self }: Gossip): Buffer {
  const { name, address, port, incarnation, meta, versions } = self;
  return encodeMessage({ type: "alive", node: name, address, port, incarnation, meta, versions });
}

/** Lifeguard's local health goes up and down by `points`. */
export function worsen(gossip: Gossip, points: number): void {
  gossip.health = Math.min(gossip.settings.healthMultiplier - 1, Math.max(0, gossip.health + points));
}

/** At a place of the list that the lot chooses, so that nobody is found first by all. */
function addMember(gossip: Gossip, peer: Peer, alive: Alive, now: number): Member {
  const { incarnation, meta, versions } = alive;
  const member: Member = {
    ...peer,
    incarnation,
    meta,
    versions,
    state: "alive",
    since: now,
    answeredAt: now,
    suspicion: undefined,
  };
  gossip.members.set(peer.name, member);
  const at = Math.floor(gossip.random.number() * (gossip.list.length + 1));
  const other = gossip.list[at];
  gossip.list.push(member);
  if (other !== undefined) {
    gossip.list[at] = member;
    gossip.list[gossip.list.length - 1] = other;
  }
  return member;
}

/** Who exists has changed. Of whom the API knows nothing any more, or at another place, we know nothing either. */
export function takePeers(gossip: Gossip, peers: readonly Peer[]): void {
  const others = peers.filter(({ name }) => name !== gossip.own.name);
  const before = gossip.peers;
  gossip.peers = new Map(others.map((peer) => [peer.name, peer]));
  gossip.places = new Map(others.map((peer) => [placeOf(peer), peer]));
  const isSame = (a: Peer, b: Peer | undefined): boolean => a.address === b?.address && a.port === b.port;
  const isGone = (member: Member): boolean =>
    member !== gossip.self && !isSame(member, gossip.peers.get(member.name));
  for (const member of gossip.list.filter(isGone)) {
    gossip.members.delete(member.name);
    gossip.suspects.delete(member);
    if (!isUp(member)) gossip.downCount -= 1;
    gossip.broadcasts.forget(member.name);
    if (gossip.probe?.member === member) gossip.probe = undefined;
  }
  gossip.list = gossip.list.filter((member) => gossip.members.has(member.name));
  for (const [sequence, { peer }] of gossip.reaches)
    if (!isSame(peer, gossip.peers.get(peer.name))) gossip.reaches.delete(sequence);
  if (others.some((peer) => !before.has(peer.name))) broadcastSelf(gossip);
}

function forged(gossip: Gossip): GossipAction[] {
  drop(gossip, "forged");
  return [];
}
