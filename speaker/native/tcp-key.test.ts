import assert from "node:assert/strict";
import { test } from "node:test";
import type { TcpAo } from "#api/tcp-ao.ts";
import { Password } from "../known/password.ts";
import { SocketError } from "./socket.ts";
import { type KeyPeer, type SegmentKey, signWith } from "./tcp-key.ts";

const PEER: KeyPeer = { family: "IPv4", address: "10.0.0.2" };
const AO: TcpAo = { sendId: 5, receiveId: 7, algorithm: "AES-128-CMAC-96" };
const md5 = (text: string): SegmentKey => ({ password: new Password(text) });
const ao = (text: string, more: Partial<TcpAo> = {}): SegmentKey => ({
  ...md5(text),
  ao: { ...AO, ...more },
});

/** What the kernel is told, in words: by option, with the lengths of keys. */
function told(peer: KeyPeer, key: SegmentKey | undefined, before?: SegmentKey): string[] {
  const words: string[] = [];
  signWith(
    (_level, option, value) => {
      if (option === 14 || option === 32) words.push(`MD5 ${value.readUInt8(130)}`);
      else if (option === 38) words.push(`add AO ${value[203]} ${value[204]}`);
      else if (option === 39) words.push(`remove AO ${value[139]} ${value[140]}`);
    },
    peer,
    key,
    before,
  );
  return words;
}

test("one kind of key gives way to the other, and a changed one of TCP-AO to the next (RFC 5925 section 3.1)", () => {
  const cases: readonly (readonly [SegmentKey | undefined, SegmentKey | undefined, string[]])[] = [
    [undefined, md5("abc"), ["MD5 3"]],
    [md5("abc"), md5("abcd"), ["MD5 4"]],
    [md5("abc"), undefined, ["MD5 0"]],
    [undefined, ao("abc"), ["add AO 5 7"]],
    [ao("abc"), undefined, ["remove AO 5 7"]],
    [ao("abc"), ao("abc", { sendId: 6 }), ["remove AO 5 7", "add AO 6 7"]],
    [md5("abc"), ao("abc"), ["MD5 0", "add AO 5 7"]],
    [ao("abc"), md5("abc"), ["remove AO 5 7", "MD5 3"]],
  ];
  for (const [before, key, words] of cases) assert.deepEqual(told(PEER, key, before), words);
});

test("a key of TCP-AO as struct tcp_ao_add of linux/tcp.h has it", () => {
  let given: Buffer = Buffer.alloc(0);
  const set = (_level: number, _option: number, value: Buffer): void => {
    given = value;
  };
  signWith(set, PEER, ao("s3cret"));
  assert.equal(given.length, 288);
  assert.deepEqual([...given.subarray(4, 8)], [10, 0, 0, 2]);
  assert.equal(given.toString("latin1", 128, 192).replace(/\0+$/, ""), "cmac(aes128)");
  // No interface and no flags, then prefix, SendID, RecvID, octets of the code, key flags, octets of the key.
  assert.deepEqual([...given.subarray(192, 202)], Array<number>(10).fill(0));
  assert.deepEqual([...given.subarray(202, 208)], [32, 5, 7, 12, 0, 6]);
  assert.equal(given.toString("utf8", 208, 214), "s3cret");
  signWith(set, { family: "IPv6", address: "fd00::", prefixLength: 64 }, ao("s3cret"));
  assert.equal(given[202], 64);
});

test("a kernel without TCP-AO is said in words; that a key is gone already is what was asked for", () => {
  const refuse = (code: string, errno: number) => (): never => {
    throw new SocketError({ syscall: "setsockopt", code, errno, message: `setsockopt: ${code}` });
  };
  assert.throws(() => signWith(refuse("ENOPROTOOPT", 92), PEER, ao("a")), {
    code: "ENOPROTOOPT",
    message: /this node's kernel has none \(Linux 6\.7 or later has it/,
  });
  assert.throws(() => signWith(refuse("EINVAL", 22), PEER, ao("a")), { message: "setsockopt: EINVAL" });
  assert.throws(() => signWith(() => {}, PEER, ao("x".repeat(81))), { code: "EINVAL" });
  for (const before of [md5("a"), ao("a")]) {
    signWith(refuse("ENOENT", 2), PEER, undefined, before);
    assert.throws(() => signWith(refuse("EPERM", 1), PEER, undefined, before), { code: "EPERM" });
  }
});
