/** Every decoder of bytes from outside: what it is fed with to begin with, and the one error that it may throw. */

import { readEcho } from "#speaker/bfd/echo-packet.ts";
import { decodeControl, emptyPacket, encodeControl } from "#speaker/bfd/packet.ts";
import { decodeAttributes } from "#speaker/bgp/wire/attributes.ts";
import { decodeCapabilities } from "#speaker/bgp/wire/capability.ts";
import { BgpError, ErrorCode } from "#speaker/bgp/wire/error.ts";
import { HEADER_BYTES, MessageSplitter } from "#speaker/bgp/wire/header.ts";
import { decodeNotification } from "#speaker/bgp/wire/notification.ts";
import { decodeOpen } from "#speaker/bgp/wire/open.ts";
import { decodePrefixes } from "#speaker/bgp/wire/prefix.ts";
import { decodeRefresh } from "#speaker/bgp/wire/refresh.ts";
import { bird } from "#speaker/bgp/wire/testdata/bird.ts";
import { birdAnnouncing } from "#speaker/bgp/wire/testdata/bird-announcing.ts";
import { exabgp } from "#speaker/bgp/wire/testdata/exabgp.ts";
import { frr } from "#speaker/bgp/wire/testdata/frr.ts";
import { gobgp } from "#speaker/bgp/wire/testdata/gobgp.ts";
import { decodeUpdate } from "#speaker/bgp/wire/update.ts";
import { GossipError } from "#speaker/gossip/wire/error.ts";
import { decodeReport, encodeReport } from "#speaker/health/wire.ts";
import { answerArp, answerDiscovery, type LinkAnnouncements } from "#speaker/layer2/answer.ts";
import { encodeArp } from "#speaker/layer2/arp.ts";
import { addressCodec } from "#speaker/netlink/addr.ts";
import { attribute } from "#speaker/netlink/attribute.ts";
import { DecodeError } from "#speaker/netlink/bytes.ts";
import { decodeListener, listener } from "#speaker/netlink/fou.ts";
import { decodeGeneric, encodeGeneric } from "#speaker/netlink/genl.ts";
import { decodeError, decodeMessages, encodeMessage } from "#speaker/netlink/header.ts";
import { decodeDestination, destination, service } from "#speaker/netlink/ipvs.ts";
import { decodeLink } from "#speaker/netlink/link.ts";
import { decodeElements, encodeElements } from "#speaker/netlink/nftables.ts";
import { decodeGateway, localRoute, routeCodec } from "#speaker/netlink/route.ts";
import { ruleCodec } from "#speaker/netlink/rule.ts";
import { decodeClaims, encodeClaims } from "#speaker/ownership/wire.ts";

export interface Decoder {
  readonly name: string;
  readonly decode: (bytes: Buffer) => unknown;
  /** What is mutated; noise is added by the runner. */
  readonly seeds: readonly Buffer[];
  /** Half of the messages, where there is a way to spoil what a message holds and not only its octets. */
  readonly spoiled?: (random: () => number) => Buffer;
  /** undefined: it throws nothing at all. */
  readonly error?: new (
    ...parts: never[]
  ) => Error;
}

const messages = [...bird, ...birdAnnouncing, ...exabgp, ...frr, ...gobgp];
const bgp = (type: string): Buffer[] =>
  messages
    .filter((one) => one.type === type)
    .map(({ hex }) => Buffer.from(hex, "hex").subarray(HEADER_BYTES));

/** Inner parts by themselves: nine of ten mutations of a whole UPDATE end at its outer lengths already. */
const attributes = bgp("UPDATE").map((body) => {
  const at = 4 + body.readUInt16BE(0);
  return body.subarray(at, at + body.readUInt16BE(at - 2));
});
/** Those of an OPEN's parameters, without the two octets before each. */
const capabilities = bgp("OPEN").map((body) => body.subarray(12));
const nlri = ["200a000001180a010108ac", "80fd0000000000000000000000000000014020010db800000000"];
const asUpdateError = (what: string): BgpError => new BgpError(ErrorCode.update, 10, what);

/** NLA_F_NESTED. */
const NESTED = 0x8000;
const HARDWARE = Buffer.from("020000000001", "hex");
const arp = encodeArp({
  destination: Buffer.alloc(6, 0xff),
  source: HARDWARE,
  packet: {
    operation: 1,
    senderHardware: HARDWARE,
    senderAddress: Buffer.from([10, 0, 0, 1]),
    targetHardware: Buffer.alloc(6),
    targetAddress: Buffer.from([10, 0, 0, 2]),
  },
});
/** Linux's answer to the next one. */
const advertisement = Buffer.from(
  "02000000000a02000000000b86dd6000000000203aff20010db800000000000000000000000220010db8000000000000000000000001" +
    "88008a686000000020010db8000000000000000000000002020102000000000b",
  "hex",
);
/** A neighbour solicitation of Linux for fd00::2, from fd00::1. */
const solicitation = Buffer.from(
  "3333ff00000202000000000186dd6000000000203afffd000000000000000000000000000001ff0200000000000000000001ff0000028700" +
    "b04f00000000fd0000000000000000000000000000020101020000000001",
  "hex",
);
/** Everything is announced, so that every answer is made. */
const link: LinkAnnouncements = { hardware: Buffer.from("020000000009", "hex"), vips: { has: () => true } };

