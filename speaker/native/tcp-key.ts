/** Keys that sign a connection's segments: TCP MD5 (RFC 2385) and TCP-AO (RFC 5925). Structures of linux/tcp.h. */
import type { AoAlgorithm, TcpAo } from "#api/tcp-ao.ts";
import type { Password } from "../known/password.ts";
import { short, sockaddr } from "./sockaddr.ts";
import { SocketError } from "./socket.ts";
import { IPPROTO, type SetOption } from "./tcp-option.ts";

/** Whose segments a key is for. */
export interface KeyPeer {
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  /** Scope of a link-local address. */
  readonly link?: string;
  /** The key is for all addresses that have so many bits in common with this one (Linux 4.13 and later). */
  readonly prefixLength?: number;
}

export interface SegmentKey {
  /** At most 80 bytes of UTF-8. */
  readonly password: Password;
  /** TCP-AO; MD5 when not given. */
  readonly ao?: TcpAo;
}

const OPTION = { md5: 14, md5OfPrefix: 32, aoAddKey: 38, aoDeleteKey: 39 } as const;
/** struct tcp_md5sig: sockaddr_storage, u8 flags, u8 prefix length, u16 key length, int interface, key. */
const MD5 = { bytes: 216, flags: 128, prefixLength: 129, keyLength: 130, key: 136, flagPrefix: 1 } as const;
/** struct tcp_ao_add; its interface, key flags and "current" bits stay 0. */
const AO_ADD = {
  ...{ bytes: 288, algorithm: 128, prefixLength: 202, sendId: 203, receiveId: 204 },
  ...{ macLength: 205, keyLength: 207, key: 208 },
} as const;
/** struct tcp_ao_del; likewise. */
const AO_DELETE = { bytes: 144, prefixLength: 138, sendId: 139, receiveId: 140 } as const;
/** Of both kinds (TCP_MD5SIG_MAXKEYLEN, TCP_AO_MAXKEYLEN). */
const LONGEST_KEY = 80;
/** RFC 5926 section 3: 96 bits of the code are sent, whatever the algorithm. */
const MAC_OCTETS = 12;
const WHOLE_ADDRESS = { IPv4: 32, IPv6: 128 } as const;

/** As the kernel names them. */
const KERNEL_NAMES: Readonly<Record<AoAlgorithm, string>> = {
  "HMAC-SHA-1-96": "hmac(sha1)",
  "AES-128-CMAC-96": "cmac(aes128)",
};

/**
 * Signs what goes to the peer and refuses what it does not sign so; undefined: takes the key `before` away. A socket
 * has no keys of both kinds for one peer, and none of TCP-AO is changed in place: the one before goes first.
 * Throws SocketError ENOPROTOOPT where the kernel has no such signatures.
 */
export function signWith(
  set: SetOption,
  peer: KeyPeer,
  key: SegmentKey | undefined,
  before?: SegmentKey,
): void {
  const { ao } = key ?? {};
  if (before?.ao !== undefined) removeAo(set, peer, before.ao);
  else if (before !== undefined && !changesInPlace(before, key)) setMd5(set, peer, undefined);
  if (key !== undefined && ao !== undefined) addAo(set, peer, key.password, ao);
  else if (key !== undefined || before?.ao === undefined) setMd5(set, peer, key?.password);
}

/**
 * Whether a socket always has one of the two keys while signWith puts the one in the other's place, and still has the one
 * before where that fails: of MD5 alone. With TCP-AO both ends would need a second key for the while (RFC 5925 section 3.3).
 */
export const changesInPlace = (before: SegmentKey | undefined, key: SegmentKey | undefined): boolean =>
  before?.ao === undefined && key?.ao === undefined;

function keyBytes(password: Password | undefined): Buffer {
  const key = Buffer.from(password?.reveal() ?? "");
  if (key.length <= LONGEST_KEY) return key;
  const message = `the password is longer than ${LONGEST_KEY} bytes`;
  throw new SocketError({ syscall: "setsockopt", code: "EINVAL", errno: 22, message });
}

function setMd5(set: SetOption, peer: KeyPeer, password: Password | undefined): void {
  const key = keyBytes(password);
  const value = Buffer.alloc(MD5.bytes);
  sockaddr(peer).copy(value);
  short(key.length).copy(value, MD5.keyLength);
  key.copy(value, MD5.key);
  const { prefixLength } = peer;
  if (prefixLength !== undefined) {
    value.writeUInt8(MD5.flagPrefix, MD5.flags);
    value.writeUInt8(prefixLength, MD5.prefixLength);
  }
  const option = prefixLength === undefined ? OPTION.md5 : OPTION.md5OfPrefix;
  if (password !== undefined) set(IPPROTO.tcp, option, value);
  else orGone(() => set(IPPROTO.tcp, option, value));
}

function addAo(set: SetOption, peer: KeyPeer, password: Password, ao: TcpAo): void {
  const key = keyBytes(password);
  const value = Buffer.alloc(AO_ADD.bytes);
  sockaddr(peer).copy(value);
  value.write(KERNEL_NAMES[ao.algorithm], AO_ADD.algorithm, "latin1");
  value.writeUInt8(prefixLengthOf(peer), AO_ADD.prefixLength);
  value.writeUInt8(ao.sendId, AO_ADD.sendId);
  value.writeUInt8(ao.receiveId, AO_ADD.receiveId);
  value.writeUInt8(MAC_OCTETS, AO_ADD.macLength);
  value.writeUInt8(key.length, AO_ADD.keyLength);
  key.copy(value, AO_ADD.key);
  try {
    set(IPPROTO.tcp, OPTION.aoAddKey, value);
  } catch (error) {
    if (!(error instanceof SocketError) || error.code !== "ENOPROTOOPT") throw error;
    const { syscall, code, errno } = error;
    const message =
      "TCP-AO: this node's kernel has none (Linux 6.7 or later has it, built with CONFIG_TCP_AO)";
    throw new SocketError({ syscall, code, errno, message });
  }
}

function removeAo(set: SetOption, peer: KeyPeer, { sendId, receiveId }: TcpAo): void {
  const value = Buffer.alloc(AO_DELETE.bytes);
  sockaddr(peer).copy(value);
  value.writeUInt8(prefixLengthOf(peer), AO_DELETE.prefixLength);
  value.writeUInt8(sendId, AO_DELETE.sendId);
  value.writeUInt8(receiveId, AO_DELETE.receiveId);
  orGone(() => set(IPPROTO.tcp, OPTION.aoDeleteKey, value));
}

const prefixLengthOf = ({ family, prefixLength }: KeyPeer): number => prefixLength ?? WHOLE_ADDRESS[family];

/** That there is no such key is what was asked for. */
function orGone(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!(error instanceof SocketError) || error.code !== "ENOENT") throw error;
  }
}
