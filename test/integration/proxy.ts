/** A TCP proxy between a client under test and a server: resets, refuses, holds back and delivers late on command. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #mode: "open" | "refuse" | "swallow" = "open";
  #accepted = 0;
  /** Bytes from clients that went on to the server only with `deliver`. */
  late = 0;

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server;
    server.on("connection", (client) => {
      this.#accepted += 1;
      client.on("error", ignore);
      if (this.#mode === "refuse") {
        client.resetAndDestroy();
        return;
      }
      const upstream = connect(target);
      upstream.on("error", ignore);
      const pair = [client, upstream] as const;
      this.#pairs.add(pair);
      if (this.#mode === "open") {
        client.pipe(upstream);
        upstream.pipe(client);
      }
      for (const end of pair) {
        end.on("close", () => {
          this.#pairs.delete(pair);
          for (const other of pair) other.destroy();
        });
      }
    });
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    // Half open: what a client that has gone had sent is still delivered.
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    const proxy = new TcpProxy(server, target);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections so far, the refused ones too. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Resets every connection (RST to the client). */
  resetAll(): void {
    for (const [client, upstream] of this.#pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  }

  /** Resets every connection, and new ones until `open`. */
  refuse(): void {
    this.#mode = "refuse";
    this.resetAll();
  }

  open(): void {
    this.#mode = "open";
  }

  /** Like `freeze`, and new connections are accepted and carry nothing, until `open`. */
  swallow(): void {
    this.#mode = "swallow";
    this.freeze();
  }

  /** Keeps connections, and lets nothing through: a network that swallows packets. */
  freeze(): void {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
      client.pause();
      upstream.pause();
    }
  }

  /** After `freeze` or `swallow`: what clients have sent meanwhile reaches the server now, as if it had been on its way. */
  deliver(): void {
    this.#mode = "open";
    for (const [client, upstream] of this.#pairs) {
      client.on("data", (bytes) => {
        this.late += bytes.length;
      });
      client.pipe(upstream);
      upstream.pipe(client);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resetAll();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Both ends are cut on purpose here; `close` follows every error and does the work. */
function ignore(): void {}
