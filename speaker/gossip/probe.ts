/** Whom to ping and when, and what follows from no answer (SWIM section 4.1, Lifeguard section 4). */
import { drop, ownAlive, suspect, worsen } from "./members.ts";
import type { Outbox } from "./outbox.ts";
import { type Gossip, type GossipDrop, isUp, type Member, type Peer, placeOf } from "./types.ts";
import {
  type Ack,
  type Endpoint,
  encodeMessage,
  type IndirectPing,
  type Nack,
  type Ping,
  type Source,
} from "./wire/message.ts";

/** How many pings for others may wait at one time. */
const MOST_RELAYS = 1_024;
/** How many direct pings may wait at one time. */
const MOST_REACHES = 4_096;
/** An answer that comes later says nothing about the present. */
const REACH_MS = 2_000;
/** Members of protocol 4 and later send nacks. */
const NACK_VERSION = 4;

/** The next one of the list in turn; each round in another order. */
export function startProbe(gossip: Gossip, out: Outbox, now: number): void {
  gossip.probeAt = now + gossip.settings.probeIntervalMs;
  const member = nextTarget(gossip);
  if (member === undefined) return;
  const { probeTimeoutMs, probeIntervalMs } = gossip.settings;
  const sequence = nextSequence(gossip);
  const endAt = now + probeIntervalMs * (gossip.health + 1);
  gossip.probeAt = endAt;
  gossip.probe = {
    sequence,
    member,
    sentAt: now,
    askAt: now + probeTimeoutMs,
    endAt,
    answerers: new Set([placeOf(member)]),
    nacksWanted: 0,
    nacks: 0,
  };
  out.send(member, [pingOf(gossip, sequence, member), ...accusationOf(gossip, member)]);
}

function nextTarget(gossip: Gossip): Member | undefined {
  for (let looked = 0; looked <= gossip.list.length; looked++) {
    if (gossip.probeIndex >= gossip.list.length) {
      shuffle(gossip.list, gossip.random);
      gossip.probeIndex = 0;
    }
    const member = gossip.list[gossip.probeIndex];
    gossip.probeIndex += 1;
    if (member !== undefined && member !== gossip.self && isUp(member)) return member;
  }
  return undefined;
}

/** What moves the probe on its way on. */
export function runProbe(gossip: Gossip, out: Outbox, now: number): void {
  const { probe } = gossip;
  if (probe?.askAt !== undefined && now >= probe.askAt) {
    probe.askAt = undefined;
    askOthers(gossip, out);
  }
  if (probe === undefined || now < probe.endAt) return;
  gossip.probe = undefined;
  gossip.counts.failedProbes += 1;
  // Helpers that sent no nack did not hear us either, so the fault may be our own.
  worsen(gossip, probe.nacksWanted > 0 ? probe.nacksWanted - probe.nacks : 1);
  const { member } = probe;
  if (!isUp(member)) return;
  out.actions.push(
    ...suspect(gossip, member, { incarnation: member.incarnation, from: gossip.own.name }, now),
  );
}

function askOthers(gossip: Gossip, out: Outbox): void {
  const { probe } = gossip;
  if (probe === undefined) return;
  const { member, sequence } = probe;
  for (const other of chooseHelpers(gossip, member)) {
    const nack = (other.versions[1] ?? 0) >= NACK_VERSION;
    if (nack) probe.nacksWanted += 1;
    probe.answerers.add(placeOf(other));
    askToPing(gossip, { sequence, member, other, nack }, out);
  }
}

/** Who is asked to ping the member for us. */
export function chooseHelpers(gossip: Gossip, member: Member): Member[] {
  const accept = (one: Member): boolean => one !== gossip.self && one !== member && one.state === "alive";
  return chooseMembers(gossip, gossip.settings.indirectProbes, accept);
}

export interface Asking {
  readonly sequence: number;
  readonly member: Member;
  /** Who is asked. */
  readonly other: Member;
  readonly nack: boolean;
}

export function askToPing({ own }: Gossip, { sequence, member, other, nack }: Asking, out: Outbox): void {
  const source = { address: own.address, port: own.port, node: own.name };
  const target = { address: member.address, port: member.port };
  out.send(other, [
    encodeMessage({ type: "indirectPing", sequence, target, node: member.name, nack, source }),
  ]);
}

