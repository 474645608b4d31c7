/**
 * Adj-RIB-Out of one session: what the peer was told, what it is to be told, and the UPDATEs between the two. Prefixes
 * with equal attributes share an UPDATE, withdrawals go first, nothing is sent twice. UPDATEs are made one at a time,
 * when the connection takes them, out of what is wanted by then. No I/O.
 */
import { FAMILIES, type Family, familyOf } from "#api/address.ts";
import { AttributeTexts, DEFAULT_LOCAL_PREF } from "./attribute-text.ts";
import { type Difference, differenceOf, type List } from "./list-difference.ts";
import type { Negotiated } from "./negotiated.ts";
import type { Advertisement } from "./types.ts";
import { Origin, type PathAttributes, SegmentType } from "./wire/attribute.ts";
import { encodeAttributes } from "./wire/attributes.ts";
import {
  encodeMessage,
  HEADER_BYTES,
  MAX_EXTENDED_BYTES,
  MAX_MESSAGE_BYTES,
  MessageType,
} from "./wire/header.ts";
import { MAX_PREFIX_BYTES, writePrefix } from "./wire/prefix.ts";
import { encodeRefresh, RefreshKind } from "./wire/refresh.ts";
import { encodeEndOfRib, encodeUpdate } from "./wire/update.ts";

/** What is the same for all that goes to one peer. */
export interface RibContext {
  readonly negotiated: Negotiated;
  readonly localAsn: number;
  /** First the one that is used; the second is a link-local one. A family without one is not told. */
  readonly nextHops: Readonly<Partial<Record<Family, readonly string[]>>>;
}

/** What stands before the routes in MP_REACH_NLRI, next hops included, is shorter. */
const MP_REACH_BYTES = 64;
/** That, and the longest prefix: room that attributes have to leave. */
const AROUND_ROUTES = MP_REACH_BYTES + MAX_PREFIX_BYTES;

/** 10 Mbit/s: routers show it so, and take nothing but the ratio of two nodes' numbers. */
const BYTES_PER_POD = 1_250_000;

/** Different attributes of one table; pools, and so their advertisements, are fewer. */
const TEXTS_MAX = 1_000;

/** A prefix that the peer has, or is to have. */
interface Entry {
  /** Its attributes as text: as the peer has them, and as it is to have them. */
  sent: string | undefined;
  wanted: string | undefined;
  /** Of the whole pass before which, or in which, it was last wanted. */
  turn: number;
  advertisement: Advertisement;
}

export class AdjRibOut {
  readonly #context: RibContext;
  readonly #texts: AttributeTexts;
  readonly #entries = new Map<string, Entry>();
  /** What is wanted. */
  #list: List | undefined;
  /** Counts whole passes: entries that one has not touched are not wanted. */
  #turn = 0;
  /** Prefixes that the peer has. */
  #told = 0;
  /** Attributes as text -> one of those that have them. */
  #advertisements = new Map<string, Advertisement>();
  readonly #withdraw: Readonly<Record<Family, Set<string>>> = { IPv4: new Set(), IPv6: new Set() };
  /** Attributes as text -> prefixes that are to be told with them. */
  readonly #announce = new Map<string, Set<string>>();
  /** Families whose initial table is not told yet. */
  #unfinished: Set<Family> | undefined;
  /** What the peer has asked for again, however often: it is told when what is under way is told. */
  readonly #asked = new Set<Family>();
  /** Refreshes that are under way (RFC 7313). */
  readonly #refreshing = new Set<Family>();
  /** Prefixes that the peer has and is to hear again, whatever is wanted meanwhile. */
  readonly #again = new Set<string>();
  readonly #control: Buffer[] = [];
  /** Attributes as text -> encoded, without the routes. */
  readonly #encoded = new Map<string, Buffer>();
  /** Attributes as text -> whether they leave room for a route. */
  readonly #fits = new Map<string, boolean>();
  #keptBack = 0;

  constructor(context: RibContext) {
    this.#context = context;
    this.#texts = new AttributeTexts(context.negotiated.isInternal);
  }

  /** Prefixes that the peer has. */
  get size(): number {
    return this.#told;
  }

