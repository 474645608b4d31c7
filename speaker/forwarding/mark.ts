/** Forwarding ids, tags of pods, and firewall marks. Pure. */
import { MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";

const TIER_2 = 0x2000;
/** kube-proxy's bits, and bit 31, with which ipvsadm prints a mark as a negative number. */
const FOREIGN = 0xc000;
const TOP = 0x80000000;
const ID_BITS = 18;
/** Of 27 bits, those that an id leaves. */
export const MAX_TAG = 2 ** 9 - 1;
/** In place of a tag: of no pod of the port more than of another. */
export const NO_TAG = 0;

export type Tier = 1 | 2;

/**
 * The mark of an id, in tier 2 also of the tag of a pod (tags.ts): the upper 15 bits of both in bits 16-30, the lower 12 in
 * bits 0-11, the routing bit, and 0x2000 in tier 2. Throws a RangeError for what is no id, or no tag.
 */
export function markOf(id: number, tier: Tier, routingBit: number, tag = NO_TAG): number {
  if (!Number.isInteger(id) || id < 1 || id > MAX_FORWARDING_ID) throw new RangeError(`forwarding id ${id}`);
  if (!Number.isInteger(tag) || tag < 0 || tag > MAX_TAG) throw new RangeError(`tag ${tag}`);
  const both = (tag << ID_BITS) | id;
  return ((both >>> 12) << 16) | (both & 0xfff) | routingBit | (tier === 2 ? TIER_2 : 0);
}

/** What `markOf` laid into a mark, of either tier. */
const bothOf = (mark: number): number => ((mark >>> 16) << 12) | (mark & 0xfff);

/** The id of a mark that `markOf` made. */
export const idOf = (mark: number): number => bothOf(mark) & MAX_FORWARDING_ID;

/** The tag of a mark that `markOf` made. */
export const tagOf = (mark: number): number => bothOf(mark) >>> ID_BITS;

/** Whether its virtual server is for one tag alone. */
export const hasTag = (mark: number): boolean => tagOf(mark) !== NO_TAG;

/** The tier of a mark that `markOf` made. */
export const tierOf = (mark: number): Tier => ((mark & TIER_2) === 0 ? 1 : 2);

/** Whether a routing bit leaves ids, tier and other agents' bits alone. */
export function isRoutingBit(bit: number): boolean {
  return bit === 0x1000;
}

export const hasForeignBits = (mark: number): boolean => ((mark & (FOREIGN | TOP)) | 0) !== 0;
