/** The other end of BGP sessions in tests: real TCP on loopback, words that the test chooses. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Transport } from "#speaker/bgp/transport.ts";
import type { PeerSettings } from "#speaker/bgp/types.ts";
import { encodeMessage, MessageSplitter, MessageType, type RawMessage } from "#speaker/bgp/wire/header.ts";
import { decodeNotification } from "#speaker/bgp/wire/notification.ts";
import { encodeOpen, type Open } from "#speaker/bgp/wire/open.ts";

export const OPEN: Open = {
  version: 4,
  asn: 65_001,
  holdTimeSeconds: 90,
  routerId: "10.0.0.1",
  capabilities: {
    families: ["IPv4"],
    asn: 65_001,
    routeRefresh: true,
    enhancedRouteRefresh: false,
    extendedMessage: false,
    extendedNextHop: false,
  },
};
export const KEEPALIVE = encodeMessage(MessageType.keepalive, Buffer.alloc(0));
export const open = (more: Partial<Open> = {}): Buffer =>
  encodeMessage(MessageType.open, encodeOpen({ ...OPEN, ...more }));

/** Of a peer on loopback whose identifier is lower: of two connections, ours would stay. */
export const SETTINGS: PeerSettings = {
  name: "peer",
  address: "127.0.0.1",
  port: 179,
  localAsn: 65_000,
  peerAsn: 65_001,
  routerId: "10.0.0.9",
  holdTimeMs: 90_000,
  connectTimeMs: 60_000,
  ttl: { kind: "direct" },
  gracefulRestart: false,
  families: ["IPv4"],
  nextHops: { IPv4: "10.0.0.9" },
};

/** What the kernel adds for BGP is tested where it is made; `acknowledged` is what it took, as far as Node knows. */
export const plainTransport: Transport = {
  async connect({ port }, address) {
    const socket = connect(port, address);
    await once(socket, "connect");
    return socket;
  },
  listen: (_family, port) => ({ port, sign() {}, close() {} }),
  changePassword() {},
  limitHops() {},
  linkAddresses: () => [],
  acknowledged: ({ bytesWritten, writableLength }) => bytesWritten - writableLength,
};

/** Both ends of a connection, and what undoes it. */
export async function socketPair(): Promise<{ ours: Socket; theirs: Socket; close: () => void }> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const theirs = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  theirs.on("error", () => {});
  const ours = await accepted.promise;
  server.close();
  return {
    ours,
    theirs,
    close: () => {
      ours.destroy();
      theirs.destroy();
    },
  };
}

/** What somebody at the other end of the connection hears. */
export class Ear {
  readonly heard: RawMessage[] = [];

  constructor(socket: Socket, allowsExtended = false) {
    const splitter = new MessageSplitter();
    splitter.allowsExtended = allowsExtended;
    socket.on("data", (chunk: Buffer) => this.heard.push(...splitter.push(chunk)));
    socket.on("error", () => {});
  }

  count(type: MessageType): number {
    return this.heard.filter((message) => message.type === type).length;
  }

  /** `code/subcode` of what was said at the end. */
  get notification(): string | undefined {
    return notificationIn(this.heard);
  }
}

/** `code/subcode` of the NOTIFICATION among them. */
export function notificationIn(heard: readonly RawMessage[]): string | undefined {
  const message = heard.find(({ type }) => type === MessageType.notification);
  if (message === undefined) return undefined;
  const { code, subcode } = decodeNotification(message.body);
  return `${code}/${subcode}`;
}
