/**
 * What is promised of ownership, judged after each half second.
 *
 * - Two that hear each other do not both answer for an address for longer than `twoMs`. Two that do not, and reach the API
 *   server, for no longer than `apartMs`: so long a node that hears nobody waits until its Lease says so.
 * - Where somebody could answer for an address, somebody does after `noneMs`. Nodes belong together that reach each other or
 *   the API server. Who hears neither the API server nor anybody else judges nobody, and takes nothing: docs/layer2.md.
 * - What a node believes of who claims an address never goes back to a lower epoch.
 * - When nothing was broken or mended for `quietMs`, no address moves.
 */
import type { Heard } from "#speaker/gossip/gossip.ts";
import { isUp } from "#speaker/gossip/types.ts";
import { answersFor, hasLink, type Marks, type World } from "./model-state.ts";

export interface Bounds {
  readonly twoMs: number;
  /** The same where news of a claim was lost, and only the next exchange of everything brings it. */
  readonly twoAfterLossMs: number;
  readonly apartMs: number;
  readonly noneMs: number;
  /** The same where one waits for Leases: it has lost all others at once, or is new and has never heard who is dead. */
  readonly aloneMs: number;
  readonly quietMs: number;
}

/** What the model comes to, in its steps of half a second; docs/layer2.md names them. */
export const BOUNDS: Bounds = {
  ...{ twoMs: 2_000, twoAfterLossMs: 31_000, apartMs: 12_500 },
  ...{ noneMs: 2_000, aloneMs: 9_000, quietMs: 13_000 },
};

export interface Judging {
  readonly bounds: Bounds;
  /** Notes the longest that two answered, and that nobody did. */
  readonly note?: (what: "two" | "apart" | "none" | "alone", ms: number) => void;
}

export function judge(before: World, after: World, isFault: boolean, { bounds, note }: Judging): Marks {
  const { now } = after;
  const hasLost = before.marks.hasLost || after.marks.hasLost;
  const two = since(before.marks.two, pairsOf(after, true), now);
  const apart = since(before.marks.apart, pairsOf(after, false), now);
  const none = since(before.marks.none, unansweredOf(after), now);
  const isStopped = [...before.speakers.values()].some(({ stoppedUntil }) => stoppedUntil !== undefined);
  const faultAt = isFault || isStopped || after.waiting.length > 0 ? now : before.marks.faultAt;
  for (const at of two.values()) note?.("two", now - at);
  for (const at of apart.values()) note?.("apart", now - at);
  for (const [who, at] of none) note?.(who.endsWith(ALONE) ? "alone" : "none", now - at);
  const twoMs = hasLost ? bounds.twoAfterLossMs : bounds.twoMs;
  const breach =
    tooLong(two, now, twoMs, "two answer for") ??
    tooLong(apart, now, hasLost ? bounds.twoAfterLossMs : bounds.apartMs, "two answer for") ??
    tooLong(none, now, bounds, "nobody answers for") ??
    epochBack(before, after) ??
    (now - faultAt > bounds.quietMs ? movedOf(before, after) : undefined);
  return { two, apart, none, faultAt, hasLost, breach };
}

function since(
  before: ReadonlyMap<string, number>,
  present: readonly string[],
  now: number,
): ReadonlyMap<string, number> {
  return new Map(present.map((what) => [what, before.get(what) ?? now]));
}

function tooLong(
  times: ReadonlyMap<string, number>,
  now: number,
  most: number | Bounds,
  words: string,
): string | undefined {
  for (const [what, at] of times) {
    const mostMs = typeof most === "number" ? most : what.endsWith(ALONE) ? most.aloneMs : most.noneMs;
    if (now - at > mostMs) return `${words} ${what} for ${now - at} ms (at most ${mostMs})`;
  }
  return undefined;
}

function pairsOf(world: World, isLinked: boolean): string[] {
  const { names, vips, apiCuts } = world;
  const pairs: string[] = [];
  for (const vip of vips) {
    const holders = names.filter((name) => answersFor(world, name, vip));
    for (const [at, one] of holders.entries())
      for (const other of holders.slice(at + 1))
        if (hasLink(world, one, other) ? isLinked : !(isLinked || apiCuts.has(one) || apiCuts.has(other)))
          pairs.push(`${vip}: ${one} and ${other}`);
  }
  return pairs;
}

function unansweredOf(world: World): string[] {
  const { vips } = world;
  const found: string[] = [];
  for (const group of groupsOf(world)) {
    const able = group.filter((name) => isAble(world, name, group));
    if (able.length === 0) continue;
    const hears = able.every((one) => hearsOn(world, one, group));
    for (const vip of vips)
      if (!group.some((name) => answersFor(world, name, vip)))
        found.push(`${vip} among ${group.join(" ")}${hears ? "" : ALONE}`);
  }
  return found;
}

const ALONE = ", of whom one waits for Leases";

/** It has heard all others, and hears one that it has not lost, or has heard again for a while: then gossip tells it of deaths (combine.ts). */
function hearsOn({ names, speakers, now }: World, name: string, group: readonly string[]): boolean {
  const { heard = new Map<string, Heard>() } = speakers.get(name) ?? {};
  if (heard.size < names.length - 1) return false;
  return [...heard].some(([other, word]) => {
    const isLost = word.downAt !== undefined && now - word.at < LOST_MS;
    return isUp(word) && !isLost && group.includes(other);
  });
}

/** Longer than a node waits until deaths count again, and than a Lease holds. */
const LOST_MS = 6_000;

/** It may own addresses, is no newcomer, and has a word of who lives. */
function isAble({ speakers, excluded, apiCuts }: World, name: string, group: readonly string[]): boolean {
  const speaker = speakers.get(name);
  if (speaker === undefined || speaker.leavesAt !== undefined || excluded.has(name)) return false;
  if (speaker.stoppedUntil !== undefined) return false;
  if (!speaker.isCounted) return false;
  return !apiCuts.has(name) || group.length > 1;
}

/** Running nodes that reach each other, or the API server, by whatever way. */
function groupsOf(world: World): string[][] {
  const running = [...world.speakers].filter(([, { stoppedUntil }]) => stoppedUntil === undefined);
  const left = new Set(running.map(([name]) => name));
  const groups: string[][] = [];
  for (const first of world.names) {
    if (!left.delete(first)) continue;
    const group = [first];
    for (const one of group)
      for (const other of left)
        if (hasLink(world, one, other) || (!world.apiCuts.has(one) && !world.apiCuts.has(other))) {
          left.delete(other);
          group.push(other);
        }
    groups.push(group);
  }
  return groups;
}

function epochBack(before: World, after: World): string | undefined {
  for (const [name, { ownership }] of after.speakers) {
    const earlier = before.speakers.get(name)?.ownership;
    if (earlier === undefined || earlier === ownership) continue;
    for (const known of earlier.claims.list()) {
      const now = ownership.claims.of(known.vip);
      if ((now?.epoch ?? 0) < known.epoch)
        return `${name} knew epoch ${known.epoch} of ${known.vip}, and now knows ${now?.epoch ?? 0}`;
    }
  }
  return undefined;
}

function movedOf(before: World, after: World): string | undefined {
  for (const vip of after.vips) {
    const of = (world: World): string => world.names.filter((name) => answersFor(world, name, vip)).join(" ");
    if (of(before) !== of(after))
      return `${vip} moves from ${of(before)} to ${of(after)} though nothing happens`;
  }
  return undefined;
}
