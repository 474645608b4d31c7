import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { type DropReason, GossipError } from "./error.ts";
import { KeyringError, keyringOf, seal, unseal } from "./keyring.ts";
import { inflate } from "./lzw.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { pack, unpack } from "./pack.ts";
import { costOf, openPacket, PACKET_OCTETS, partsOf, roomOf, sealPacket } from "./packet.ts";
import {
  decodeStreamMessage,
  encodePushPull,
  MOST_STREAM,
  openStream,
  sealStream,
  streamLength,
} from "./stream.ts";
import { lzwInput, packedByGo } from "./testdata/lzw.ts";
import { type Recorded, recorded } from "./testdata/memberlist.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, at) => at);
const OTHER = new Uint8Array(16).fill(7);
const envelope = { ring: keyringOf([KEY]), label: "genkan" };
const nonce = new Uint8Array(12).fill(3);
const octets = (hex: string): Buffer => Buffer.from(hex, "hex");
const dropped = (code: DropReason) => (error: unknown) => error instanceof GossipError && error.code === code;

/** The names that memberlist has for what a message says; text and octets in hex. */
function goFields(message: Message): Record<string, unknown> {
  const body = encodeMessage(message).subarray(1);
  return Object.fromEntries(
    Object.entries(unpack(body)).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );
}

describe("what a real memberlist wrote", () => {
  const isPlain = ({ fields }: Recorded): boolean => fields !== undefined && fields.Algo === undefined;
  const plain = recorded.filter(isPlain);
  test("has every message that members send each other", () => {
    const types = plain.map(({ hex }) => octets(hex).at(hex.startsWith("0c") ? 5 : 0));
    assert.deepEqual([...new Set(types)].sort(), [0, 1, 11, 2, 3, 4, 5].sort());
  });
  for (const { scenario, hex, fields } of plain) {
    test(`${scenario} ${hex.slice(0, 24)} is read, and written the same`, () => {
      const [part] = partsOf(octets(hex), []);
      assert.ok(part !== undefined);
      const message = decodeMessage(part);
      assert.deepEqual(goFields(message), fields);
      assert.equal(encodeMessage(message).toString("hex"), Buffer.from(part).toString("hex"));
    });
  }

  for (const { scenario, hex } of recorded.filter((one) => one.kind === "stream")) {
    test(`the push/pull of ${scenario} is read, and written the same where nothing is around it`, () => {
      const bytes = octets(hex);
      const label = scenario === "sealed" ? "genkan" : "";
      const ring = keyringOf([OTHER, scenario === "padded" ? KEY.subarray(0, 16) : KEY]);
      const isSealed = scenario.startsWith("sealed") || scenario === "padded";
      if (isSealed) assert.equal(streamLength(bytes, { label }, "request"), bytes.length);
      const message = isSealed
        ? openStream(bytes, { ring, label }, "request").message
        : decodeStreamMessage(scenario === "compressed" ? unpackedStream(bytes) : bytes);
      assert.ok(message.type === "pushPull");
      assert.equal(message.join, true);
      const [record] = message.records;
      assert.equal(message.records.length, 1);
      const address = scenario === "plain6" ? "::1" : "127.0.0.1";
      assert.deepEqual(
        { ...record, port: undefined, node: undefined, versions: undefined },
        {
          node: undefined,
          port: undefined,
          versions: undefined,
          address,
          incarnation: 1,
          meta: Uint8Array.of(1, 0xff, 0, 0x80),
          state: "alive",
        },
      );
      assert.ok(record !== undefined && record.port > 1_024);
      if (!scenario.startsWith("plain")) return;
      assert.equal(Buffer.from(message.user).toString(), "user state");
      assert.equal(encodePushPull(message).toString("hex"), hex);
    });
  }

  for (const { scenario, hex } of recorded.filter((one) => one.kind === "packet" && !isPlain(one))) {
    test(`the packet ${hex.slice(0, 24)} of ${scenario} is read whole`, () => {
      const bytes = octets(hex);
      const label = scenario === "sealed" ? "genkan" : "";
      const ring = keyringOf([OTHER, scenario === "padded" ? KEY.subarray(0, 16) : KEY]);
      const isSealed = scenario.startsWith("sealed") || scenario === "padded";
      if (isSealed) {
        const { messages, faults } = openPacket(bytes, { ring, label });
        assert.ok(messages.length > 0);
        assert.deepEqual(faults, []);
        return;
      }
      const faults: GossipError[] = [];
      const parts = partsOf(bytes, faults);
      assert.ok(parts.length > 1);
      for (const part of parts) assert.ok(decodeMessage(part).type !== "user");
      assert.deepEqual(faults, []);
    });
  }
});

function unpackedStream(bytes: Buffer): Buffer {
  const { Buf } = unpack(bytes.subarray(1));
  assert.ok(Buf instanceof Uint8Array);
  return inflate(Buf, 4_096);
}

