import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressKey } from "./address.ts";
import { answerArp, answerDiscovery } from "./answer.ts";
import { arpProbe, decodeArp, encodeArp, gratuitousArp } from "./arp.ts";
import { isFault, parseHardwareAddress } from "./frame.ts";
import { checksum, decodeSolicitation, probeSolicitation, unsolicitedAdvertisement } from "./ndp.ts";
import * as linux from "./testdata/linux.ts";

const hardwareA = hardware("02:00:00:00:00:0a");
const hardwareB = hardware("02:00:00:00:00:0b");
const VIP4 = Buffer.from("c0000202", "hex");
const VIP6 = Buffer.from("20010db8000000000000000000000002", "hex");

function hardware(text: string): Uint8Array {
  const bytes = parseHardwareAddress(text);
  assert.ok(bytes !== undefined);
  return bytes;
}

/** B announces the addresses. */
const link = { hardware: hardwareB, vips: new Set([addressKey(VIP4), addressKey(VIP6)]) };

/** A copy with bytes at an offset replaced. */
function altered(frame: Buffer, changes: Readonly<Record<number, readonly number[]>>): Buffer {
  const copy = Buffer.from(frame);
  for (const [at, bytes] of Object.entries(changes)) copy.set(bytes, Number(at));
  return copy;
}

/** A solicitation with changed bytes and a true checksum. */
function resummed(frame: Buffer, changes: Readonly<Record<number, readonly number[]>>): Buffer {
  const copy = altered(frame, { ...changes, 56: [0, 0] });
  copy.writeUInt16BE(checksum(copy.subarray(22, 38), copy.subarray(38, 54), copy.subarray(54)), 56);
  return copy;
}

