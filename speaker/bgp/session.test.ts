/** Sessions against peers that misbehave, over real TCP on loopback: ended by the book, others untouched. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { KEEPALIVE, notificationIn, OPEN, open, plainTransport, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { until } from "#test/until.ts";
import { Password } from "../known/password.ts";
import { type Bgp, createBgp } from "./bgp.ts";
import type { Transport } from "./transport.ts";
import type { PeerSettings, SessionReport } from "./types.ts";
import { encodeMessage, MessageSplitter, MessageType, type RawMessage } from "./wire/header.ts";
import { decodeRefresh, encodeRefresh, RefreshKind } from "./wire/refresh.ts";
import { decodeUpdate, encodeUpdate } from "./wire/update.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
});

/** A peer that says what the test has it say. */
class Peer {
  readonly server: Server;
  readonly heard: RawMessage[] = [];
  readonly sockets: Socket[] = [];

  constructor(onConnection: (socket: Socket, peer: Peer) => void = () => {}) {
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      this.listenTo(socket);
      onConnection(socket, this);
    });
    cleanUp.push(() => this.close());
  }

  listenTo(socket: Socket): void {
    const splitter = new MessageSplitter();
    socket.on("data", (chunk: Buffer) => this.heard.push(...splitter.push(chunk)));
    socket.on("error", () => {});
  }

  async port(): Promise<number> {
    if (!this.server.listening) {
      this.server.listen(0, "127.0.0.1");
      await once(this.server, "listening");
    }
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  types(): number[] {
    return this.heard.map(({ type }) => type);
  }

  /** `code/subcode` of what it was told at the end. */
  notification(): string | undefined {
    return notificationIn(this.heard);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

/** Plain TCP: what the kernel adds for BGP is tested where it is made. */
const plain: Transport = {
  ...plainTransport,
  listen(_family, port, { onConnection }) {
    const server = createServer((socket) => onConnection({ socket, address: "127.0.0.1", port: 0 }));
    server.listen(port, "127.0.0.1");
    return { port, sign() {}, close: () => void server.close() };
  },
};

const settings = (port: number, more: Partial<PeerSettings> = {}): PeerSettings => ({
  ...SETTINGS,
  port,
  connectTimeMs: 1_000,
  ...more,
});

function speaker(): Bgp {
  const bgp = createBgp({ clock: systemClock, transport: plain, listenPort: undefined });
  cleanUp.push(() => bgp.stop({ mode: "restart" }));
  return bgp;
}

async function start(peer: Peer, more: Partial<PeerSettings> = {}): Promise<Bgp> {
  const bgp = speaker();
  const wanted = { settings: settings(await peer.port(), more), advertisements: [] };
  bgp.reconcile(new Map([[wanted.settings.name, wanted]]));
  return bgp;
}

const report = (bgp: Bgp, name = "peer"): SessionReport | undefined =>
  bgp.sessions().find(({ peer }) => peer === name);
const greet = (socket: Socket): void => {
  socket.write(open());
  socket.write(KEEPALIVE);
};
const established = (bgp: Bgp, name = "peer"): Promise<unknown> =>
  until(`${name} to be established`, () => report(bgp, name)?.state === "Established");

const nlri = (count: number): Buffer => {
  const attributes = Buffer.from("4001010040020602010000fde94003040a000001", "hex");
  const prefixes = Buffer.concat(Array.from({ length: count }, (_, at) => Buffer.from([32, 10, 0, 0, at])));
  return encodeMessage(MessageType.update, encodeUpdate({ attributes, nlri: prefixes }));
};

describe("what ends a session, and with which words", () => {
  const header = (length: number, type: number): Buffer => {
    const bytes = Buffer.alloc(19, 0xff);
    bytes.writeUInt16BE(length, 16);
    bytes.writeUInt8(type, 18);
    return bytes;
  };
  const cases: readonly [what: string, says: readonly Buffer[], notification: string, error: RegExp][] = [
    ["noise instead of a message", [Buffer.alloc(64, 0x41)], "1/1", /marker/],
    ["a type that is none", [open(), header(19, 9)], "1/3", /type 9/],
    ["a length that cannot be", [open(), header(18, 4)], "1/2", /18 bytes/],
    ["the wrong AS", [open({ asn: 65_002 })], "2/2", /AS 65002 instead of 65001/],
    [
      "version 3",
      [Buffer.concat([open().subarray(0, 19), Buffer.from([3]), open().subarray(20)])],
      "2/1",
      /version 3/,
    ],
    ["a hold time of 2 s", [open({ holdTimeSeconds: 2 })], "2/6", /hold time 2 s/],
    ["the identifier 0.0.0.0", [open({ routerId: "0.0.0.0" })], "2/3", /identifier 0\.0\.0\.0/],
    [
      "no family in common",
      [open({ capabilities: { ...OPEN.capabilities, families: ["IPv6"] } })],
      "2/7",
      /the peer speaks IPv6/,
    ],
    ["a second OPEN", [open(), KEEPALIVE, open()], "5/3", /BGPOpen|finite state/],
    ["an UPDATE before its time", [open(), nlri(1)], "5/2", /UpdateMsg|finite state/],
    [
      "a prefix of 40 bits",
      [open(), KEEPALIVE, encodeMessage(2, Buffer.from("00000000280000000000", "hex"))],
      "3/10",
      /length 40/,
    ],
    [
      "a refresh of no length (RFC 7313)",
      [open(), KEEPALIVE, encodeMessage(MessageType.routeRefresh, Buffer.from("0001010100", "hex"))],
      "7/1",
      /5 octets instead of 4/,
    ],
    ["more prefixes than allowed", [open(), KEEPALIVE, nlri(6)], "6/1", /more than 5 prefixes/],
  ];
  for (const [what, says, notification, error] of cases) {
    test(what, async () => {
      const peer = new Peer((socket) => {
        for (const bytes of says) socket.write(bytes);
      });
      const bgp = await start(peer, { maximumPrefixes: 5 });
      await until("a NOTIFICATION", () => peer.notification() !== undefined);
      assert.equal(peer.notification(), notification);
      assert.match(report(bgp)?.lastError ?? "", error);
      assert.notEqual(report(bgp)?.state, "Established");
    });
  }
});

test("a broken attribute costs its routes and not the session", async () => {
  const broken = Buffer.from("4001010940020602010000fde94003040a000001", "hex");
  const update = encodeMessage(
    MessageType.update,
    encodeUpdate({ attributes: broken, nlri: Buffer.from([32, 10, 0, 0, 1]) }),
  );
  const peer = new Peer((socket) => {
    greet(socket);
    socket.write(nlri(3));
    socket.write(update);
  });
  const bgp = await start(peer);
  await until("the withdrawal", () => report(bgp)?.prefixesReceived === 2);
  assert.equal(report(bgp)?.state, "Established");
});

test("a refresh that the peer asks for, and one that it tells itself (RFC 7313)", async () => {
  const refresh = (kind: number): Buffer =>
    encodeMessage(MessageType.routeRefresh, encodeRefresh("IPv4", kind));
  const can = { ...OPEN.capabilities, enhancedRouteRefresh: true };
  const peer = new Peer((socket) => {
    socket.write(Buffer.concat([open({ capabilities: can }), KEEPALIVE, nlri(4)]));
  });
  const bgp = speaker();
  const advertisements = [{ prefix: "192.0.2.1/32", communities: [], largeCommunities: [] }];
  bgp.reconcile(new Map([["peer", { settings: settings(await peer.port()), advertisements }]]));
  await until("the peer's four", () => report(bgp)?.prefixesReceived === 4);
  await until("the table", () => peer.types().filter((type) => type === MessageType.update).length === 2);
  peer.heard.length = 0;
  const [socket] = peer.sockets;
  socket?.write(refresh(RefreshKind.request));
  await until("the answer", () => peer.heard.length >= 3);
  const kinds = peer.heard.map(({ type, body }) =>
    type === MessageType.update ? "update" : `refresh ${decodeRefresh(body).kind}`,
  );
  assert.deepEqual(kinds, ["refresh 1", "update", "refresh 2"]);
  socket?.write(Buffer.concat([refresh(RefreshKind.begin), nlri(2), refresh(RefreshKind.end)]));
  await until("what was not told again to be gone", () => report(bgp)?.prefixesReceived === 2);
  assert.equal(report(bgp)?.state, "Established");
});

test("messages longer than 4,096 octets only where both sides said so (RFC 8654)", async () => {
  const body = Buffer.concat([nlri(1).subarray(19), Buffer.alloc(5_000)]);
  const padded = encodeMessage(MessageType.update, body);
  for (const extendedMessage of [false, true]) {
    const peer = new Peer((socket) => {
      const capabilities = { ...OPEN.capabilities, extendedMessage };
      socket.write(Buffer.concat([open({ capabilities }), KEEPALIVE, padded]));
    });
    const bgp = await start(peer);
    if (extendedMessage) await until("it to be read", () => report(bgp)?.prefixesReceived === 2);
    else await until("a NOTIFICATION", () => peer.notification() === "1/2");
  }
});

test("a full table costs no session: it is counted as far as it goes, and status says so (RFC 4271 section 6.7)", async () => {
  const attributes = Buffer.from("4001010040020602010000fde94003040a000001", "hex");
  const update = (round: number): Buffer => {
    const prefixes = Array.from({ length: 900 }, (_, at) => Buffer.from([24, round, at >> 8, at & 255]));
    return encodeMessage(MessageType.update, encodeUpdate({ attributes, nlri: Buffer.concat(prefixes) }));
  };
  const peer = new Peer((socket) => {
    greet(socket);
    for (let round = 1; round <= 100; round += 1) socket.write(update(round));
  });
  const bgp = await start(peer);
  await until("all of it to be read", () => (report(bgp)?.messagesIn ?? 0) >= 102, { deadlineMs: 30_000 });
  const { state, prefixesReceived, warning, losses } = report(bgp) ?? {};
  assert.deepEqual([state, prefixesReceived, losses], ["Established", 10_000, 0]);
  assert.match(warning ?? "", /^the router advertises more than 10000 prefixes/);
});

test("half a message, then the end: the session goes on when the peer comes back", async () => {
  let turns = 0;
  const peer = new Peer((socket) => {
    turns += 1;
    if (turns > 1) return greet(socket);
    greet(socket);
    socket.end(KEEPALIVE.subarray(0, 10));
  });
  const bgp = await start(peer);
  await until("a second try", () => turns > 1 && report(bgp)?.state === "Established", {
    deadlineMs: 20_000,
  });
  assert.equal(report(bgp)?.losses, 1);
  assert.match(report(bgp)?.lastError ?? "", /closed by the peer/);
});

test("a peer that says nothing after the handshake of TCP holds up nobody else", async () => {
  const silent = new Peer();
  const fine = new Peer((socket) => greet(socket));
  const bgp = speaker();
  const quiet = { settings: settings(await silent.port(), { name: "silent" }), advertisements: [] };
  const good = { settings: settings(await fine.port(), { name: "fine" }), advertisements: [] };
  bgp.reconcile(
    new Map([
      ["silent", quiet],
      ["fine", good],
    ]),
  );
  await established(bgp, "fine");
  assert.equal(report(bgp, "silent")?.state, "OpenSent");
});

test("a flood of KEEPALIVEs and noise from one peer leaves the other's session alone", async () => {
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => KEEPALIVE));
  const loud = new Peer((socket) => {
    greet(socket);
    socket.write(flood, () => socket.write(Buffer.alloc(10_000, 7)));
  });
  const fine = new Peer((socket) => greet(socket));
  const bgp = speaker();
  bgp.reconcile(
    new Map([
      ["loud", { settings: settings(await loud.port(), { name: "loud" }), advertisements: [] }],
      ["fine", { settings: settings(await fine.port(), { name: "fine" }), advertisements: [] }],
    ]),
  );
  await established(bgp, "fine");
  await until("the loud one to be cut off", () => loud.notification() === "1/1", { deadlineMs: 20_000 });
  assert.equal(report(bgp, "fine")?.state, "Established");
  assert.equal(report(bgp, "fine")?.losses, 0);
});