const bfd = Buffer.alloc(24);
encodeControl({ ...emptyPacket(), state: "Up", detectMultiplier: 3, myDiscriminator: 7 }, bfd);

const netlink = (seeds: readonly Buffer[]): Pick<Decoder, "seeds" | "error"> => ({
  seeds,
  error: DecodeError,
});
const route = routeCodec.encode(localRoute("10.0.0.1", 7077, 1));
const realServer = attribute(
  2 | NESTED,
  destination.encode({ address: Buffer.alloc(16, 10), port: 80, method: 2, weight: 1, family: 2 }),
);
const element = encodeElements("genkan", "ports4", [{ key: "0a000001", value: "00001000" }]);

export const DECODERS: readonly Decoder[] = [
  {
    name: "bgp stream",
    decode: (bytes) => [...new MessageSplitter().push(bytes)],
    seeds: messages.map(({ hex }) => Buffer.from(hex, "hex")),
    error: BgpError,
  },
  { name: "bgp OPEN", decode: decodeOpen, seeds: bgp("OPEN"), error: BgpError },
  {
    name: "bgp UPDATE",
    decode: (bytes) => [decodeUpdate(bytes, { as4: true }), decodeUpdate(bytes, { as4: false })].length,
    seeds: bgp("UPDATE"),
    error: BgpError,
  },
  {
    name: "bgp attributes",
    decode: (bytes) =>
      [decodeAttributes(bytes, { as4: true }), decodeAttributes(bytes, { as4: false })].length,
    seeds: attributes.filter(({ length }) => length > 0),
    error: BgpError,
  },
  { name: "bgp capabilities", decode: decodeCapabilities, seeds: capabilities, error: BgpError },
  {
    name: "bgp prefixes",
    decode: (bytes) => decodePrefixes(bytes, bytes.length % 2 === 0 ? "IPv4" : "IPv6", asUpdateError),
    seeds: nlri.map((hex) => Buffer.from(hex, "hex")),
    error: BgpError,
  },
  { name: "bgp NOTIFICATION", decode: decodeNotification, seeds: bgp("NOTIFICATION"), error: BgpError },
  { name: "bgp ROUTE-REFRESH", decode: decodeRefresh, seeds: bgp("ROUTE-REFRESH"), error: BgpError },
  {
    name: "bfd control",
    decode: (bytes) => decodeControl(bytes, bytes.length, emptyPacket()),
    seeds: [bfd],
  },
  {
    name: "bfd echo",
    decode: (bytes) => readEcho(bytes, Buffer.from([10, 0, 0, 1])),
    seeds: [Buffer.alloc(44, 0x45)],
  },
  {
    name: "gossip claims",
    decode: (bytes) => decodeClaims(bytes, 100),
    seeds: encodeClaims([
      { vip: "192.0.2.1", node: "n1", epoch: 1 },
      { vip: "fd00::1", node: "n1", epoch: 300 },
      { vip: "192.0.2.2", node: "worker-2", epoch: 0xffff_ffff },
    ]),
    error: GossipError,
  },
  {
    name: "gossip reports of endpoints",
    decode: decodeReport,
    seeds: [
      encodeReport({
        ...{ node: "n1", run: 1_790_000_000_000, number: 1 },
        words: [
          { id: 7, address: "10.0.0.1", port: 80, isFailing: true },
          { id: 8, address: "fd00::1", port: 80, isFailing: false },
        ],
      }),
    ],
    error: GossipError,
  },
  { name: "arp", decode: (bytes) => answerArp(bytes, link), seeds: [arp] },
  { name: "ndp", decode: (bytes) => answerDiscovery(bytes, link), seeds: [solicitation, advertisement] },
  {
    name: "netlink messages",
    decode: (bytes) => decodeMessages(bytes).map((message) => message.payload.length),
    ...netlink([encodeMessage({ type: 24, flags: 0, sequence: 1, payload: route })]),
  },
  {
    name: "netlink error",
    decode: (bytes) => decodeError({ type: 2, flags: 0, sequence: 1, payload: bytes }),
    ...netlink([Buffer.alloc(36, 1)]),
  },
  { name: "netlink generic", decode: decodeGeneric, ...netlink([Buffer.from("0101000004000100", "hex")]) },
  { name: "netlink route", decode: (bytes) => routeCodec.decode(bytes), ...netlink([route]) },
  { name: "netlink default route", decode: decodeGateway, ...netlink([route]) },
  { name: "netlink rule", decode: (bytes) => ruleCodec.decode(bytes), ...netlink([route]) },
  { name: "netlink address", decode: (bytes) => addressCodec.decode(bytes), ...netlink([route]) },
  { name: "netlink link", decode: decodeLink, ...netlink([Buffer.alloc(48, 2)]) },
  {
    name: "ipvs service",
    decode: (bytes) => service.decode(bytes),
    ...netlink([service.encode({ family: 2, mark: 4_096, scheduler: "mh" })]),
  },
  {
    name: "netlink GUE port",
    decode: decodeListener,
    ...netlink([
      encodeGeneric(1, 1, listener.encode({ port: 7476, family: 2, kind: 2, local4: "169.254.77.77" })),
      encodeGeneric(1, 1, listener.encode({ port: 7476, family: 10, kind: 2, local6: "100::7077" })),
    ]),
  },
  { name: "ipvs destination", decode: decodeDestination, ...netlink([realServer]) },
  { name: "nftables elements", decode: decodeElements, ...netlink([element.subarray(4)]) },
];