describe("ARP", () => {
  test("the reply is Linux's own, padded to 60 bytes", () => {
    const { reply } = answerArp(linux.arpRequest, link);
    assert.equal(reply?.length, 60);
    assert.equal(reply.toString("hex", 0, 42), linux.arpResponse.toString("hex"));
    assert.ok(reply.subarray(42).every((byte) => byte === 0));
  });

  test("announcements: the reply form is arping's own, the request form has no target hardware (RFC 5227)", () => {
    const [request, reply] = gratuitousArp(Buffer.from("c0000201", "hex"), hardwareA);
    assert.equal(reply.toString("hex", 0, 42), linux.arpingReplyForm.toString("hex"));
    const expected = altered(linux.arpingRequestForm, { 32: [0, 0, 0, 0, 0, 0] });
    assert.equal(request.toString("hex", 0, 42), expected.toString("hex"));
  });

  const own = [...hardwareB];
  const cases: readonly [what: string, frame: Buffer, silence: string][] = [
    ["a reply of our own", linux.arpResponse, "Own"],
    ["a reply of another station", altered(linux.arpRequest, { 21: [2] }), "WrongOperation"],
    ["a request of our own", altered(linux.arpRequest, { 6: own }), "Own"],
    ["a request to another station", altered(linux.arpRequest, { 0: [2, 0, 0, 0, 0, 9] }), "OtherHost"],
    ["another address", altered(linux.arpRequest, { 38: [192, 0, 2, 3] }), "NotAnnounced"],
    // RFC 5227 section 2.4: any ARP packet, request or reply, whoever it is sent to.
    ["our address announced by another", altered(linux.arpRequest, { 28: [192, 0, 2, 2] }), "Conflict"],
    ["the same in a reply", altered(linux.arpRequest, { 21: [2], 28: [192, 0, 2, 2] }), "Conflict"],
    [
      "a plain question of who uses our address",
      altered(linux.arpRequest, { 28: [192, 0, 2, 2], 38: [192, 0, 2, 9] }),
      "Conflict",
    ],
    [
      "a reply to us that says our address is there",
      altered(linux.arpRequest, { 0: own, 21: [2], 28: [192, 0, 2, 2] }),
      "Conflict",
    ],
    [
      "a reply to another station",
      altered(linux.arpRequest, { 0: [2, 0, 0, 0, 0, 9], 21: [2], 28: [192, 0, 2, 2] }),
      "Conflict",
    ],
    [
      "what a proxy tells of another station that has our address",
      altered(linux.arpRequest, { 21: [2], 22: [2, 0, 0, 0, 0, 9], 28: [192, 0, 2, 2] }),
      "Conflict",
    ],
    [
      "our address with our own hardware address, from elsewhere",
      altered(linux.arpRequest, { 21: [2], 22: own, 28: [192, 0, 2, 2] }),
      "WrongOperation",
    ],
    ["reverse ARP", altered(linux.arpRequest, { 21: [3], 28: [192, 0, 2, 2] }), "WrongOperation"],
    ["a group as sender", altered(linux.arpRequest, { 22: [255, 255, 255, 255, 255, 255] }), "WrongHardware"],
    ["token ring", altered(linux.arpRequest, { 14: [0, 6] }), "WrongHardware"],
    ["an address of 16 bytes", altered(linux.arpRequest, { 19: [16] }), "WrongLength"],
    ["IPv6", linux.solicitation, "WrongType"],
    ["half a packet", linux.arpRequest.subarray(0, 30), "TooShort"],
    ["nothing", Buffer.alloc(0), "TooShort"],
  ];
  for (const [what, frame, silence] of cases) {
    test(`silence: ${what}`, () => assert.equal(answerArp(frame, link).silence, silence));
  }

  test("who uses our address and asks for another one of ours gets an answer all the same", () => {
    const both = { ...link, vips: new Set([addressKey(VIP4), addressKey(Buffer.from("c0000201", "hex"))]) };
    const { silence, reply } = answerArp(linux.arpRequest, both);
    assert.equal(silence, "Conflict");
    assert.ok(reply);
  });

  test("a yielded address is not answered for; its use, and a probe for it, are heard", () => {
    const yielded = { ...link, silent: new Set([addressKey(VIP4), addressKey(VIP6)]) };
    assert.equal(answerArp(linux.arpRequest, yielded).silence, "Yielded");
    assert.equal(answerArp(altered(linux.arpRequest, { 28: [192, 0, 2, 2] }), yielded).silence, "Conflict");
    assert.equal(answerArp(altered(linux.arpRequest, { 28: [0, 0, 0, 0] }), yielded).silence, "Conflict");
    assert.equal(answerDiscovery(linux.solicitation, yielded).silence, "Yielded");
    assert.equal(answerDiscovery(linux.probe, { ...yielded, hardware: hardwareA }).silence, "Conflict");
  });

  test("a probe of ours has no sender address (RFC 5227 section 2.1.1), and Linux's for IPv6 is the same", () => {
    const probe = decodeArp(arpProbe(VIP4, hardwareB));
    assert.ok(!isFault(probe));
    assert.deepEqual([...probe.packet.senderAddress, ...probe.packet.targetHardware], Array(10).fill(0));
    assert.deepEqual([probe.packet.operation, [...probe.packet.targetAddress]], [1, [...VIP4]]);
    const asked = decodeSolicitation(probeSolicitation(VIP6, hardwareB));
    assert.ok(!isFault(asked) && asked.isProbe);
    assert.equal(Buffer.from(asked.destination).toString("hex"), "ff0200000000000000000001ff000002");
  });

  test("a request to us alone and a probe (RFC 5227) are answered", () => {
    assert.ok(answerArp(altered(linux.arpRequest, { 0: own }), link).reply);
    assert.ok(answerArp(altered(linux.arpRequest, { 28: [0, 0, 0, 0] }), link).reply);
  });

  test("encode and decode are inverse", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const packet = fc.record({
      operation: fc.nat(0xffff),
      senderHardware: bytes(6),
      senderAddress: bytes(4),
      targetHardware: bytes(6),
      targetAddress: bytes(4),
    });
    fc.assert(
      fc.property(bytes(6), bytes(6), packet, (destination, source, sent) => {
        const frame = decodeArp(encodeArp({ destination, source, packet: sent }));
        assert.ok(!isFault(frame));
        assert.deepEqual(plain(frame.packet), plain(sent));
        assert.deepEqual(
          plain({ destination: frame.destination, source: frame.source }),
          plain({ destination, source }),
        );
      }),
    );
  });
});

function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
  );
}