/** An ack of anybody. */
export function hearAck(gossip: Gossip, ack: Ack, from: Endpoint, out: Outbox, now: number): void {
  const place = placeOf(from);
  const { probe } = gossip;
  if (probe?.sequence === ack.sequence && probe.answerers.has(place)) {
    gossip.probe = undefined;
    gossip.probeAt = probe.sentAt + gossip.settings.probeIntervalMs;
    gossip.counts.answeredProbes += 1;
    worsen(gossip, -1);
    if (placeOf(probe.member) === place) probe.member.answeredAt = now;
    return;
  }
  const relay = gossip.relays.get(ack.sequence);
  if (relay !== undefined && relay.target === place) {
    gossip.relays.delete(ack.sequence);
    out.send(relay.asker, [
      encodeMessage({ type: "ack", sequence: relay.askedSequence, payload: new Uint8Array(0) }),
    ]);
    return;
  }
  const reach = gossip.reaches.get(ack.sequence);
  if (reach !== undefined && placeOf(reach.peer) === place) {
    gossip.reaches.delete(ack.sequence);
    const member = gossip.members.get(reach.peer.name);
    if (member !== undefined) member.answeredAt = now;
    // A member that was never heard has to say who it is. The others object if what we told them about themselves is wrong.
    else if (now >= gossip.pullAt) pull(gossip, reach.peer, out, now);
    return;
  }
  drop(gossip, "unexpected");
}

export function hearNack(gossip: Gossip, nack: Nack, from: Endpoint): void {
  const { probe } = gossip;
  const isWanted = probe?.sequence === nack.sequence && probe.answerers.has(placeOf(from));
  if (!isWanted) drop(gossip, "unexpected");
  else if (probe.nacks < probe.nacksWanted) probe.nacks += 1;
}

function pingFault(gossip: Gossip, { node, source }: Ping, sender: Peer): GossipDrop | undefined {
  if (node !== "" && node !== gossip.own.name) return "misaddressed";
  return isFrom(source, sender) ? undefined : "forged";
}

/** Answers, and tells who is thought badly of. */
export function hearPing(gossip: Gossip, ping: Ping, sender: Peer, out: Outbox): void {
  const fault = pingFault(gossip, ping, sender);
  if (fault !== undefined) {
    drop(gossip, fault);
    return;
  }
  const member = gossip.members.get(sender.name);
  const ack = encodeMessage({ type: "ack", sequence: ping.sequence, payload: new Uint8Array(0) });
  out.send(sender, [ack, ...(member === undefined ? [] : accusationOf(gossip, member))]);
}

/** Pings a peer for another one; nobody else, or we would be everybody's sender of packets. */
export function hearIndirectPing(
  gossip: Gossip,
  asked: IndirectPing,
  sender: Peer,
  out: Outbox,
  now: number,
): void {
  const target = gossip.places.get(placeOf(asked.target));
  const isTarget = target !== undefined && (asked.node === "" || target.name === asked.node);
  if (!isTarget || !isFrom(asked.source, sender)) {
    drop(gossip, "forged");
    return;
  }
  if (gossip.relays.size >= MOST_RELAYS) {
    drop(gossip, "excess");
    return;
  }
  const sequence = nextSequence(gossip);
  gossip.relays.set(sequence, {
    asker: sender,
    askedSequence: asked.sequence,
    target: placeOf(target),
    wantsNack: asked.nack,
    endAt: now + gossip.settings.probeTimeoutMs,
  });
  out.send(target, [pingOf(gossip, sequence, target)]);
}

/** A ping names its sender, or names nobody. */
const isFrom = (source: Source | undefined, sender: Peer): boolean =>
  source === undefined ||
  (source.address === sender.address &&
    source.port === sender.port &&
    (source.node === "" || source.node === sender.name));

/** Pings for others that were not answered. */
export function runRelays(gossip: Gossip, out: Outbox, now: number): void {
  for (const [sequence, relay] of gossip.relays) {
    if (relay.endAt > now) continue;
    gossip.relays.delete(sequence);
    if (relay.wantsNack)
      out.send(relay.asker, [encodeMessage({ type: "nack", sequence: relay.askedSequence })]);
  }
}

/**
 * Tries the next peer that is thought dead or was never heard: without it, two halves of a network that was cut would
 * never find each other again. It is told what is thought of it, so that it objects.
 */
