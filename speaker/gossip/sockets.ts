/** The sockets of gossip: datagrams and connections of the node's own address, by Node. No rule of the protocol. */
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, isIPv6, type Server, type Socket } from "node:net";
import type { Endpoint } from "./wire/message.ts";

export interface GossipSockets {
  send(to: Endpoint, bytes: Uint8Array): void;
  connect(to: Endpoint): Socket;
  close(): void;
}

export interface SocketHandlers {
  onPacket(bytes: Uint8Array, from: Endpoint): void;
  /** One that somebody opened; `from` is the address. */
  onConnection(socket: Socket, from: string): void;
  /** Something failed after the sockets were open. */
  onError(error: Error): void;
}

export type OpenSockets = (own: Endpoint, handlers: SocketHandlers) => Promise<GossipSockets>;

/** Both at the same port. Rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL). */
export const openSockets: OpenSockets = async (own, handlers) => {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    handlers.onConnection(socket, addressOf(socket.remoteAddress));
  });
  const datagrams = createSocket(
    { type: isIPv6(own.address) ? "udp6" : "udp4", recvBufferSize: 1 << 20 },
    (bytes, { address, port }) => handlers.onPacket(bytes, { address: addressOf(address), port }),
  );
  try {
    server.listen({ port: own.port, host: own.address, backlog: 64 });
    await once(server, "listening");
    datagrams.bind({ port: own.port, address: own.address, exclusive: true });
    await once(datagrams, "listening");
  } catch (error) {
    server.close();
    closeQuietly(datagrams);
    throw error;
  }
  server.on("error", handlers.onError);
  datagrams.on("error", handlers.onError);
  return new Opened(own, server, datagrams, handlers);
};

class Opened implements GossipSockets {
  readonly #own: Endpoint;
  readonly #server: Server;
  readonly #datagrams: DatagramSocket;
  readonly #handlers: SocketHandlers;

  constructor(own: Endpoint, server: Server, datagrams: DatagramSocket, handlers: SocketHandlers) {
    this.#own = own;
    this.#server = server;
    this.#datagrams = datagrams;
    this.#handlers = handlers;
  }

  send(to: Endpoint, bytes: Uint8Array): void {
    this.#datagrams.send(bytes, to.port, to.address, (error) => {
      if (error !== null) this.#handlers.onError(error);
    });
  }

  /** From our own address: that is who we are. */
  connect(to: Endpoint): Socket {
    const socket = connect({ host: to.address, port: to.port, localAddress: this.#own.address });
    socket.on("error", () => socket.destroy());
    return socket;
  }

  close(): void {
    this.#server.close();
    closeQuietly(this.#datagrams);
  }
}

/** One that never was bound is closed already. */
function closeQuietly(datagrams: DatagramSocket): void {
  datagrams.removeAllListeners("error");
  datagrams.on("error", () => undefined);
  datagrams.close();
}

/** Without the link of a link-local address, and IPv4 as IPv4. */
function addressOf(text: string | undefined): string {
  const [address = ""] = (text ?? "").split("%");
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