test("a peer that does not read is sent what it takes, and no more is made for it", async () => {
  const peer = new Peer((socket) => greet(socket));
  const bgp = speaker();
  const wanted = (community: number) => ({
    settings: { name: "peer" },
    advertisements: Array.from({ length: 20_000 }, (_, at) => ({
      prefix: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32`,
      communities: [community + (at % 500)],
      largeCommunities: [],
    })),
  });
  const of = settings(await peer.port());
  const tell = (community: number): void =>
    bgp.reconcile(new Map([["peer", { ...wanted(community), settings: of }]]));
  tell(1);
  await established(bgp);
  for (const socket of peer.sockets) socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 2; round <= 10; round += 1) tell(round * 1_000);
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 2 ** 20);
  for (const socket of peer.sockets) socket.resume();
  const known = new Map<string, number>();
  const read = (): number => {
    for (const { type, body } of peer.heard.splice(0)) {
      if (type !== MessageType.update) continue;
      const { announced, attributes } = decodeUpdate(body, { as4: true });
      for (const { prefixes } of announced)
        for (const prefix of prefixes) known.set(prefix, attributes.communities?.[0] ?? 0);
    }
    return [...known.values()].filter((community) => community >= 10_000).length;
  };
  await until("the last table to be told", () => read() === 20_000, { deadlineMs: 30_000 });
});

describe("two connections at once (RFC 4271 section 6.8)", () => {
  for (const [what, routerId, isOursKept] of [
    ["ours stays where our identifier is higher", "10.0.0.1", true],
    ["the peer's stays where its identifier is higher", "10.0.0.200", false],
  ] as const) {
    test(what, async () => {
      const sent = new Peer((socket) => void socket);
      const port = await sent.port();
      const accepted = Promise.withResolvers<(socket: Socket) => void>();
      const transport: Transport = {
        ...plain,
        listen(_family, _port, { onConnection }) {
          accepted.resolve((socket) => onConnection({ socket, address: "127.0.0.1", port: 0 }));
          return { port: 0, sign() {}, close() {} };
        },
      };
      const bgp = createBgp({ clock: systemClock, transport, listenPort: 0 });
      cleanUp.push(() => bgp.stop({ mode: "restart" }));
      bgp.reconcile(new Map([["peer", { settings: settings(port), advertisements: [] }]]));
      await until("our OPEN", () => sent.types().includes(MessageType.open));
      // The peer's own connection comes in while ours waits for an OPEN.
      const theirs = new Peer();
      const hand = await accepted.promise;
      const inside = createServer((socket) => hand(socket));
      inside.listen(0, "127.0.0.1");
      await once(inside, "listening");
      cleanUp.push(() => inside.close());
      const address = inside.address();
      const outgoing = connect(
        typeof address === "object" && address !== null ? address.port : 0,
        "127.0.0.1",
      );
      theirs.listenTo(outgoing);
      theirs.sockets.push(outgoing);
      await until("an OPEN on the peer's connection", () => theirs.types().includes(MessageType.open));
      sent.sockets[0]?.write(open({ routerId }));
      outgoing.write(open({ routerId }));
      const [kept, dumped] = isOursKept ? [sent, theirs] : [theirs, sent];
      await until("one to be dumped", () => dumped.notification() === "6/7");
      kept.sockets[0]?.write(KEEPALIVE);
      await established(bgp);
      assert.equal(kept.notification(), undefined);
    });
  }
});

test("changes that need no reset make none; others make one", async () => {
  const peer = new Peer((socket) => greet(socket));
  const bgp = await start(peer, { password: new Password("a") });
  await established(bgp);
  const port = await peer.port();
  const tell = (more: Partial<PeerSettings>, prefix?: string): void =>
    bgp.reconcile(
      new Map([
        [
          "peer",
          {
            settings: settings(port, more),
            advertisements: prefix === undefined ? [] : [{ prefix, communities: [], largeCommunities: [] }],
          },
        ],
      ]),
    );
  tell({ password: new Password("a") }, "192.0.2.1/32");
  tell({ password: new Password("b") }, "192.0.2.1/32");
  assert.equal(report(bgp)?.state, "Established");
  assert.equal(peer.notification(), undefined);
  tell({ password: new Password("b"), holdTimeMs: 30_000 });
  await until("the old session's end", () => peer.notification() === "6/6");
});

test("BFD's word ends the session at once, and it comes back", async () => {
  const peer = new Peer((socket) => greet(socket));
  const bgp = await start(peer);
  await established(bgp);
  bgp.bfdDown("peer");
  assert.equal(report(bgp)?.state, "Idle");
  assert.match(report(bgp)?.lastError ?? "", /BFD/);
  await until("the NOTIFICATION", () => peer.notification() === "6/10");
  await established(bgp);
  assert.equal(report(bgp)?.losses, 1);
});

test("a peer that connects again is asked on the connection that there is, which it may have lost", async () => {
  const peer = new Peer(greet);
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port: listenPort } = free.address() as AddressInfo;
  free.close();
  const bgp = createBgp({ clock: systemClock, transport: plain, listenPort });
  cleanUp.push(() => bgp.stop({ mode: "restart" }));
  bgp.reconcile(new Map([["peer", { settings: settings(await peer.port()), advertisements: [] }]]));
  await established(bgp);
  const keepalives = (): number => peer.types().filter((type) => type === MessageType.keepalive).length;
  await until("the first KEEPALIVE", () => keepalives() === 1);
  const again = connect(listenPort, "127.0.0.1");
  cleanUp.push(() => again.destroy());
  await until("the question", () => keepalives() === 2);
  assert.equal(report(bgp)?.state, "Established");
  assert.equal(peer.sockets.length, 1);
});
