/** Forwarding ids and firewall marks. Pure. */
import { MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";

const TIER_2 = 0x2000;
/** kube-proxy's bits, and bit 31, with which ipvsadm prints a mark as a negative number. */
const FOREIGN = 0xc000;
const TOP = 0x80000000;

export type Tier = 1 | 2;

/**
 * The mark of an id: its upper 15 bits in bits 16-30, its lower 12 in bits 0-11, the routing bit, and 0x2000 in tier 2.
 * Throws a RangeError for an id that is none.
 */
export function markOf(id: number, tier: Tier, routingBit: number): number {
  if (!Number.isInteger(id) || id < 1 || id > MAX_FORWARDING_ID) throw new RangeError(`forwarding id ${id}`);
  return ((id >>> 12) << 16) | (id & 0xfff) | routingBit | (tier === 2 ? TIER_2 : 0);
}

/** The id of a mark that `markOf` made, of either tier. */
export const idOf = (mark: number): number => ((mark >>> 16) << 12) | (mark & 0xfff);

/** The tier of a mark that `markOf` made. */
export const tierOf = (mark: number): Tier => ((mark & TIER_2) === 0 ? 1 : 2);

/** Whether a routing bit leaves ids, tier and other agents' bits alone. */
export function isRoutingBit(bit: number): boolean {
  return bit === 0x1000;
}

export const hasForeignBits = (mark: number): boolean => ((mark & (FOREIGN | TOP)) | 0) !== 0;