describe("neighbor discovery", () => {
  test("the advertisement is Linux's own", () => {
    assert.equal(
      answerDiscovery(linux.solicitation, link).reply?.toString("hex"),
      linux.advertisement.toString("hex"),
    );
  });

  test("a link-local asker gets Linux's own answer", () => {
    const linkA = { hardware: hardwareA, vips: { has: () => true } };
    const { reply } = answerDiscovery(linux.linkLocalSolicitation, linkA);
    assert.equal(reply?.toString("hex"), linux.linkLocalAdvertisement.toString("hex"));
  });

  test("a probe from :: is answered to all nodes, not solicited (RFC 4861 section 7.2.4)", () => {
    const { reply } = answerDiscovery(linux.probe, { ...link, hardware: hardwareA });
    const expected = unsolicitedAdvertisement(VIP6, hardwareA);
    assert.equal(reply?.toString("hex"), expected.toString("hex"));
    assert.equal(expected.toString("hex", 0, 6), "333300000001");
    assert.equal(expected[14 + 40 + 4], 0x20, "override, not solicited, not a router");
    assert.equal(expected[14 + 7], 255);
    assert.equal(checksum(expected.subarray(22, 38), expected.subarray(38, 54), expected.subarray(54)), 0);
  });

  test("without a source link-layer option the answer goes to the frame's sender", () => {
    const short = resummed(linux.solicitation.subarray(0, 78), { 18: [0, 24] });
    assert.equal(answerDiscovery(short, link).reply?.toString("hex", 0, 6), "02000000000a");
  });

  const { solicitation, probe } = linux;
  const cases: readonly [what: string, frame: Buffer, silence: string][] = [
    ["hop limit 254", altered(solicitation, { 21: [254] }), "WrongHopLimit"],
    ["hop limit 64", altered(solicitation, { 21: [64] }), "WrongHopLimit"],
    ["a wrong checksum", altered(solicitation, { 56: [0x1c, 0x1f] }), "WrongChecksum"],
    ["code 1", resummed(solicitation, { 55: [1] }), "WrongOperation"],
    ["a router's message", resummed(solicitation, { 54: [134] }), "WrongOperation"],
    ["an advertisement of our own", linux.advertisement, "Own"],
    ["our address advertised by another", unsolicitedAdvertisement(VIP6, hardwareA), "Conflict"],
    [
      "the same, solicited, to us alone",
      resummed(linux.advertisement, { 0: [...hardwareB], 6: [...hardwareA], 80: [...hardwareA] }),
      "Conflict",
    ],
    [
      "a question from our address",
      resummed(solicitation, { 22: [...VIP6], 38: [0xff, 2], 77: [9] }),
      "Conflict",
    ],
    [
      "an address that is another's",
      resummed(linux.advertisement, { 6: [2, 0, 0, 0, 0, 9], 77: [3] }),
      "NotAnnounced",
    ],
    [
      "solicited, and to all",
      resummed(unsolicitedAdvertisement(VIP6, hardwareA), { 58: [0x60] }),
      "WrongDestination",
    ],
    [
      "an advertised group",
      resummed(unsolicitedAdvertisement(VIP6, hardwareA), { 62: [0xff] }),
      "WrongTarget",
    ],
    ["an option of length 0", resummed(solicitation, { 79: [0] }), "WrongOption"],
    ["an option beyond the end", resummed(solicitation, { 79: [2] }), "WrongOption"],
    ["a multicast target", resummed(solicitation, { 62: [0xff] }), "WrongTarget"],
    ["another target", resummed(solicitation, { 77: [3] }), "NotAnnounced"],
    ["a group as asker", resummed(solicitation, { 80: [0x33] }), "WrongHardware"],
    ["of our own", altered(solicitation, { 6: [...hardwareB] }), "Own"],
    ["a probe with a link-layer address", resummed(probe, { 78: [1], 6: [2, 0, 0, 0, 0, 9] }), "WrongOption"],
    [
      "a probe to all nodes",
      resummed(probe, { 38: [0xff, 2, 0], 49: [0, 0], 6: [2, 0, 0, 0, 0, 9] }),
      "WrongDestination",
    ],
    ["a length beyond the frame", altered(solicitation, { 18: [0, 40] }), "WrongLength"],
    ["a length too small", altered(solicitation, { 18: [0, 16] }), "WrongLength"],
    ["ARP", linux.arpRequest, "WrongType"],
    ["half a packet", solicitation.subarray(0, 70), "TooShort"],
  ];
  for (const [what, frame, silence] of cases) {
    test(`silence: ${what}`, () => assert.equal(answerDiscovery(frame, link).silence, silence));
  }
});

test("random bytes, and random damage to true frames, never throw", () => {
  const damage = fc.tuple(
    fc.constantFrom(linux.arpRequest, linux.solicitation, linux.probe),
    fc.array(fc.tuple(fc.nat(85), fc.nat(255)), { maxLength: 6 }),
    fc.nat(86),
  );
  const damaged = damage.map(([frame, edits, length]) => {
    const copy = Buffer.from(frame);
    for (const [at, byte] of edits) if (at < copy.length) copy[at] = byte;
    return copy.subarray(0, length);
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
      for (const answer of [answerArp(bytes, link), answerDiscovery(bytes, link)]) {
        assert.ok((answer.reply === undefined) !== (answer.silence === undefined));
      }
      decodeSolicitation(bytes);
    }),
    { numRuns: 2000 },
  );
});

test("hardware addresses parse strictly", () => {
  assert.deepEqual([...(parseHardwareAddress("02:00:5e:00:ff:0A") ?? [])], [2, 0, 0x5e, 0, 255, 10]);
  for (const text of [
    "",
    "02:00:5e:00:ff",
    "02:00:5e:00:ff:0a:00",
    "02-00-5e-00-ff-0a",
    "02:00:5e:00:ff:0g",
  ]) {
    assert.equal(parseHardwareAddress(text), undefined, text);
  }
});