describe("LZW", () => {
  for (const { octets: length, packed } of packedByGo) {
    test(`${length} octets packed by Go`, () => {
      assert.ok(inflate(Buffer.from(packed, "base64"), 16_000).equals(lzwInput(length)));
    });
  }
  test("no more than was asked for", () => {
    const packed = Buffer.from(packedByGo[3]?.packed ?? "", "base64");
    assert.throws(() => inflate(packed, 15_999), dropped("size"));
    assert.throws(() => inflate(packed.subarray(0, 2_000), 16_000), dropped("malformed"));
  });
});

describe("packets", () => {
  const suspect = { type: "suspect", incarnation: 70_000, node: "a", from: "b" } as const;
  const user = { type: "user", bytes: Buffer.from("x") } as const;

  test("one message and several, with a label and without", () => {
    for (const label of ["genkan", ""]) {
      for (const messages of [[suspect], [suspect, user, suspect]] as Message[][]) {
        const bytes = sealPacket(messages.map(encodeMessage), { ...envelope, label }, nonce);
        const opened = openPacket(bytes, { ring: envelope.ring, label });
        assert.deepEqual(opened.messages, messages);
        assert.equal(opened.nonce, Buffer.from(nonce).toString("latin1"));
      }
    }
  });

  test("a packet filled to its room is as long as a packet may be", () => {
    const part = encodeMessage({ type: "user", bytes: new Uint8Array(roomOf(envelope) / 2 - 3) });
    const bytes = sealPacket([part, part], envelope, nonce);
    assert.ok(2 * costOf(part) <= roomOf(envelope));
    assert.ok(bytes.length <= PACKET_OCTETS && bytes.length > PACKET_OCTETS - 4, String(bytes.length));
  });

  test("any key of the ring reads, the first one writes", () => {
    const before = keyringOf([OTHER]);
    const during = keyringOf([KEY, OTHER]);
    const after = keyringOf([KEY]);
    const old = sealPacket([encodeMessage(suspect)], { ring: before, label: "" }, nonce);
    const fresh = sealPacket([encodeMessage(suspect)], { ring: during, label: "" }, nonce);
    assert.deepEqual(openPacket(old, { ring: during, label: "" }).messages, [suspect]);
    assert.deepEqual(openPacket(fresh, { ring: after, label: "" }).messages, [suspect]);
    assert.throws(() => openPacket(old, { ring: after, label: "" }), dropped("key"));
    assert.throws(() => openPacket(fresh, { ring: before, label: "" }), dropped("key"));
  });

  const sealed = sealPacket([encodeMessage(suspect)], envelope, nonce);
  const inside = (plain: Uint8Array): Buffer => {
    const whole = seal(envelope.ring, plain, Buffer.from("genkan"), nonce);
    return Buffer.concat([sealed.subarray(0, 8), whole]);
  };
  const flipped = Buffer.from(sealed);
  flipped[30] = (flipped[30] ?? 0) ^ 1;
  const checksum = Buffer.alloc(5, 12);
  checksum.writeUInt32BE((crc32(encodeMessage(suspect)) ^ 1) >>> 0, 1);
  const bomb = pack({ Algo: 0, Buf: Buffer.from(packedByGo[3]?.packed ?? "", "base64") });
  const rejected: readonly (readonly [string, Uint8Array, DropReason])[] = [
    ["nothing", Buffer.alloc(0), "label"],
    ["another label", Buffer.concat([Buffer.from("f40667656e6b6178", "hex"), sealed.subarray(8)]), "label"],
    ["no label", sealed.subarray(8), "label"],
    ["two labels", Buffer.concat([sealed.subarray(0, 8), sealed]), "key"],
    ["a text of one octet", sealed.subarray(0, 9), "key"],
    ["an unknown version", Buffer.concat([sealed.subarray(0, 8), Buffer.alloc(40, 2)]), "key"],
    ["one bit turned", flipped, "key"],
    ["in the clear", encodeMessage(suspect), "label"],
    ["a wrong checksum", inside(Buffer.concat([checksum, encodeMessage(suspect)])), "checksum"],
    ["a checksum in a checksum", inside(Buffer.concat([Buffer.from("0c00000000", "hex")])), "malformed"],
    ["an empty text", inside(Buffer.alloc(0)), "malformed"],
    ["a type that nobody knows", inside(Buffer.of(99)), "malformed"],
    ["compressed in itself", inside(Buffer.concat([Buffer.of(9), bomb])), "malformed"],
    ["a compound without lengths", inside(Buffer.of(7, 4, 0)), "malformed"],
    ["a compound in a compound", inside(Buffer.of(7, 1, 0, 2, 7, 0)), "malformed"],
    ["a number as name", inside(Buffer.concat([Buffer.of(0), pack({ Node: 1, SeqNo: 1 })])), "malformed"],
    [
      "a name that is no UTF-8",
      inside(Buffer.concat([Buffer.of(0), pack({ Node: Buffer.of(0xff) })])),
      "malformed",
    ],
    ["a name too long", inside(Buffer.concat([Buffer.of(0), pack({ Node: "n".repeat(254) })])), "size"],
    [
      "an address of 5 octets",
      inside(Buffer.concat([Buffer.of(4), pack({ Addr: Buffer.alloc(5) })])),
      "malformed",
    ],
  ];
  for (const [what, bytes, code] of rejected) {
    test(`${what} is dropped: ${code}`, () => {
      assert.throws(() => openPacket(bytes, envelope), dropped(code));
    });
  }

  test("one bad part costs itself only", () => {
    const bytes = sealPacket([encodeMessage(suspect), Buffer.of(99), encodeMessage(user)], envelope, nonce);
    const { messages, faults } = openPacket(bytes, envelope);
    assert.deepEqual(messages, [suspect, user]);
    assert.equal(faults.length, 1);
  });

  test("noise, and what is nearly a message, ends in a GossipError or a message", () => {
    const seeds = recorded.filter(({ fields }) => fields !== undefined).map(({ hex }) => octets(hex));
    const nearly = fc
      .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }))
      .map(([seed, changes]) => {
        const bytes = Buffer.from(seed.subarray(seed[0] === 12 ? 5 : 0));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), nearly), (bytes) => {
        for (const plain of [bytes, Buffer.concat([Buffer.of(6), bytes.subarray(1)])]) {
          for (const read of [() => openPacket(inside(plain), envelope), () => decodeStreamMessage(plain)]) {
            try {
              read();
            } catch (error) {
              assert.ok(error instanceof GossipError, String(error));
            }
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("streams", () => {
  const record = {
    node: "worker-1",
    address: "fd00::1",
    port: 7946,
    incarnation: 2 ** 31,
    meta: Uint8Array.of(),
    versions: Uint8Array.of(1, 5, 2, 0, 0, 0),
  };
  const message = {
    type: "pushPull",
    join: false,
    records: [
      { ...record, state: "left" },
      { ...record, node: "n".repeat(253), state: "suspect" },
    ],
    user: Buffer.from("state"),
  } as const;
  const bytes = sealStream(encodePushPull(message), envelope, nonce, "request");

  test("there and back, with its length known as soon as it can be", () => {
    assert.deepEqual(openStream(bytes, envelope, "request").message, message);
    for (let length = 0; length < 13; length++)
      assert.equal(streamLength(bytes.subarray(0, length), envelope, "request"), undefined);
    assert.equal(streamLength(bytes.subarray(0, 13), envelope, "request"), bytes.length);
  });

  test("an answer does not show the label, and is sealed with it", () => {
    const answer = sealStream(encodePushPull(message), envelope, nonce, "answer");
    assert.equal(streamLength(answer, envelope, "answer"), answer.length);
    assert.equal(answer.length, bytes.length - 8);
    assert.deepEqual(openStream(answer, envelope, "answer").message, message);
    assert.throws(() => openStream(answer, { ...envelope, label: "other" }, "answer"), dropped("key"));
  });

  test("dropped before anything is kept for it", () => {
    assert.throws(() => streamLength(Buffer.from("get / http"), envelope, "request"), dropped("label"));
    assert.throws(() => streamLength(bytes.subarray(8), envelope, "request"), dropped("label"));
    assert.throws(() => streamLength(bytes, { label: "" }, "request"), dropped("label"));
    assert.throws(() => streamLength(Buffer.of(6, 0x83), { label: "" }, "request"), dropped("key"));
    const huge = Buffer.from(bytes);
    huge.writeUInt32BE(MOST_STREAM + 1, 9);
    assert.throws(() => streamLength(huge, envelope, "request"), dropped("size"));
  });

  test("its length is sealed with it, and so is its label", () => {
    const other = Buffer.from(bytes);
    other[12] = (other[12] ?? 0) ^ 1;
    assert.throws(() => openStream(other, envelope, "request"), dropped("key"));
    assert.throws(() => openStream(bytes.subarray(8), { ...envelope, label: "" }, "request"), dropped("key"));
  });

  test("counts that do not fit", () => {
    const head = (fields: Record<string, number>): Buffer => Buffer.concat([Buffer.of(6), pack(fields)]);
    for (const fields of [{ Nodes: 1 }, { Nodes: 16_385 }, { Nodes: 0, UserStateLen: 9 }])
      assert.throws(() => decodeStreamMessage(head(fields)), dropped("malformed"));
    const more = Buffer.concat([head({ Nodes: 0 }), pack({}), pack({})]);
    assert.throws(() => decodeStreamMessage(more), dropped("size"));
  });
});

describe("keyrings", () => {
  test("refused before they are used", () => {
    assert.throws(() => keyringOf([]), KeyringError);
    assert.throws(() => keyringOf([new Uint8Array(15)]), KeyringError);
    assert.throws(() => keyringOf(Array.from({ length: 9 }, () => KEY)), KeyringError);
  });
  for (const length of [16, 24, 32]) {
    test(`${length} octets seal and unseal`, () => {
      const ring = keyringOf([KEY.subarray(0, length)]);
      const text = Buffer.from("text");
      assert.ok(unseal(ring, seal(ring, text, nonce, nonce), nonce).equals(text));
    });
  }
});
