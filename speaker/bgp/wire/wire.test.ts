/** Codecs against messages of four other implementations, against themselves, and against noise. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeAttributes } from "./attributes.ts";
import { decodeCapabilities, encodeCapabilities } from "./capability.ts";
import { BgpError } from "./error.ts";
import { encodeMessage, HEADER_BYTES, MessageSplitter, MessageType, type RawMessage } from "./header.ts";
import { decodeNotification, encodeNotification, shutdown } from "./notification.ts";
import { decodeOpen, encodeOpen, type Open } from "./open.ts";
import { decodePrefixes, encodePrefix } from "./prefix.ts";
import { decodeRefresh, encodeRefresh } from "./refresh.ts";
import { bird } from "./testdata/bird.ts";
import { birdAnnouncing } from "./testdata/bird-announcing.ts";
import { exabgp } from "./testdata/exabgp.ts";
import { frr } from "./testdata/frr.ts";
import { gobgp } from "./testdata/gobgp.ts";
import { decodeUpdate, encodeUpdate } from "./update.ts";

const AS4 = { as4: true };
/** iBGP: where every attribute counts. */
const INTERNAL = { ...AS4, isInternal: true };
const CAPTURED = { bird, birdAnnouncing, exabgp, frr, gobgp };
const TYPES: Readonly<Record<string, number>> = {
  OPEN: MessageType.open,
  UPDATE: MessageType.update,
  NOTIFICATION: MessageType.notification,
  KEEPALIVE: MessageType.keepalive,
  "ROUTE-REFRESH": MessageType.routeRefresh,
};

/** Whatever the message is, read as far as a session would. */
function decode({ type, body }: RawMessage): unknown {
  switch (type) {
    case MessageType.open:
      return decodeOpen(body);
    case MessageType.update:
      return decodeUpdate(body, INTERNAL);
    case MessageType.notification:
      return decodeNotification(body);
    case MessageType.routeRefresh:
      return decodeRefresh(body);
    case MessageType.keepalive:
      return {};
  }
}

const only = (hex: string): RawMessage => {
  const [message, ...more] = [...new MessageSplitter().push(Buffer.from(hex, "hex"))];
  assert.ok(message !== undefined && more.length === 0);
  return message;
};

for (const [implementation, messages] of Object.entries(CAPTURED)) {
  describe(`messages of ${implementation}`, () => {
    for (const [at, { session, type, hex }] of messages.entries()) {
      test(`${at}: ${type} of ${session}`, () => {
        const message = only(hex);
        assert.equal(message.type, TYPES[type]);
        const decoded = decode(message);
        if (message.type !== MessageType.update) return;
        const update = decoded as ReturnType<typeof decodeUpdate>;
        assert.equal(update.treatedAsWithdrawn, undefined);
        const isSomething = update.announced.length + update.withdrawn.length > 0;
        assert.ok(isSomething || update.endOfRib !== undefined);
        if (update.announced.length === 0) return;
        // What we read is what was sent: written again it is read the same.
        const again = encodeUpdate({
          attributes: encodeAttributes(update.attributes, AS4),
          nlri: Buffer.concat(
            update.attributes.mpReach === undefined
              ? update.announced.flatMap(({ prefixes }) => prefixes.map(encodePrefix))
              : [],
          ),
        });
        assert.deepEqual(decodeUpdate(again, INTERNAL), update);
      });
    }
  });
}

test("an OPEN of FRR, field by field", () => {
  const open = decodeOpen(only(frr[0]?.hex ?? "").body);
  assert.deepEqual(open, {
    version: 4,
    asn: 65_001,
    holdTimeSeconds: 9,
    routerId: "10.0.1.250",
    capabilities: {
      families: ["IPv6"],
      asn: 65_001,
      routeRefresh: true,
      enhancedRouteRefresh: true,
      extendedMessage: true,
      extendedNextHop: false,
      gracefulRestart: {
        // As the standard has it after a start: nothing was preserved.
        isRestarting: true,
        coversNotifications: true,
        timeSeconds: 120,
        families: [],
      },
    },
  } satisfies Open);
});

