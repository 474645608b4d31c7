/** One attempt at a time to connect to a peer. */
import type { Socket } from "node:net";
import type { Transport } from "./transport.ts";
import type { PeerSettings } from "./types.ts";

export interface DialEvents {
  onConnected(socket: Socket): void;
  onFailed(error: unknown): void;
}

export class Dialer {
  readonly #transport: Transport;
  #attempt: AbortController | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Gives up the attempt that is under way; its events do not come any more. */
  dial(settings: PeerSettings, address: string, { onConnected, onFailed }: DialEvents): void {
    this.giveUp();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#transport.connect(settings, address, attempt.signal).then(
      (socket) => {
        if (attempt.signal.aborted) {
          socket.destroy();
          return;
        }
        this.#attempt = undefined;
        onConnected(socket);
      },
      (error: unknown) => {
        if (attempt.signal.aborted) return;
        this.#attempt = undefined;
        onFailed(error);
      },
    );
  }

  giveUp(): void {
    this.#attempt?.abort();
    this.#attempt = undefined;
  }
}
