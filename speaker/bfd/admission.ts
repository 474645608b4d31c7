/**
 * What the kernel lets into the sockets: a classic BPF program that drops what can be no session's packet, so that a
 * flood of forged ones never wakes the thread. The engine judges what comes in all the same. Pure.
 *
 * A filter of a UDP socket sees the datagram from its UDP header on.
 *
 *     0      8         9        10    11      12        16
 *     UDP    vers|diag sta|flags mult length  my discr. your discr. ...   (RFC 5880 section 4.1)
 */
import { assemble, CODE, type Instruction, NETWORK_HEADER } from "#speaker/native/filter-program.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import type { ListenerKind } from "./engine.ts";
import { CONTROL_BYTES } from "./packet.ts";

/** Who may be heard on one socket. */
export interface Admitted {
  /** Of our sessions with that distance and family. */
  readonly discriminators: readonly number[];
  /** Of all peers of the family: who speaks over the other distance shall be noticed. Undefined: anybody. */
  readonly addresses: readonly string[] | undefined;
  /** The smallest TTL that any of the sessions takes. */
  readonly minimumTtl: number;
}

const UDP_BYTES = 8;
const AT = { version: 8, flags: 9, multiplier: 10, length: 11, own: 12, your: 16 } as const;
const VERSION = { mask: 0xe0, value: 1 << 5 } as const;
const STATE = { mask: 0xc0, down: 1 << 6 } as const;
/** Authentication, which no session of ours has, and Multipoint, which must be zero. */
const NEVER_SET = 0x04 | 0x01;

/** Where IP has what is looked at (RFC 791 section 3.1, RFC 8200 section 3). */
const IP = {
  IPv4: { ttl: NETWORK_HEADER + 8, source: NETWORK_HEADER + 12, words: 1 },
  IPv6: { ttl: NETWORK_HEADER + 7, source: NETWORK_HEADER + 8, words: 4 },
} as const;

const DROP: Instruction = [CODE.return, 0, 0, 0];
const TAKE: Instruction = [CODE.return, 0, 0, 0xffff_ffff];

/** Drops unless the test, of what was loaded last, holds. */
const demand = (code: number, operand: number): Instruction[] => [[code, 1, 0, operand], DROP];
/** Drops if it holds. */
const forbid = (code: number, operand: number): Instruction[] => [[code, 0, 1, operand], DROP];
const load = (code: number, offset: number): Instruction => [code, 0, 0, offset];

export function admission(kind: ListenerKind, admitted: Admitted): Buffer {
  const family = kind.endsWith("IPv4") ? "IPv4" : "IPv6";
  const beginning = [...beginningSession(family, admitted.addresses)];
  return assemble([
    load(CODE.loadLength, 0),
    ...demand(CODE.jumpAtLeast, UDP_BYTES + CONTROL_BYTES),
    load(CODE.loadByte, IP[family].ttl),
    ...demand(CODE.jumpAtLeast, admitted.minimumTtl),
    // Section 6.8.6, in its order.
    load(CODE.loadByte, AT.version),
    [CODE.and, 0, 0, VERSION.mask],
    ...demand(CODE.jumpEqual, VERSION.value),
    load(CODE.loadByte, AT.length),
    ...demand(CODE.jumpAtLeast, CONTROL_BYTES),
    load(CODE.loadByte, AT.multiplier),
    ...forbid(CODE.jumpEqual, 0),
    load(CODE.loadByte, AT.flags),
    ...forbid(CODE.jumpAnyBit, NEVER_SET),
    load(CODE.loadWord, AT.own),
    ...forbid(CODE.jumpEqual, 0),
    load(CODE.loadWord, AT.your),
    // The two parts may be longer than a conditional jump is.
    [CODE.jumpEqual, 1, 0, 0],
    [CODE.jump, 0, 0, beginning.length],
    ...beginning,
    ...admitted.discriminators.flatMap((one): Instruction[] => [[CODE.jumpEqual, 0, 1, one], TAKE]),
    DROP,
  ]);
}

/** A packet without our discriminator: only a session that begins has such ones, and only from a peer's address. */
function beginningSession(
  family: keyof typeof IP,
  addresses: readonly string[] | undefined,
): readonly Instruction[] {
  const state: Instruction[] = [
    load(CODE.loadByte, AT.flags),
    [CODE.and, 0, 0, STATE.mask],
    ...forbid(CODE.jumpGreater, STATE.down),
  ];
  if (addresses === undefined) return [...state, TAKE];
  const { source, words } = IP[family];
  const places = Array.from({ length: words }, (_, at) => at);
  const keep = places.flatMap((at): Instruction[] => [
    load(CODE.loadWord, source + 4 * at),
    [CODE.storeScratch, 0, 0, at],
  ]);
  return [...state, ...keep, ...addresses.flatMap((address) => fromAddress(address, places)), DROP];
}

/** The last word first: in it neighbours differ. */
function fromAddress(address: string, places: readonly number[]): Instruction[] {
  const bytes = Buffer.from(parseAddress(address));
  return [
    ...places.toReversed().flatMap((at): Instruction[] => [
      load(CODE.loadScratch, at),
      // Past the words that are left, and past the end.
      [CODE.jumpEqual, 0, 2 * at + 1, bytes.readUInt32BE(4 * at)],
    ]),
    TAKE,
  ];
}