test("an UPDATE of BIRD, field by field", () => {
  const { hex = "" } = birdAnnouncing.find(({ type }) => type === "UPDATE") ?? {};
  const { announced, attributes } = decodeUpdate(only(hex).body, INTERNAL);
  const { mpReach, ...others } = attributes;
  assert.deepEqual(announced, [{ family: "IPv6", prefixes: ["2001:db8:1::/48"] }]);
  assert.deepEqual(mpReach?.nextHops, ["fd00:a::2:104", "fe80::3c15:78ff:fee0:857f"]);
  assert.deepEqual(others, {
    origin: 0,
    asPath: [],
    localPref: 100,
    communities: [65_001 * 65_536 + 100, 0xffffff01],
  });
});

test("BIRD's words for a shutdown", () => {
  const { hex = "" } = bird.find(({ type }) => type === "NOTIFICATION") ?? {};
  assert.deepEqual(decodeNotification(only(hex).body), {
    code: 6,
    subcode: 2,
    words: "cease (administrativeShutdown): new disks",
    text: "new disks",
  });
});

const asn = fc.integer({ min: 1, max: 0xffffffff });
const families = fc.constantFrom<readonly ("IPv4" | "IPv6")[]>(["IPv4"], ["IPv6"], ["IPv4", "IPv6"]);
const flag = fc.boolean();

