/** Messages beside one of a real kernel (Linux 7.2), and which connections are told of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BEACON, entryOf, messagesOf } from "./sync-message.ts";

const WORDS = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires";
/** What a node listed of three flows, and what its kernel told of them, without UDP's header. */
const LINES = [
  "TCP 0A093D02 4E84 AC1E3DC8 0050 0AA1020B 1F90 ESTABLISHED SYNC       900",
  "TCP 0A093D02 4E86 AC1E3DC8 0050 0AA1020A 1F90 ESTABLISHED SYNC       900",
  "TCP fd09:0061:0000:0000:0000:0000:0000:0002 4E88 fd30:0061:0000:0000:0000:0000:0000:0200 0050 fd44:0061:0002:0000:0000:0000:0000:0011 1F90 ESTABLISHED SYNC       900",
];
const CAPTURED = `
  0047 0098 0301 0000
  0006 0024 0001 0000 0001 4e84 0050 1f90 0300 3001 0000 0384 0a09 3d02 ac1e 3dc8 0aa1 020b
  0006 0024 0001 0000 0001 4e86 0050 1f90 02c0 3001 0000 0384 0a09 3d02 ac1e 3dc8 0aa1 020a
  0106 0048 0001 0000 0001 4e88 0050 1f90 0480 3002 0000 0384
  fd09 0061 0000 0000 0000 0000 0000 0002 fd30 0061 0000 0000 0000 0000 0000 0200
  fd44 0061 0002 0000 0000 0000 0000 0011`;

const entries = (lines: readonly string[]): Buffer[] => lines.flatMap((line) => entryOf(line) ?? []);

test("connections are told of as the kernel tells of them, but for its mark and a flag that is its own", () => {
  const captured = Buffer.from(CAPTURED.replaceAll(/\s/g, ""), "hex");
  for (const at of [8, 44, 80]) {
    captured.writeUInt32BE(0, at + 4);
    captured.writeUInt32BE(0, at + 16);
  }
  const messages = [...messagesOf(entries([WORDS, ...LINES, ""]), 1472)];
  assert.deepEqual(
    messages.map((message) => message.toString("hex")),
    [captured.toString("hex")],
  );
});

/** Of the connection: protocol and state, origin, seconds left; octets 1 and 4 to 9 of its entry, undefined: none. */
const STATES: readonly (readonly [string, string | undefined])[] = [
  ["TCP ESTABLISHED SYNC 900", "06 00000000 0001"],
  ["TCP FIN_WAIT SYNC 100", "06 00000100 0004"],
  ["TCP SYNACK SYNC 20", "06 00000000 000a"],
  ["UDP UDP SYNC 300", "11 00000000 0000"],
  ["SCTP ESTABLISHED SYNC 900", "84 00000000 0008"],
  ["SCTP CLOSED SYNC 10", "84 00000100 000d"],
  ["TCP ESTABLISHED LOCAL 900", undefined],
  ["TCP ESTABLISHED SYNC 1", undefined],
  ["TCP BUG! SYNC 900", undefined],
  ["IP NONE SYNC 900", undefined],
];
for (const [what, wanted] of STATES) {
  test(`${what}: ${wanted ?? "not told of"}`, () => {
    const [protocol, state, origin, left] = what.split(" ");
    const entry = entryOf(
      `${protocol} C0000201 03E8 CB007101 0050 0A000001 1F90 ${state}   ${origin}    ${left}`,
    );
    const hex = entry?.toString("hex");
    assert.equal(hex && `${hex.slice(2, 4)} ${hex.slice(8, 16)} ${hex.slice(16, 20)}`, wanted);
  });
}

test("no message is longer than asked for, none has more than 255 entries, and none is lost", () => {
  const [line = ""] = LINES;
  const many = entries(Array.from({ length: 1_000 }, () => line));
  for (const [length, most] of [
    [1_472, 40],
    [65_507, 255],
  ] as const) {
    const messages = [...messagesOf(many, length)];
    const counts = messages.map((message) => message.readUInt8(4));
    assert.equal(Math.max(...counts), most);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      1_000,
    );
    for (const message of messages) assert.equal(message.readUInt16BE(2), message.length);
    assert.ok(messages.every((message) => message.length <= length));
  }
});

test("a beacon is a message without a connection", () => {
  assert.equal(BEACON.toString("hex"), "0047000800010000");
});
