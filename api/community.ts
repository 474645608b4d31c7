/** BGP communities as users write them: `65000:100`, `large:65000:1:2`, `no-export`. Pure. */

/** Three 32-bit parts (RFC 8092). */
export type LargeCommunity = readonly [globalAdministrator: number, local1: number, local2: number];

export type Community =
  /** One 32-bit value: two 16-bit parts (RFC 1997). */
  | { readonly kind: "standard"; readonly value: number }
  | { readonly kind: "large"; readonly value: LargeCommunity };

/** IANA's registry of well-known communities: RFC 1997, 3765, 7999, 8326. */
const WELL_KNOWN_COMMUNITIES: ReadonlyMap<string, number> = new Map([
  ["graceful-shutdown", 0xffff0000],
  ["blackhole", 0xffff029a],
  ["no-export", 0xffffff01],
  ["no-advertise", 0xffffff02],
  ["no-export-subconfed", 0xffffff03],
  ["no-peer", 0xffffff04],
]);

const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;

/** undefined if the text is no community or one of its numbers is too large. */
export function parseCommunity(text: string): Community | undefined {
  const known = WELL_KNOWN_COMMUNITIES.get(text);
  if (known !== undefined) return { kind: "standard", value: known };
  const large = /^large:(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(text);
  if (large !== null) {
    const [a = 0, b = 0, c = 0] = large.slice(1).map(Number);
    return Math.max(a, b, c) <= MAX_32 ? { kind: "large", value: [a, b, c] } : undefined;
  }
  const standard = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  if (standard === null) return undefined;
  const [high = 0, low = 0] = standard.slice(1).map(Number);
  return Math.max(high, low) <= MAX_16 ? { kind: "standard", value: high * 0x10000 + low } : undefined;
}