test("OPENs come back as they were", () => {
  const open = fc.record({
    asn,
    holdTimeSeconds: fc.integer({ min: 0, max: 65_535 }),
    routerId: fc.ipV4(),
    families,
    flags: fc.tuple(flag, flag, flag, flag, flag),
    timeSeconds: fc.option(fc.integer({ min: 0, max: 4_095 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(open, ({ flags: [a, b, c, d, e], timeSeconds, families: spoken, ...rest }) => {
      const capabilities = {
        families: spoken,
        asn: rest.asn,
        routeRefresh: a,
        enhancedRouteRefresh: b,
        extendedMessage: c,
        extendedNextHop: d,
        ...(timeSeconds !== undefined && {
          gracefulRestart: {
            isRestarting: e,
            coversNotifications: d,
            timeSeconds,
            families: spoken.map((family) => ({ family, isForwarding: a })),
          },
        }),
      };
      const whole: Open = { version: 4, ...rest, capabilities };
      assert.deepEqual(decodeOpen(encodeOpen(whole)), whole);
      assert.deepEqual(decodeCapabilities(encodeCapabilities(capabilities)), capabilities);
    }),
  );
});

const prefix4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`);

test("prefixes come back with their host bits cleared", () => {
  const fail = (what: string): Error => new Error(what);
  fc.assert(
    fc.property(fc.array(prefix4), (prefixes) => {
      const once = decodePrefixes(Buffer.concat(prefixes.map(encodePrefix)), "IPv4", fail);
      assert.equal(once.length, prefixes.length);
      assert.deepEqual(decodePrefixes(Buffer.concat(once.map(encodePrefix)), "IPv4", fail), once);
    }),
  );
  assert.deepEqual(decodePrefixes(Buffer.from("0c0a1f", "hex"), "IPv4", fail), ["10.16.0.0/12"]);
  assert.equal(encodePrefix("2001:db8::/32").toString("hex"), "2020010db8");
  assert.equal(encodePrefix("0.0.0.0/0").toString("hex"), "00");
  assert.equal(encodePrefix("192.0.2.255/32").toString("hex"), "20c00002ff");
  assert.equal(encodePrefix("2001:db8::1/128").toString("hex"), "8020010db8000000000000000000000001");
  assert.equal(encodePrefix("fd00::/7").toString("hex"), "07fc");
});

test("what is no prefix is refused, however much it looks like an address", () => {
  const odd = [
    "256.0.0.1/32",
    "01.0.0.1/32",
    "1.2.3/32",
    "1.2.3.4.5/32",
    "1.2.3.4/33",
    ".1.2.3/32",
    "1..2.3/32",
    "::/32x",
  ];
  for (const text of odd) assert.throws(() => encodePrefix(text), { code: "BadAddress" }, text);
});

test("a shutdown's words come back, cut at 255 octets, without what would spoil a log", () => {
  const said = (words: string): string | undefined =>
    decodeNotification(encodeNotification(shutdown(2, words))).text;
  assert.equal(said("moving to rack 7"), "moving to rack 7");
  assert.equal(said("a\nb\u0007c"), "a b c");
  assert.equal(
    said("a\u202eb\u2028c\u200bd"),
    "a b c d",
    "nothing turns the direction of a line or breaks it",
  );
  assert.equal(said("x".repeat(300))?.length, 255);
});

test("a hard reset says what is in it (RFC 8538 section 3.1)", () => {
  const { words } = decodeNotification(
    Buffer.concat([Buffer.from("06090602", "hex"), Buffer.from("\u0003abc")]),
  );
  assert.equal(words, "cease (hardReset): cease (administrativeShutdown): abc");
  assert.equal(decodeNotification(Buffer.from("0609", "hex")).words, "cease (hardReset)");
});

test("errors have names: those of RFC 6608, RFC 7313 and RFC 9234 too", () => {
  const words = (hex: string) => decodeNotification(Buffer.from(hex, "hex")).words;
  assert.equal(words("020b"), "OPEN error (roleMismatch)");
  assert.equal(words("0503"), "finite state machine error (unexpectedInEstablished)");
  assert.equal(words("0701"), "ROUTE-REFRESH error (invalidLength)");
  assert.equal(words("ffff"), "error 255 (255)");
});

test("ROUTE-REFRESH", () => {
  assert.deepEqual(decodeRefresh(encodeRefresh("IPv6", 1)), { family: "IPv6", kind: 1 });
  assert.throws(() => decodeRefresh(Buffer.alloc(5)), BgpError);
});

describe("messages out of a stream", () => {
  const keepalive = encodeMessage(MessageType.keepalive, Buffer.alloc(0));
  const long = encodeMessage(MessageType.update, Buffer.alloc(5_000));
  const head = (length: number, type: number): Buffer => {
    const bytes = Buffer.alloc(HEADER_BYTES, 0xff);
    bytes.writeUInt16BE(length, 16);
    bytes.writeUInt8(type, 18);
    return bytes;
  };

  test("whatever the pieces that they come in", () => {
    const stream = Buffer.concat([keepalive, encodeMessage(MessageType.update, encodeUpdate({})), keepalive]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sizes) => {
        const splitter = new MessageSplitter();
        const types: number[] = [];
        let at = 0;
        for (let turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          for (const { type } of splitter.push(stream.subarray(at, at + size))) types.push(type);
          at += size;
        }
        assert.deepEqual(types, [4, 2, 4]);
      }),
    );
  });

  const refused: readonly [what: string, bytes: Buffer, subcode: number][] = [
    ["a marker that is none", Buffer.alloc(HEADER_BYTES), 1],
    ["a length below the header's", head(18, 4), 2],
    ["a KEEPALIVE with a body", head(20, 4), 2],
    ["an OPEN that is too short", head(28, 1), 2],
    ["more than 4096 octets", long, 2],
    ["type 9", head(19, 9), 3],
  ];
  for (const [what, bytes, subcode] of refused) {
    test(`refused: ${what}`, () => {
      assert.throws(
        () => [...new MessageSplitter().push(bytes)],
        (error) => error instanceof BgpError && error.code === 1 && error.subcode === subcode,
      );
    });
  }

  test("more than 4096 octets where both sides can", () => {
    const splitter = new MessageSplitter();
    splitter.allowsExtended = true;
    assert.equal([...splitter.push(long)][0]?.body.length, 5_000);
  });
});

test("noise ends in BgpError and nothing else", () => {
  const bodies = Object.values(CAPTURED).flatMap((messages) =>
    messages.map(({ hex }) => Buffer.from(hex, "hex").subarray(HEADER_BYTES)),
  );
  const mutated = fc
    .tuple(
      fc.nat(bodies.length - 1),
      fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 8 }),
      fc.nat(300),
    )
    .map(([which, changes, cut]) => {
      const body = Buffer.from(bodies[which] ?? []);
      for (const [at, value] of changes) if (body.length > 0) body[at % body.length] = value;
      return cut % 3 === 0 ? body.subarray(0, cut % (body.length + 1)) : body;
    });
  const noise = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(noise, fc.constantFrom(...Object.values(MessageType)), (body, type) => {
      try {
        decode({ type, body });
      } catch (error) {
        assert.ok(error instanceof BgpError, String(error));
      }
    }),
    { numRuns: 5_000 },
  );
});
