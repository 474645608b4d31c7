/**
 * The quick way to a death: each member is watched by a few others, which ping it many times a second. SWIM's own probes
 * go round among all, and take a second and more to be sure. In a small cluster everybody watches everybody; in a larger
 * one each watches those that follow it in the order of names, so that the number of pings does not grow.
 *
 * How it is never wrong, as far as that can be:
 * - What counts is pings without an answer, and not time: whoever does not run sends none.
 * - Where pings are lost, more of them have to stay without an answer, so that chance alone hardly does it.
 * - Halfway others are asked to ping, too, and their word keeps it alive. It is told that it is suspected, and can object.
 * - Whoever hears none of those that it watches is cut off itself, and says nothing of the others.
 */
import { aliveCount, die, encodeDeath, suspect } from "./members.ts";
import type { Outbox } from "./outbox.ts";
import { askToPing, chooseHelpers, nextSequence, pingOf, sendToAll } from "./probe.ts";
import { type Gossip, isUp, placeOf, type Watch } from "./types.ts";
import type { Endpoint } from "./wire/message.ts";

/** The chance that so many pings in a row were lost, by the share that is lost at most times. */
const CHANCE = 1e-8;
/** Nobody loses more at most times; whoever does is watched more slowly. */
const MOST_LOSS = 0.5;
/** What one ping weighs in the share that is lost. */
const WEIGHT = 0.02;
/** An answer that comes later says nothing about the present. */
const KEPT_MS = 2_000;
/** Others are asked after so many without an answer, and after each more of them. */
const ASK_AFTER = 3;
const ASK_EVERY = 2;

/** Call it when it may have changed who watches whom. */
export function chooseWatches(gossip: Gossip, now: number): void {
  const { watches, settings, own } = gossip;
  const names = gossip.list.filter(isUp).map(({ name }) => name);
  names.sort();
  const at = names.indexOf(own.name);
  const count = names.length <= settings.watchAllUpTo ? names.length - 1 : settings.watches;
  const wanted = new Set<string>();
  for (let step = 1; step <= count; step++) wanted.add(names[(at + step) % names.length] ?? "");
  for (const [name, { member }] of watches)
    if (!wanted.has(name) || gossip.members.get(name) !== member) watches.delete(name);
  for (const name of wanted) {
    const member = gossip.members.get(name);
    if (member === undefined || watches.has(name)) continue;
    const nextAt = now + settings.watchIntervalMs * gossip.random.number();
    watches.set(name, { member, nextAt, heardAt: now, missed: 0, loss: 0, delayMs: 0, pings: new Map() });
  }
}

export function watchDueAt({ watches }: Gossip): number {
  let due = Number.POSITIVE_INFINITY;
  for (const { nextAt } of watches.values()) due = Math.min(due, nextAt);
  return due;
}

export function runWatches(gossip: Gossip, out: Outbox, now: number): void {
  for (const watch of gossip.watches.values()) {
    if (now < watch.nextAt) continue;
    watch.nextAt = now + gossip.settings.watchIntervalMs;
    if (!isUp(watch.member)) continue;
    countMissed(gossip, watch, now);
    judge(gossip, watch, out, now);
    if (isUp(watch.member)) ping(gossip, watch, out, now);
  }
}

/** Each ping is counted once as unanswered. An answer that comes after that still counts as heard. */
function countMissed({ settings }: Gossip, watch: Watch, now: number): void {
  const patienceMs = settings.watchPatienceMs + 2 * watch.delayMs;
  for (const [sequence, ping] of watch.pings) {
    if (now - ping.sentAt > KEPT_MS) watch.pings.delete(sequence);
    if (ping.isMissed || now - ping.sentAt < patienceMs) continue;
    ping.isMissed = true;
    if (ping.sentAt > watch.heardAt) watch.missed += 1;
  }
}

/** How many pings in a row have to stay without an answer. */
function wanted({ settings }: Gossip, { loss }: Watch): number {
  const share = Math.min(MOST_LOSS, Math.max(loss, 1e-3));
  return Math.max(settings.watchPings, Math.ceil(Math.log(CHANCE) / Math.log(share)));
}

function judge(gossip: Gossip, watch: Watch, out: Outbox, now: number): void {
  const { member, missed } = watch;
  if (missed < ASK_AFTER) return;
  const hears = [...gossip.watches.values()].some(
    (other) => other !== watch && now - other.heardAt <= gossip.settings.watchHearsMs,
  );
  // With nobody else left there is nobody to hear.
  if (!hears && aliveCount(gossip) > 2) return;
  if (missed >= wanted(gossip, watch)) {
    gossip.counts.deaths += 1;
    out.actions.push(...die(gossip, member, "dead", member.incarnation, now));
    sendToAll(gossip, encodeDeath(member, member.incarnation, gossip.own.name), out);
    return;
  }
  if ((missed - ASK_AFTER) % ASK_EVERY === 0) ask(gossip, watch, out, now);
  if (missed * 2 < wanted(gossip, watch) || member.state !== "alive") return;
  const from = gossip.own.name;
  out.actions.push(...suspect(gossip, member, { incarnation: member.incarnation, from }, now));
}

function ask(gossip: Gossip, watch: Watch, out: Outbox, now: number): void {
  const { member } = watch;
  const others = chooseHelpers(gossip, member);
  if (others.length === 0) return;
  const sequence = nextSequence(gossip);
  // What others hear, or do not, says nothing of what is lost between us.
  const answerers = new Set(others.map(placeOf));
  watch.pings.set(sequence, { sentAt: now, isMissed: true, answerers });
  for (const other of others) askToPing(gossip, { sequence, member, other, nack: false }, out);
}

function ping(gossip: Gossip, watch: Watch, out: Outbox, now: number): void {
  const { member, pings } = watch;
  const sequence = nextSequence(gossip);
  pings.set(sequence, { sentAt: now, isMissed: false, answerers: undefined });
  out.sendOnly(member, [pingOf(gossip, sequence, member)]);
}

/** Whether an ack was one of ours. */
export function hearWatched(gossip: Gossip, sequence: number, from: Endpoint, now: number): boolean {
  const place = placeOf(from);
  for (const watch of gossip.watches.values()) {
    const ping = watch.pings.get(sequence);
    if (ping === undefined) continue;
    const isDirect = placeOf(watch.member) === place;
    if (!isDirect && ping.answerers?.has(place) !== true) return false;
    watch.pings.delete(sequence);
    if (isDirect) heard(watch, ping.sentAt, now);
    watch.heardAt = Math.max(watch.heardAt, ping.sentAt);
    watch.missed = 0;
    return true;
  }
  return false;
}

function heard(watch: Watch, sentAt: number, now: number): void {
  watch.member.answeredAt = now;
  const delayMs = now - sentAt;
  watch.delayMs = Math.max(delayMs, watch.delayMs * (1 - WEIGHT));
  let lost = 0;
  for (const [sequence, ping] of watch.pings) {
    if (ping.answerers !== undefined || ping.sentAt > sentAt || !ping.isMissed) continue;
    lost += 1;
    watch.pings.delete(sequence);
  }
  for (let one = 0; one < lost; one++) watch.loss += (1 - watch.loss) * WEIGHT;
  watch.loss *= 1 - WEIGHT;
}
