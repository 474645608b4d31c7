import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attribute, attributes, listOf } from "./attribute.ts";
import { DecodeError, text, u16be, u32 } from "./bytes.ts";
import { decodeMessages, encodeMessage } from "./header.ts";
import { destination, service } from "./ipvs.ts";
import { elementCodec } from "./nftables.ts";
import { localRoute, routeCodec } from "./route.ts";

const PRINTED = { verbose: 1 } as const;
const u32s = fc.integer({ min: 0, max: 0xffffffff });
const u16s = fc.integer({ min: 0, max: 0xffff });
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((value) => Buffer.from(value));

const GOLDEN: readonly [what: string, actual: Buffer, hex: string][] = [
  ["an attribute is padded, its length is not", attribute(2, Buffer.from("a")), "0500020061000000"],
  ["an attribute of four bytes", attribute(1, u32.encode(0x1001)), "0800010001100000"],
  ["a port in network order", attributes({ port: [4, u16be] }).encode({ port: 80 }), "0600040000500000"],
  [
    "an IPVS service by mark",
    service.encode({ family: 2, mark: 0x1001, scheduler: "mh" }),
    "0600010002000000" + "0800050001100000" + "070006006d680000",
  ],
  [
    "a message with its header",
    encodeMessage({ type: 24, flags: 0x605, sequence: 7, payload: Buffer.from("02", "hex") }),
    "11000000" + "18000506" + "07000000" + "00000000" + "02000000",
  ],
];
for (const [what, actual, hex] of GOLDEN) {
  test(what, () => {
    assert.equal(actual.toString("hex"), hex);
  });
}

test("services and destinations are read as written", () => {
  const scheduler = fc.constantFrom("mh", "rr", "none");
  const services = fc.record(
    { family: u16s, mark: u32s, port: u16s, scheduler, flags: u32s },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(services, (value) => {
      assert.deepEqual(service.decode(service.encode(value)), { ...value });
    }),
    PRINTED,
  );
  const destinations = fc.record({ address: bytes(16), port: u16s, method: u32s, weight: u32s });
  fc.assert(
    fc.property(destinations, (value) => {
      assert.deepEqual(destination.decode(destination.encode(value)), { ...value });
    }),
    PRINTED,
  );
});

test("routes, lists and messages are read as written", () => {
  for (const vip of ["192.0.2.1", "fd00::1"]) {
    const route = localRoute(vip, 7077, 1);
    assert.deepEqual(
      routeCodec.encode(routeCodec.decode(routeCodec.encode(route))),
      routeCodec.encode(route),
    );
    assert.equal(routeCodec.decode(routeCodec.encode(route)).table, 7077);
  }
  const list = listOf(1, attributes({ name: [1, text], size: [2, u32] }));
  const item = fc.record({ name: fc.stringMatching(/^[a-z0-9]{0,15}$/), size: u32s });
  fc.assert(
    fc.property(fc.array(item), (items) => {
      assert.deepEqual(
        list.decode(list.encode(items)),
        items.map((one) => ({ ...one })),
      );
    }),
    PRINTED,
  );
  const message = fc.record({ type: u16s, flags: u16s, sequence: u32s, payload: bytes(64) });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      const read = decodeMessages(Buffer.concat(messages.map(encodeMessage)));
      assert.deepEqual(
        read,
        messages.map((one) => ({ ...one })),
      );
    }),
    PRINTED,
  );
});

test("cut short or changed, bytes end in a DecodeError or a value", () => {
  const seeds = [
    service.encode({ family: 2, mark: 0x1001, scheduler: "mh", flags: 0x18 }),
    routeCodec.encode(localRoute("fd00::1", 7077, 1)),
  ];
  const decoders = [service, destination, routeCodec, elementCodec];
  const mutated = fc
    .record({ seed: fc.constantFrom(...seeds), at: u16s, value: fc.integer({ min: 0, max: 255 }), cut: u16s })
    .map(({ seed, at, value, cut }) => {
      const copy = Buffer.from(seed);
      copy.writeUInt8(value, at % copy.length);
      return copy.subarray(0, cut % (copy.length + 1));
    });
  fc.assert(
    fc.property(fc.oneof(mutated, bytes(128)), fc.constantFrom(...decoders), (input, decoder) => {
      try {
        decoder.decode(input);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { ...PRINTED, numRuns: 2000 },
  );
});

test("an attribute that claims more than there is, or less than its header, is refused", () => {
  for (const hex of ["0900010001100000", "0300010000000000"]) {
    assert.throws(() => service.decode(Buffer.from(hex, "hex")), DecodeError);
  }
});
