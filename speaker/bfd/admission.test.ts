import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DatagramReceiver, DatagramSender } from "#speaker/native/datagram.ts";
import { assemble, CODE } from "#speaker/native/filter-program.ts";
import { until } from "#test/until.ts";
import { type Admitted, admission } from "./admission.ts";
import type { ListenerKind } from "./engine.ts";
import { type ControlPacket, decodeControl, emptyPacket, encodeControl } from "./packet.ts";

const PORT = 21_000 + (process.pid % 20_000);
const PORTS = Array.from({ length: 16 }, (_, at) => 41_000 + ((process.pid + 16 * at) % 20_000));
const OURS = 0x1234_5678;
/** The last packet of a batch: whatever else came is there before it. */
const END = 0x7fff_fff0;

interface Sent {
  readonly bytes: Buffer;
  readonly hops: number;
}

function packet(more: Partial<ControlPacket> = {}): Buffer {
  const bytes = Buffer.alloc(24);
  encodeControl({ ...emptyPacket(), detectMultiplier: 3, myDiscriminator: 7, state: "Down", ...more }, bytes);
  return bytes;
}

/** Which of the packets come through a socket with this filter, over loopback. */
async function through(kind: ListenerKind, admitted: Admitted, packets: readonly Sent[]): Promise<Buffer[]> {
  const family = kind.endsWith("IPv4") ? "IPv4" : "IPv6";
  const address = family === "IPv4" ? "127.0.0.1" : "::1";
  const receiver = new DatagramReceiver({ family, address, ports: [PORT] }, () => {});
  const senders = new Map<number, DatagramSender>();
  try {
    receiver.attachFilter(
      admission(kind, { ...admitted, discriminators: [...admitted.discriminators, END] }),
    );
    const end = { bytes: packet({ yourDiscriminator: END, state: "Up" }), hops: 255 };
    for (const { bytes, hops } of [...packets, end]) {
      const to = { address, port: PORT };
      const sender = senders.get(hops) ?? new DatagramSender({ family, address, ports: PORTS, to, hops });
      senders.set(hops, sender);
      sender.send(bytes);
    }
    const came: Buffer[] = [];
    await until("the last packet", () => {
      const count = receiver.read();
      for (const { payload, length } of receiver.datagrams.slice(0, count))
        came.push(Buffer.from(payload.subarray(0, length)));
      return came.some((bytes) => bytes.equals(end.bytes));
    });
    return came.filter((bytes) => !bytes.equals(end.bytes));
  } finally {
    for (const sender of senders.values()) sender.close();
    receiver.close();
  }
}

const KINDS = ["single-IPv4", "single-IPv6", "multi-IPv4", "multi-IPv6"] as const;

for (const kind of KINDS) {
  const isSingle = kind.startsWith("single");
  const loopback = kind.endsWith("IPv4") ? "127.0.0.1" : "::1";
  const stranger = kind.endsWith("IPv4") ? "127.0.0.9" : "fd00::9";
  const least = isSingle ? 255 : 250;
  const admitted: Admitted = {
    discriminators: [99, OURS],
    addresses: [stranger, loopback],
    minimumTtl: least,
  };

  test(`${kind}: the kernel drops what RFC 5880 section 6.8.6 discards, RFC 5881 section 5 forbids, or no session knows`, async () => {
    const cases: readonly (readonly [what: string, passes: boolean, bytes: Buffer, hops?: number])[] = [
      ["of our session", true, packet({ yourDiscriminator: OURS, state: "Up" })],
      ["of our session, polling", true, packet({ yourDiscriminator: OURS, state: "Up", poll: true })],
      ["of our other session", true, packet({ yourDiscriminator: 99, state: "Init" })],
      ["of a beginning peer", true, packet({ state: "Down" })],
      ["of a peer that goes", true, packet({ state: "AdminDown" })],
      ["with authentication after it", true, Buffer.concat([packet(), Buffer.alloc(8)])],
      ["with a TTL one too small", false, packet({ yourDiscriminator: OURS, state: "Up" }), least - 1],
      ["of somebody else's session", false, packet({ yourDiscriminator: OURS + 1, state: "Up" })],
      ["up without our discriminator", false, packet({ state: "Up" })],
      ["without its own discriminator", false, packet({ myDiscriminator: 0 })],
      ["without a multiplier", false, packet({ detectMultiplier: 0 })],
      ["one octet short", false, packet().subarray(0, 23)],
      ["of another version", false, changed(packet(), 0, 0x40)],
      ["that claims less than 24 octets", false, changed(packet(), 3, 23)],
      ["multipoint", false, changed(packet(), 1, 0x41)],
      ["with authentication", false, changed(packet(), 1, 0x44)],
    ];
    for (const [what, passes, bytes, hops = 255] of cases) {
      const came = await through(kind, admitted, [{ bytes, hops }]);
      assert.equal(came.length, passes ? 1 : 0, `a packet ${what}`);
    }
    const others = { ...admitted, addresses: [stranger] };
    assert.equal((await through(kind, others, [{ bytes: packet(), hops: 255 }])).length, 0);
    assert.equal(
      (await through(kind, { ...admitted, addresses: undefined }, [{ bytes: packet(), hops: 255 }])).length,
      1,
    );
  });
}