  /** Prefixes that the peer is not told, since their attributes leave no room for them in a message. */
  get keptBack(): number {
    return this.#keptBack;
  }

  get isSettled(): boolean {
    const isWithdrawn = FAMILIES.every((family) => this.#withdraw[family].size === 0);
    const isQuiet = isWithdrawn && this.#announce.size === 0 && this.#control.length === 0;
    const isRefreshed = this.#asked.size === 0 && this.#refreshing.size === 0;
    return isQuiet && isRefreshed && this.#unfinished?.size === 0;
  }

  /**
   * From now on the peer is to have exactly these; the work is in what differs from the list before. The initial table is
   * told, and End-of-RIB said, when a whole one was.
   */
  advertise(advertisements: readonly Advertisement[], isWhole = true): void {
    const before = this.#list;
    this.#list = advertisements;
    // Texts of attributes that nothing has any more are let go by a whole pass.
    if (before === undefined || this.#advertisements.size > TEXTS_MAX) this.#advertiseWhole(advertisements);
    else this.#change(differenceOf(before, advertisements));
    if (isWhole) this.#unfinished ??= new Set(this.#context.negotiated.families);
  }

  #change({ removed, added }: Difference): void {
    for (const advertisement of added) {
      const { prefix } = advertisement;
      if (!this.#isAdvertised(familyOf(prefix))) continue;
      const key = this.#texts.of(advertisement);
      if (this.#hasRoomFor(key, advertisement)) this.#wantOne(this.#entries.get(prefix), advertisement, key);
      else this.#keptBack += 1;
    }
    // What has other attributes now is another one by now, and is not withdrawn.
    for (const advertisement of removed) {
      const { prefix } = advertisement;
      if (!this.#isAdvertised(familyOf(prefix))) continue;
      if (!this.#hasRoomFor(this.#texts.of(advertisement), advertisement)) this.#keptBack -= 1;
      const entry = this.#entries.get(prefix);
      if (entry?.advertisement === advertisement) this.#forget(prefix, entry);
    }
  }

  #advertiseWhole(advertisements: readonly Advertisement[]): void {
    const [turn, before] = [this.#turn + 1, this.#entries.size];
    this.#turn = turn;
    this.#advertisements = new Map();
    this.#encoded.clear();
    this.#fits.clear();
    this.#keptBack = 0;
    let seen = 0;
    for (const advertisement of advertisements) {
      const { prefix } = advertisement;
      if (!this.#isAdvertised(familyOf(prefix))) continue;
      const entry = this.#entries.get(prefix);
      const known = entry?.advertisement === advertisement ? entry.wanted : undefined;
      const key = known ?? this.#texts.of(advertisement);
      if (!this.#hasRoomFor(key, advertisement)) {
        // RFC 8654 section 4: such a route is not sent, and withdrawn if it was sent before with other attributes.
        this.#keptBack += 1;
        continue;
      }
      if (entry !== undefined && entry.turn !== turn) seen += 1;
      this.#wantOne(entry, advertisement, key);
    }
    if (seen < before) this.#forgetOthers(before - seen);
  }

  /** False where the attributes alone fill the longest message that the peer takes. */
  #hasRoomFor(key: string, advertisement: Advertisement): boolean {
    let fits = this.#fits.get(key);
    if (fits === undefined) {
      const { communities, largeCommunities } = advertisement;
      const room = this.#room();
      // Lists that are longer by themselves are not written at all: an attribute's length has two octets.
      fits =
        4 * communities.length + 12 * largeCommunities.length < room &&
        this.#baseAttributes(key, advertisement, familyOf(advertisement.prefix)).length <=
          room - AROUND_ROUTES;
      this.#fits.set(key, fits);
    }
    return fits;
  }

  #wantOne(present: Entry | undefined, advertisement: Advertisement, key: string): void {
    const { prefix } = advertisement;
    if (!this.#advertisements.has(key)) this.#advertisements.set(key, advertisement);
    const entry = present ?? { sent: undefined, wanted: undefined, turn: this.#turn, advertisement };
    if (present === undefined) this.#entries.set(prefix, entry);
    entry.turn = this.#turn;
    entry.advertisement = advertisement;
    if (entry.wanted === key) return;
    if (entry.wanted === undefined) this.#withdraw[familyOf(prefix)].delete(prefix);
    else this.#unqueue(prefix, entry.wanted);
    entry.wanted = key;
    if (entry.sent !== key || this.#again.has(prefix)) this.#queue(prefix, key);
  }

  #forgetOthers(count: number): void {
    let left = count;
    for (const [prefix, entry] of this.#entries) {
      if (left === 0) return;
      if (entry.turn === this.#turn) continue;
      left -= 1;
      this.#forget(prefix, entry);
    }
  }

  /** The peer is not to have it any more. */
  #forget(prefix: string, entry: Entry): void {
    if (entry.wanted !== undefined) this.#unqueue(prefix, entry.wanted);
    entry.wanted = undefined;
    if (entry.sent === undefined) this.#entries.delete(prefix);
    else this.#withdraw[familyOf(prefix)].add(prefix);
  }

  /** The peer asks for everything again (RFC 2918). */
  refresh(family: Family): void {
    if (this.#isAdvertised(family)) this.#asked.add(family);
  }

  #beginRefresh(family: Family): void {
    this.#asked.delete(family);
    if (this.#context.negotiated.enhancedRouteRefresh) {
      this.#refreshing.add(family);
      this.#control.push(encodeMessage(MessageType.routeRefresh, encodeRefresh(family, RefreshKind.begin)));
    }
    for (const [prefix, { wanted }] of this.#entries) {
      if (wanted === undefined || familyOf(prefix) !== family) continue;
      this.#again.add(prefix);
      this.#queue(prefix, wanted);
    }
  }

  /** The next message to send; undefined when all is told. */
  next(): Buffer | undefined {
    const message = this.#nextMessage();
    const [asked] = this.#asked;
    if (message !== undefined || asked === undefined) return message;
    this.#beginRefresh(asked);
    return this.#nextMessage() ?? this.next();
  }

  #nextMessage(): Buffer | undefined {
    return this.#control.shift() ?? this.#nextWithdrawal() ?? this.#nextAnnouncement() ?? this.#nextEnd();
  }

  #isAdvertised(family: Family): boolean {
    const { negotiated, nextHops } = this.#context;
    return negotiated.families.includes(family) && nextHops[family] !== undefined;
  }

  #queue(prefix: string, key: string): void {
    const group = this.#announce.get(key);
    if (group === undefined) this.#announce.set(key, new Set([prefix]));
    else group.add(prefix);
  }

  #unqueue(prefix: string, key: string): void {
    const group = this.#announce.get(key);
    group?.delete(prefix);
    if (group?.size === 0) this.#announce.delete(key);
  }

  #noteSent(prefix: string, key: string): void {
    const entry = this.#entries.get(prefix);
    if (entry === undefined) return;
    if (entry.sent === undefined) this.#told += 1;
    entry.sent = key;
  }

  #nextWithdrawal(): Buffer | undefined {
    for (const family of FAMILIES) {
      const prefixes = this.#withdraw[family];
      if (prefixes.size === 0) continue;
      // Two octets for each length, and the attribute's head where one is needed.
      const packed = this.#pack(prefixes, this.#room() - 16);
      for (const prefix of packed.prefixes) {
        prefixes.delete(prefix);
        this.#again.delete(prefix);
        this.#entries.delete(prefix);
        this.#told -= 1;
      }
      return this.#message(
        this.#isClassic(family) ? { withdrawn: packed.nlri } : this.#unreach(family, packed.nlri),
      );
    }
    return undefined;
  }

  #nextAnnouncement(): Buffer | undefined {
    for (const [key, group] of this.#announce) {
      const advertisement = this.#advertisements.get(key);
      const [first] = group;
      if (advertisement === undefined || first === undefined) {
        this.#announce.delete(key);
        continue;
      }
      const family = familyOf(first);
      const base = this.#baseAttributes(key, advertisement, family);
      const packed = this.#pack(group, this.#room() - base.length - MP_REACH_BYTES);
      for (const prefix of packed.prefixes) {
        group.delete(prefix);
        this.#again.delete(prefix);
        this.#noteSent(prefix, key);
      }
      if (group.size === 0) this.#announce.delete(key);
      if (this.#isClassic(family)) return this.#message({ attributes: base, nlri: packed.nlri });
      const nextHops = this.#context.nextHops[family] ?? [];
      const reach = encodeAttributes(
        { mpReach: { family, nextHops, nlri: packed.nlri } },
        this.#context.negotiated,
      );
      // RFC 7606 section 5.1: first in the list, so that its routes can be told whatever follows.
      return this.#message({ attributes: Buffer.concat([reach, base]) });
    }
    return undefined;
  }

  /** What is said after all routes: the end of a refresh, or of the initial table. */
  #nextEnd(): Buffer | undefined {
    const [refreshed] = this.#refreshing;
    if (refreshed !== undefined) {
      this.#refreshing.delete(refreshed);
      return encodeMessage(MessageType.routeRefresh, encodeRefresh(refreshed, RefreshKind.end));
    }
    const [family] = this.#unfinished ?? [];
    if (family === undefined) return undefined;
    this.#unfinished?.delete(family);
    return encodeMessage(MessageType.update, encodeEndOfRib(family, this.#context.negotiated));
  }

  /** IPv4 with an IPv4 next hop goes in the fields that RFC 4271 has for it. */
  #isClassic(family: Family): boolean {
    return family === "IPv4" && this.#context.nextHops.IPv4?.[0]?.includes(":") !== true;
  }

  #unreach(family: Family, nlri: Buffer): { attributes: Buffer } {
    return { attributes: encodeAttributes({ mpUnreach: { family, nlri } }, this.#context.negotiated) };
  }

  #baseAttributes(key: string, advertisement: Advertisement, family: Family): Buffer {
    const known = this.#encoded.get(key);
    if (known !== undefined) return known;
    const { negotiated, localAsn, nextHops } = this.#context;
    const {
      localPref = DEFAULT_LOCAL_PREF,
      prepend = 0,
      med,
      pods,
      communities,
      largeCommunities,
    } = advertisement;
    const asns = Array.from({ length: 1 + prepend }, () => localAsn);
    const path = negotiated.isInternal ? [] : [{ type: SegmentType.sequence, asns }];
    const needsAs4 = !negotiated.as4 && !negotiated.isInternal && localAsn > 0xffff;
    const attributes: PathAttributes = {
      origin: Origin.igp,
      asPath: path,
      ...(this.#isClassic(family) && { nextHop: nextHops.IPv4?.[0] ?? "" }),
      ...(med !== undefined && { multiExitDisc: med }),
      ...(negotiated.isInternal && { localPref }),
      ...(communities.length > 0 && { communities }),
      ...(pods !== undefined && { linkBandwidth: { asn: localAsn, bytesPerSecond: pods * BYTES_PER_POD } }),
      // RFC 6793 section 4.2.2: AS_PATH says AS_TRANS to a peer without 4-octet numbers.
      ...(needsAs4 && { as4Path: path }),
      ...(largeCommunities.length > 0 && { largeCommunities }),
      ...(negotiated.marksOnlyToCustomer && { onlyToCustomer: localAsn }),
    };
    const bytes = encodeAttributes(attributes, negotiated);
    this.#encoded.set(key, bytes);
    return bytes;
  }

  #room(): number {
    const longest = this.#context.negotiated.extendedMessage ? MAX_EXTENDED_BYTES : MAX_MESSAGE_BYTES;
    return longest - HEADER_BYTES - 4;
  }

  #pack(prefixes: Iterable<string>, room: number): { nlri: Buffer; prefixes: string[] } {
    const nlri = Buffer.allocUnsafe(room + MAX_PREFIX_BYTES);
    const packed: string[] = [];
    let bytes = 0;
    for (const prefix of prefixes) {
      const end = writePrefix(prefix, nlri, bytes);
      if (end > room) break;
      bytes = end;
      packed.push(prefix);
    }
    return { nlri: nlri.subarray(0, bytes), prefixes: packed };
  }

  #message(parts: Parameters<typeof encodeUpdate>[0]): Buffer {
    return encodeMessage(MessageType.update, encodeUpdate(parts));
  }
}
