/**
 * Bounds what strangers can make a server hold: its connections and the bytes kept for them. A server that refuses
 * newcomers at its bound can be locked by whoever opens connections and keeps them; this one closes the connection that
 * has been without progress for the longest time, which is never the one whose question has just come in.
 */
import type { Server, Socket } from "node:net";

export interface ConnectionsOptions {
  readonly most: number;
  /** Of what is kept for all of them together: requests that are not whole yet, answers that are not read yet. */
  readonly mostBytes: number;
  /** A connection was closed to stay below a bound. */
  readonly onClosed?: () => void;
}

interface Connection {
  /** The one to destroy; with TLS there are two for each connection, the raw one first. */
  socket: Socket;
  /** Not until a TLS handshake is over. */
  isReady: boolean;
  /** Questions that are being answered right now: it is closed for nobody. */
  answering: number;
  bytes: number;
}

/** The same for the two sockets of a TLS connection. */
const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

export class Connections {
  readonly #options: ConnectionsOptions;
  /** In the order of the last progress: the first one has waited longest. */
  readonly #open = new Map<string, Connection>();
  #bytes = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Before the server listens. */
  watch(server: Server): void {
    server.on("connection", (socket) => this.#accept(socket));
    server.on("secureConnection", (socket: Socket) => {
      const connection = this.#open.get(keyOf(socket));
      // It was closed for another one while it shook hands.
      if (connection === undefined) socket.destroy();
      else Object.assign(connection, { socket, isReady: true });
    });
  }

  get count(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** While `work` is under way the connection is closed for nobody; after that it counts as the newest one. */
  async during<T>(socket: Socket, work: () => Promise<T>): Promise<T> {
    const connection = this.#open.get(keyOf(socket));
    if (connection === undefined) return await work();
    connection.answering += 1;
    try {
      return await work();
    } finally {
      connection.answering -= 1;
      this.#progressed(connection);
    }
  }

  /**
   * Counts bytes that are kept for the connection; more than the bound allows closes those that have waited longest,
   * which may be this one. The result gives them back; closing the connection does, too.
   */
  hold(socket: Socket, bytes: number): () => void {
    const connection = this.#open.get(keyOf(socket));
    if (connection === undefined) return () => undefined;
    connection.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > this.#options.mostBytes && this.#closeOldest(({ bytes: held }) => held > 0));
    let isHeld = true;
    return () => {
      // A connection that was closed has given back everything.
      if (!isHeld || connection.bytes === 0) return;
      isHeld = false;
      connection.bytes -= bytes;
      this.#bytes -= bytes;
    };
  }

  /** Those whose TLS handshake is not over. */
  closeUnready(): void {
    for (const { socket, isReady } of [...this.#open.values()]) if (!isReady) socket.destroy();
  }

  /** Those that still shake hands, too, which an HTTP server knows nothing of. */
  closeAll(): void {
    for (const { socket } of [...this.#open.values()]) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (socket.remoteAddress === undefined) {
      // Gone already: nothing is known of it, so nothing may be kept for it.
      socket.destroy();
      return;
    }
    if (this.#open.size >= this.#options.most && !this.#closeOldest(() => true)) {
      this.#options.onClosed?.();
      socket.destroy();
      return;
    }
    const connection: Connection = { socket, isReady: false, answering: 0, bytes: 0 };
    const key = keyOf(socket);
    this.#open.set(key, connection);
    socket.once("close", () => this.#forget(key, connection));
  }

  /** False if there is none that may be closed. */
  #closeOldest(isMeant: (connection: Connection) => boolean): boolean {
    for (const [key, connection] of this.#open) {
      if (connection.answering > 0 || !isMeant(connection)) continue;
      this.#forget(key, connection);
      connection.socket.destroy();
      this.#options.onClosed?.();
      return true;
    }
    return false;
  }

  #progressed(connection: Connection): void {
    const key = keyOf(connection.socket);
    if (this.#open.get(key) !== connection) return;
    this.#open.delete(key);
    this.#open.set(key, connection);
  }

  #forget(key: string, connection: Connection): void {
    this.#bytes -= connection.bytes;
    connection.bytes = 0;
    // Its port may have come back with another connection.
    if (this.#open.get(key) === connection) this.#open.delete(key);
  }
}