function changed(bytes: Buffer, at: number, value: number): Buffer {
  bytes[at] = value;
  return bytes;
}

test("whatever comes: no packet that the decoder takes is dropped, and none passes that it knows nothing good of", async () => {
  const admitted: Admitted = { discriminators: [OURS], addresses: ["127.0.0.1"], minimumTtl: 255 };
  const octet = (likely: number): fc.Arbitrary<number> =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(likely) }, fc.integer({ min: 0, max: 255 }));
  const one = fc
    .tuple(
      octet(0x20),
      octet(0x40),
      octet(3),
      octet(24),
      fc.constantFrom(0, OURS, 5),
      fc.integer({ min: 20, max: 40 }),
    )
    .map(([first, second, third, fourth, your, length]) => {
      const bytes = Buffer.alloc(40);
      bytes.set([first, second, third, fourth, 0, 0, 0, 7]);
      bytes.writeUInt32BE(your, 8);
      return bytes.subarray(0, length);
    });
  const batches = fc.array(one, { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(batches, async (packets) => {
      const came = await through(
        "single-IPv4",
        admitted,
        packets.map((bytes) => ({ bytes, hops: 255 })),
      );
      const faults = came.map((bytes) => decodeControl(bytes, bytes.length, emptyPacket()) ?? "None");
      for (const fault of faults) assert.ok(["None", "Length", "PollAndFinal"].includes(fault), fault);
      const good = packets.filter((bytes) => {
        const into = emptyPacket();
        return (
          decodeControl(bytes, bytes.length, into) === undefined && [0, OURS].includes(into.yourDiscriminator)
        );
      });
      for (const bytes of good)
        assert.ok(
          came.some((other) => other.equals(bytes)),
          bytes.toString("hex"),
        );
    }),
    { numRuns: 60 },
  );
});

test("256 sessions of a family: a program that the kernel takes, and that finds the last of them", async () => {
  const addresses = Array.from({ length: 255 }, (_, at) => `fd00::${at + 2}`);
  const discriminators = Array.from({ length: 256 }, (_, at) => at + 1);
  const admitted: Admitted = { discriminators, addresses: [...addresses, "::1"], minimumTtl: 255 };
  const packets = [packet({ yourDiscriminator: 256, state: "Up" }), packet()];
  const came = await through(
    "single-IPv6",
    admitted,
    packets.map((bytes) => ({ bytes, hops: 255 })),
  );
  assert.equal(came.length, 2);
});

test("what the kernel takes for no program is said, and the socket goes on as before", () => {
  const receiver = new DatagramReceiver({ family: "IPv4", address: "127.0.0.1", ports: [PORT] }, () => {});
  try {
    // A jump past the end.
    assert.throws(() => receiver.attachFilter(assemble([[CODE.jump, 0, 0, 9]])), { code: "EINVAL" });
  } finally {
    receiver.close();
  }
});