export function startReach(gossip: Gossip, out: Outbox, now: number): void {
  gossip.reachAt = now + gossip.settings.reachIntervalMs;
  if (gossip.isJoined && gossip.downCount === 0 && gossip.list.length > gossip.peers.size) return;
  const names = [...gossip.peers.keys()];
  for (let looked = 0; looked < names.length; looked++) {
    gossip.reachIndex = (gossip.reachIndex + 1) % names.length;
    const peer = gossip.peers.get(names[gossip.reachIndex] ?? "");
    const member = peer === undefined ? undefined : gossip.members.get(peer.name);
    if (peer === undefined || (member !== undefined && member.state !== "dead")) continue;
    if (!gossip.isJoined) {
      pull(gossip, peer, out, now);
      return;
    }
    const accusation = member === undefined ? [] : accusationOf(gossip, member);
    reach(gossip, peer, [...accusation, ownAlive(gossip)], out, now);
    return;
  }
}

/**
 * Asks whoever is suspected directly, again and again: its answer keeps it alive here, whatever is lost of its objection
 * on the way through the others.
 */
export function runLooks(gossip: Gossip, member: Member, out: Outbox, now: number): void {
  const { suspicion } = member;
  if (suspicion === undefined || now < suspicion.lookAt) return;
  suspicion.lookAt = now + suspicion.lookEveryMs;
  reach(gossip, member, accusationOf(gossip, member), out, now);
}

function reach(gossip: Gossip, to: Peer, more: readonly Uint8Array[], out: Outbox, now: number): void {
  // In the order in which they end.
  for (const [sequence, { endAt }] of gossip.reaches) {
    if (endAt > now && gossip.reaches.size < MOST_REACHES) break;
    gossip.reaches.delete(sequence);
  }
  const sequence = nextSequence(gossip);
  gossip.reaches.set(sequence, { peer: to, endAt: now + REACH_MS });
  // Each piece of news is sent a limited number of times, so none is spent on a member that may not hear it.
  out.sendOnly(to, [pingOf(gossip, sequence, to), ...more]);
}

export function pull(gossip: Gossip, to: Peer, out: Outbox, now: number): void {
  gossip.pullAt = now + 1_000;
  out.actions.push({ type: "pushPull", to, join: !gossip.isJoined, isOfUser: false });
}

export function pingOf(gossip: Gossip, sequence: number, to: Peer): Buffer {
  const { name, address, port } = gossip.own;
  return encodeMessage({ type: "ping", sequence, node: to.name, source: { address, port, node: name } });
}

/** Lifeguard's buddy system: whoever is thought badly of hears it first, and can object. */
function accusationOf(gossip: Gossip, { name, state, incarnation }: Member): Buffer[] {
  if (state !== "suspect" && state !== "dead") return [];
  return [encodeMessage({ type: state, incarnation, node: name, from: gossip.own.name })];
}

export function nextSequence(gossip: Gossip): number {
  gossip.sequence = (gossip.sequence + 1) >>> 0;
  return gossip.sequence;
}

/**
 * To everybody who is up, or to so many by chance, besides what travels: each member passes news on a few times only, so
 * that in a small cluster now and then one hears nothing of it.
 */
export function sendToAll(gossip: Gossip, message: Uint8Array, out: Outbox): void {
  const others = (one: Member): boolean => one !== gossip.self && isUp(one);
  for (const member of chooseMembers(gossip, gossip.settings.urgentNodes, others))
    out.sendOnly(member, [message]);
}

/** Up to `count` members by lot. */
export function chooseMembers(gossip: Gossip, count: number, accept: (member: Member) => boolean): Member[] {
  const { list, random } = gossip;
  if (list.length <= 3 * count) {
    const found = list.filter(accept);
    shuffle(found, random);
    return found.slice(0, count);
  }
  const chosen: Member[] = [];
  for (let tries = 0; tries < 3 * list.length && chosen.length < count; tries++) {
    const member = list[Math.floor(random.number() * list.length)];
    if (member !== undefined && accept(member) && !chosen.includes(member)) chosen.push(member);
  }
  return chosen;
}

function shuffle<T>(list: T[], random: Pick<{ number(): number }, "number">): void {
  for (let at = list.length - 1; at > 0; at--) {
    const other = Math.floor(random.number() * (at + 1));
    const [a, b] = [list[at], list[other]];
    if (a === undefined || b === undefined) continue;
    list[at] = b;
    list[other] = a;
  }
}
