/**
 * Who is alive, out of both words about it: the Leases, which come through the API server and take seconds, and gossip,
 * which comes from the nodes themselves and takes half a second. Pure.
 *
 * - Who gossip calls dead is dead at once, however fresh the Lease is. If the Lease goes on, nodes do not hear each other
 *   and yet live: then the Lease is right.
 * - Who gossip calls alive is alive, however old the Lease is: the API server may be away, for it or for all. Who was dead
 *   is alive again when it also renewed its Lease: a speaker that starts anew does so when it can take over. Where that
 *   does not come it is taken back after a while: it may be cut off from the API server.
 * - Of whom gossip never heard (an older release, a blocked port, another key) the Lease is judged, as without gossip.
 * - Who lost everybody at once is cut off itself, and judges nobody by gossip, until it has heard one again for a while:
 *   who was cut off hears all others again by then, and those that it does not hear are dead.
 */
import type { Heard } from "../gossip/gossip.ts";
import { isUp } from "../gossip/types.ts";
import { type Judgement, judgement, type Renewals } from "./liveness.ts";

export interface CombineInput {
  readonly own: string;
  readonly now: number;
  readonly lease: Judgement;
  readonly renewals: (node: string) => Renewals | undefined;
  /** Nobody where gossip does not run. */
  readonly heard: ReadonlyMap<string, Heard>;
}

/** A renewal of the last moment may come in so much later. */
const STRAY_MS = 500;
/** Alive again by gossip for so long, without its Lease: that is enough. */
const REJOIN_MS = 3_000;
/** Deaths of all others in so short a time are none. */
const TOGETHER_MS = 3_000;
/**
 * Who was cut off hears all others again in less, once it hears one: of 30 members within 3.5 s where every fifth datagram
 * is lost, and at once where none is (simulated).
 */
const REUNITED_MS = 5_000;

export function combine(input: CombineInput): Judgement {
  const { lease, heard, own } = input;
  if (![...heard].some(([name, word]) => isUp(word) || !isVoid(name, input))) return lease;
  const live: string[] = [];
  const dead: string[] = [];
  const byLease = new Set(lease.live);
  for (const node of [...lease.live, ...lease.dead].sort()) {
    const verdict = node === own ? undefined : verdictOf(node, input);
    if (verdict === "live" || (verdict === undefined && byLease.has(node))) live.push(node);
    else if (verdict !== "left") dead.push(node);
  }
  return judgement({ ...lease, live, dead, isFrozen: false });
}

/** Undefined: as its Lease says. */
function verdictOf(node: string, input: CombineInput): "live" | "dead" | "left" | undefined {
  const { now, lease, renewals, heard } = input;
  const word = heard.get(node);
  if (word === undefined) return undefined;
  const { last, before } = renewals(node) ?? { last: 0, before: undefined };
  if (isUp(word)) {
    const isBack = word.downAt === undefined || last > word.downAt;
    return isBack || lease.isFrozen || now - word.at >= REJOIN_MS ? "live" : "dead";
  }
  if (word.state === "dead" && isVoid(node, input)) return undefined;
  // Where the API server is away, what the Lease said last counts on.
  const goesOn = before !== undefined && before > word.at + STRAY_MS;
  if (goesOn) return undefined;
  return word.state === "left" ? "left" : "dead";
}

/** When a node died all others did: then it was this one that was cut off, though some may just be heard again. */
function isVoid(node: string, { heard, now }: Pick<CombineInput, "heard" | "now">): boolean {
  const at = heard.get(node)?.downAt;
  if (at === undefined || heard.size < 2) return false;
  if ([...heard.values()].some((word) => isUp(word) && now - word.at >= REUNITED_MS)) return false;
  const died = ({ downAt }: Heard): boolean => downAt !== undefined && Math.abs(downAt - at) < TOGETHER_MS;
  return [...heard.values()].every(died);
}

/** Nodes that live by their Leases and were not heard by gossip for `ms`, or never, sorted. */
export function unheard(
  { own, now, lease, heard }: Omit<CombineInput, "renewals">,
  knownSince: (node: string) => number | undefined,
  ms: number,
): string[] {
  const silentSince = (node: string): number | undefined => {
    const word = heard.get(node);
    if (word === undefined) return knownSince(node);
    return isUp(word) ? undefined : word.at;
  };
  return lease.live.filter((node) => node !== own && now - (silentSince(node) ?? now) > ms);
}
