import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CONTROL_BYTES,
  type ControlPacket,
  DIAGNOSTICS,
  decodeControl,
  emptyPacket,
  encodeControl,
  type PacketFault,
  STATES,
} from "./packet.ts";
import { bytesOf, CAPTURED } from "./testdata/captured.ts";

function decoded(bytes: Buffer, length = bytes.length): ControlPacket | PacketFault {
  const packet = emptyPacket();
  return decodeControl(bytes, length, packet) ?? packet;
}

test("packets of FRR and BIRD decode to what they say, and encode to the same bytes", () => {
  const frr = {
    ...emptyPacket(),
    detectMultiplier: 3,
    myDiscriminator: 0xea2dc975,
    yourDiscriminator: 0x0fa5966b,
    requiredMinEchoRxMicros: 50_000,
  };
  const fast = { desiredMinTxMicros: 50_000, requiredMinRxMicros: 50_000 };
  const slow = { desiredMinTxMicros: 1_000_000, requiredMinRxMicros: 1_000_000 };
  const bird = {
    ...emptyPacket(),
    detectMultiplier: 3,
    myDiscriminator: 0x2349d2ac,
    yourDiscriminator: 0x1d72e7e8,
  };
  const cases: Record<keyof typeof CAPTURED, ControlPacket> = {
    frrDown: {
      ...frr,
      ...slow,
      state: "Down",
      diagnostic: "NeighborSignaledDown",
      yourDiscriminator: 0x35af7dd4,
    },
    frrInit: { ...frr, ...slow, state: "Init", diagnostic: "NeighborSignaledDown" },
    frrPoll: { ...frr, ...fast, state: "Up", poll: true },
    frrFinal: { ...frr, ...fast, state: "Up", final: true },
    frrUp: { ...frr, ...fast, state: "Up" },
    birdDown: { ...bird, ...slow, requiredMinRxMicros: 50_000, state: "Down", yourDiscriminator: 0 },
    birdInit: { ...bird, ...slow, requiredMinRxMicros: 50_000, state: "Init" },
    birdFinal: { ...bird, ...fast, state: "Up", final: true },
    birdPoll: { ...bird, ...fast, state: "Up", poll: true },
  };
  for (const [name, hex] of Object.entries(CAPTURED)) {
    const packet = cases[name as keyof typeof CAPTURED];
    assert.deepEqual(decoded(bytesOf(hex)), packet, name);
    const bytes = Buffer.alloc(CONTROL_BYTES);
    encodeControl(packet, bytes);
    assert.equal(bytes.toString("hex"), bytesOf(hex).toString("hex"), name);
  }
});

test("what section 6.8.6 discards", () => {
  const changed = (at: number, value: number): Buffer => {
    const bytes = bytesOf(CAPTURED.frrUp);
    bytes[at] = value;
    return bytes;
  };
  const cases: [PacketFault, Buffer, number?][] = [
    ["Short", bytesOf(CAPTURED.frrUp).subarray(0, 23)],
    ["Short", Buffer.alloc(0)],
    ["Version", changed(0, 0x00)],
    ["Version", changed(0, 0x40)],
    ["Length", changed(3, 23)],
    ["Length", changed(3, 25)],
    ["ZeroMultiplier", changed(2, 0)],
    ["Multipoint", changed(1, 0xc1)],
    ["ZeroDiscriminator", bytesOf(CAPTURED.frrUp.replace("ea2d c975", "0000 0000"))],
    ["NoYourDiscriminator", bytesOf(CAPTURED.frrUp.replace("0fa5 966b", "0000 0000"))],
    ["NoYourDiscriminator", bytesOf(CAPTURED.frrInit.replace("0fa5 966b", "0000 0000"))],
    ["Authentication", changed(1, 0xc4)],
    ["PollAndFinal", changed(1, 0xf0)],
  ];
  for (const [fault, bytes, length] of cases) assert.equal(decoded(bytes, length), fault);
});

test("more bytes behind the packet are none of its", () => {
  const bytes = Buffer.concat([bytesOf(CAPTURED.birdInit), Buffer.from("trailer")]);
  assert.deepEqual(decoded(bytes), decoded(bytesOf(CAPTURED.birdInit)));
});

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const packets: fc.Arbitrary<ControlPacket> = fc.record({
  diagnostic: fc.constantFrom(...DIAGNOSTICS),
  state: fc.constantFrom(...STATES),
  poll: fc.boolean(),
  final: fc.constant(false),
  isIndependent: fc.boolean(),
  demand: fc.boolean(),
  detectMultiplier: fc.integer({ min: 1, max: 255 }),
  myDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
  yourDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
  desiredMinTxMicros: u32,
  requiredMinRxMicros: u32,
  requiredMinEchoRxMicros: u32,
});

test("what is encoded decodes to the same", () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const bytes = Buffer.alloc(CONTROL_BYTES);
      encodeControl(packet, bytes);
      assert.deepEqual(decoded(bytes), { ...packet });
    }),
  );
});

test("any bytes give a packet or a fault, whatever the length is said to be", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 2_000 }), (bytes, length) => {
      const result = decoded(Buffer.from(bytes), length);
      if (typeof result !== "string") assert.ok(result.myDiscriminator > 0 && result.detectMultiplier > 0);
    }),
    { numRuns: 2_000 },
  );
});
