/**
 * This node's part in who owns what: it claims what it owns, hears what others claim, and remembers since when it owns
 * an address, and why. Pure: time is an argument.
 *
 * - Who takes an address over from a node that may not own it any more claims it, with a higher epoch: when that node
 *   returns, it finds the claim and takes nothing.
 * - An address that nobody has claimed is claimed when its owner has had it for a minute. Until then the election alone
 *   decides, as long as nodes are still coming: the first speaker of a cluster that starts is not to keep everything.
 */
import type { AddressPlan } from "../plan/addresses.ts";
import { rebalance } from "../plan/rebalance.ts";
import { type Claim, Claims, firstEpoch, MOST_EPOCH } from "./claims.ts";

export interface Ownership {
  readonly node: string;
  readonly claims: Claims;
  /** Address -> how this node came to own it. */
  readonly owned: Map<string, Tenure>;
  /** Address -> its owner when it was last looked at. */
  owners: ReadonlyMap<string, string>;
  /** What it was last looked at with. */
  addresses: readonly AddressPlan[];
  /** All addresses of the plan: of others no claim is kept. */
  vips: ReadonlySet<string>;
  /** Address -> the epoch by which somebody outside of the cluster was told that this node owns it. */
  readonly told: Map<string, number>;
  /** The word after which addresses were spread last, or that stood there when this node first looked. */
  rebalanced: { readonly after: string | undefined } | undefined;
}

export interface Tenure {
  /** By the clock that only goes on, milliseconds. */
  readonly since: number;
  readonly date: Date;
  /** Who had it before; undefined: nobody. */
  readonly from: string | undefined;
  readonly why: TenureReason;
  claimedAt: number | undefined;
}

export type TenureReason =
  /** Nobody had it before, as far as this speaker knows. */
  | "First"
  /** The owner before fell silent. */
  | "Dead"
  /** The owner before said goodbye, or has no speaker any more. */
  | "Left"
  /** The owner before lives, and may not own it any more. */
  | "Ineligible"
  /** The owner before could go on: the election prefers this node, or two claimed it. */
  | "Elected"
  /** The owner before could go on, and claimed the address for this node. */
  | "Given";

/** An address that nobody has claimed is claimed after so long, milliseconds. */
const SETTLED_MS = 60_000;
/**
 * An address of a node that fell silent is claimed after so long, milliseconds: who thinks one node dead and then all
 * others is cut off itself, and has claimed nothing until it knows.
 */
const SURE_MS = 1_000;
/** Not more often than this, so that nodes that judge differently for long do not count up against each other. */
const CLAIM_AGAIN_MS = 1_000;

export function startOwnership(node: string): Ownership {
  return {
    node,
    claims: new Claims(),
    owned: new Map(),
    owners: new Map(),
    addresses: [],
    vips: new Set(),
    told: new Map(),
    rebalanced: undefined,
  };
}

/** The claims that count, of those that were heard: each for an address that Services have, by a node that is known. */
export function hearClaims(
  { claims, vips }: Ownership,
  heard: readonly Claim[],
  isMember: (node: string) => boolean,
): Claim[] {
  return heard.filter((claim) => vips.has(claim.vip) && isMember(claim.node) && claims.add(claim));
}

/**
 * `from` may give this node the address of the claim: it owns it, as far as is known here, or has claimed it. What this
 * node owns itself anybody may give it: nothing moves then.
 */
export function isForUs({ claims, owners, node }: Ownership, { vip }: Claim, from: string): boolean {
  const claimant = claims.of(vip)?.node;
  return [from, node].some((one) => one === owners.get(vip) || one === claimant);
}

export interface OwnershipInput {
  /** The latest word of whoever asked to spread the addresses anew; undefined: nobody did, or owners do not stay. */
  readonly rebalance?: string | undefined;
  readonly addresses: readonly AddressPlan[];
  readonly live: readonly string[];
  readonly dead: readonly string[];
  /** This node knows what others claim, and hears them: else it claims nothing. */
  readonly mayClaim: boolean;
  readonly now: number;
  readonly date: Date;
}

export interface Claimed {
  /** What this node claims from now on. */
  readonly made: readonly Claim[];
  /** What it claims for others, and so gives away. */
  readonly given: readonly Claim[];
  /** When there may be more to claim, though nothing else happens. */
  readonly againAt: number | undefined;
}

/** Looks at a new plan. */
export function claim(ownership: Ownership, input: OwnershipInput): Claimed {
  const { node, claims, owned, told } = ownership;
  takePlan(ownership, input);
  const made: Claim[] = [];
  let againAt: number | undefined;
  for (const [vip, tenure] of owned) {
    const known = claims.of(vip);
    const isOwn = known?.node === node && known.epoch >= (told.get(vip) ?? 0);
    if (!input.mayClaim || isOwn || known?.epoch === MOST_EPOCH) continue;
    const dueAt = claimDueAt(tenure, known !== undefined);
    if (input.now < dueAt) {
      againAt = Math.min(againAt ?? dueAt, dueAt);
      continue;
    }
    tenure.claimedAt = input.now;
    const own = { vip, node, epoch: ownEpoch(ownership, vip, tenure) };
    claims.add(own);
    made.push(own);
  }
  return { made, given: [...giveAway(ownership, input), ...giveBack(ownership, input)], againAt };
}

/**
 * Somebody outside was told that this node owns an address, by an epoch that no claim had yet, or that another one's claim
 * has, too, and it does not own it any more: as when a node that was cut off hears the others again. Who does own it would
 * not be believed. So it is given the address by an epoch that is above all that was told.
 */
function giveBack(
  { claims, owned, owners, told, vips, node }: Ownership,
  { mayClaim }: OwnershipInput,
): Claim[] {
  if (!mayClaim) return [];
  const given: Claim[] = [];
  for (const [vip, epoch] of told) {
    if (owned.has(vip)) continue;
    const known = claims.of(vip);
    const owner = owners.get(vip);
    // Nobody can own it for the moment: who comes next is looked at then.
    if (vips.has(vip) && (owner === undefined || owner === node)) continue;
    told.delete(vip);
    if (owner === undefined || epoch >= MOST_EPOCH || (known !== undefined && known.epoch > epoch)) continue;
    const claim = { vip, node: owner, epoch: epoch + 1 };
    claims.add(claim);
    given.push(claim);
  }
  return given;
}

/** Each node gives away what is its own, once for each time that somebody asks for it. */
function giveAway(
  ownership: Ownership,
  { rebalance: word, mayClaim, addresses, date }: OwnershipInput,
): Claim[] {
  const { node, claims, rebalanced } = ownership;
  // Who starts owns nothing that it could give, and what is long done is not to be done again.
  if (rebalanced === undefined) ownership.rebalanced = { after: word };
  if (rebalanced === undefined || rebalanced.after === word || !mayClaim) return [];
  ownership.rebalanced = { after: word };
  if (word === undefined) return [];
  const given: Claim[] = [];
  for (const [vip, to] of rebalance(addresses)) {
    const present = claims.of(vip)?.epoch ?? epochOf(ownership, vip) ?? firstEpoch(date);
    const epoch = Math.max(present, ownership.told.get(vip) ?? 0);
    if (ownership.owners.get(vip) !== node || epoch === MOST_EPOCH) continue;
    const claim = { vip, node: to, epoch: epoch + 1 };
    claims.add(claim);
    given.push(claim);
  }
  return given;
}

/**
 * The epoch of this node's claim on an address that it owns: of the one that it has made, or is to make. undefined: it
 * does not own it.
 */
export function epochOf(ownership: Ownership, vip: string): number | undefined {
  const tenure = ownership.owned.get(vip);
  return tenure && ownEpoch(ownership, vip, tenure);
}

/** Never below what was told outside, or the next owner's claim might be. */
function ownEpoch({ node, claims, told }: Ownership, vip: string, tenure: Tenure): number {
  const known = claims.of(vip);
  const epoch = known?.node === node ? known.epoch : nextEpoch(known, tenure);
  return Math.min(Math.max(epoch, told.get(vip) ?? 0), MOST_EPOCH);
}

/** Who had it may have claimed it unheard. */
function nextEpoch(known: Claim | undefined, tenure: Tenure): number {
  return known === undefined ? firstEpoch(tenure.date) + Number(tenure.from !== undefined) : known.epoch + 1;
}

const isTaken = ({ why }: Tenure): boolean => why === "Dead" || why === "Left" || why === "Ineligible";

function claimDueAt(tenure: Tenure, isClaimed: boolean): number {
  const { why, since, claimedAt } = tenure;
  if (claimedAt !== undefined) return claimedAt + CLAIM_AGAIN_MS;
  if (why === "Dead") return since + SURE_MS;
  return isClaimed || isTaken(tenure) ? since : since + SETTLED_MS;
}

function takePlan(ownership: Ownership, { addresses, live, dead, now, date }: OwnershipInput): void {
  if (addresses === ownership.addresses) return;
  const { node, claims, owned, owners: before } = ownership;
  const owners = new Map<string, string>();
  for (const { vip, owner, links, candidates } of addresses) {
    if (owner === undefined) {
      // Nobody may own it: who had it last is remembered for when somebody may.
      const last = before.get(vip);
      if (last !== undefined) owners.set(vip, last);
    } else owners.set(vip, owner);
    if (owner !== node || links.length === 0) owned.delete(vip);
    else if (!owned.has(vip)) {
      const last = [claims.of(vip)?.node, before.get(vip)].find((one) => one !== undefined && one !== node);
      owned.set(vip, {
        since: now,
        date,
        from: last,
        why: reasonOf(last, { live, dead, candidates, isGiven: claims.of(vip)?.node === node }),
        claimedAt: undefined,
      });
    }
  }
  ownership.addresses = addresses;
  ownership.owners = owners;
  ownership.vips = new Set(addresses.map(({ vip }) => vip));
  claims.keep(ownership.vips);
  for (const vip of owned.keys()) if (!ownership.vips.has(vip)) owned.delete(vip);
}

function reasonOf(
  last: string | undefined,
  {
    live,
    dead,
    candidates,
    isGiven,
  }: Pick<OwnershipInput, "live" | "dead"> & Pick<AddressPlan, "candidates"> & { readonly isGiven: boolean },
): TenureReason {
  if (last === undefined) return "First";
  if (candidates.includes(last)) return isGiven ? "Given" : "Elected";
  if (dead.includes(last)) return "Dead";
  return live.includes(last) ? "Ineligible" : "Left";
}
