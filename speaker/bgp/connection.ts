/** One TCP connection of a session: messages in, messages out as the peer takes them. */
import type { Socket } from "node:net";
import type { Cancel, Clock } from "#common/clock.ts";
import { Pace } from "./pace.ts";
import { BgpError, ErrorCode } from "./wire/error.ts";
import { encodeMessage, MessageSplitter, MessageType, type RawMessage } from "./wire/header.ts";
import { encodeNotification } from "./wire/notification.ts";

export interface ConnectionEvents {
  onMessage(message: RawMessage): void;
  /** What came is no message: nothing more is read. */
  onBroken(error: BgpError): void;
  /** It ended, and not by our own close; the words say how. */
  onClosed(words: string): void;
  /** It takes more again. */
  onDrain(): void;
  /** We are about to end it: what is said now is the last, and the peer should hear it. */
  onEnding(): void;
}

const LINGER_MS = 1_000;
const NOTHING = Buffer.alloc(0);
/**
 * Bytes that may wait for a peer that does not read; no UPDATE more is made until it does. Beyond them come only
 * KEEPALIVEs, a few hundred until the send hold timer ends it.
 */
const MAX_WAITING = 256 * 1024;

/** Node writes an IPv4 address in an IPv6 socket, and the zone of a link-local one, into the text. */
function withoutZone(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:/, "").replace(/%.*$/, "");
}

export class Connection {
  readonly #socket: Socket;
  readonly #clock: Pick<Clock, "after" | "now">;
  readonly #pace: Pace;
  #cancelRest: Cancel | undefined;
  readonly #splitter = new MessageSplitter();
  #isOpen = true;
  #words = "the connection was closed by the peer";
  readonly #acknowledged: (socket: Socket) => number;
  readonly #onEnding: () => void;
  #taken = 0;

  /** `acknowledged`: bytes that the peer's side has confirmed. */
  constructor(
    socket: Socket,
    clock: Pick<Clock, "after" | "now">,
    events: ConnectionEvents,
    acknowledged: (socket: Socket) => number,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onEnding = () => events.onEnding();
    this.#pace = new Pace(clock.now());
    this.#acknowledged = acknowledged;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      // What comes after our last word is nobody's: it is not even put together.
      if (this.#isOpen) this.#read(this.#splitter.push(chunk), events);
    });
    socket.on("drain", () => {
      if (this.#isOpen) events.onDrain();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#words = `the connection broke: ${error.code ?? error.message}`;
    });
    socket.on("close", () => {
      this.#cancelRest?.();
      if (!this.#isOpen) return;
      this.#isOpen = false;
      events.onClosed(this.#words);
    });
  }

  get localAddress(): string {
    return withoutZone(this.#socket.localAddress) ?? "";
  }

  /** Where the peer is; undefined once the connection is closed. */
  get peerAddress(): string | undefined {
    return withoutZone(this.#socket.remoteAddress);
  }

  /** Bytes that wait for the peer here; the kernel has its own, bounded ones (tcp_wmem). */
  get waiting(): number {
    return this.#isOpen ? this.#socket.writableLength : 0;
  }

  /** Whether more may be sent now; onDrain says when it may again. */
  get hasRoom(): boolean {
    return this.#isOpen && this.waiting < MAX_WAITING;
  }

  /** Bytes that the peer has taken; 0 of a connection that is closed. */
  get taken(): number {
    return this.#isOpen && !this.#socket.destroyed ? this.#acknowledged(this.#socket) : 0;
  }

  /** Whether the peer has taken something since this was last asked; nobody else knows how much of it was read. */
  hasTaken(): boolean {
    const before = this.#taken;
    this.#taken = this.taken;
    return this.#taken > before;
  }

  allowExtended(): void {
    this.#splitter.allowsExtended = true;
  }

  send(message: Buffer): void {
    if (this.#isOpen) this.#socket.write(message);
  }

  sendNotification(error: BgpError): void {
    if (this.#isOpen) this.#onEnding();
    this.send(encodeMessage(MessageType.notification, encodeNotification(error)));
  }

  /** After what was sent, if the peer still takes it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#onEnding();
    this.#isOpen = false;
    this.#cancelRest?.();
    // What still comes is thrown away, and does not keep the peer from closing.
    this.#socket.resume();
    this.#socket.end();
    // A peer that does not close its side keeps nothing of ours, the kernel's memory included where it does not read.
    const cancel = this.#clock.after(LINGER_MS, () => {
      if (this.#socket.writableLength > 0) this.#socket.resetAndDestroy();
      else this.#socket.destroy();
    });
    this.#socket.once("close", cancel);
  }

  /** True when everything that was sent is with the kernel; false if the peer does not take it for a while. */
  flushed(): Promise<boolean> {
    if (!this.#isOpen || this.#socket.writableLength === 0) return Promise.resolve(this.#isOpen);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = this.#clock.after(LINGER_MS, () => resolve(false));
    // Its callback comes after all before it, or with the end; "drain" comes only after long queues.
    this.#socket.write(NOTHING, (error) => {
      cancel();
      resolve(!error);
    });
    return promise;
  }

  /** Hands on what is whole, as fast as the pace allows; meanwhile nothing more is taken from the kernel. */
  #read(messages: Iterator<RawMessage>, events: ConnectionEvents): void {
    try {
      for (;;) {
        const since = this.#clock.now();
        const next = messages.next();
        if (next.done === true) {
          this.#socket.resume();
          return;
        }
        events.onMessage(next.value);
        if (!this.#isOpen) return;
        const rest = this.#pace.spend(since, this.#clock.now());
        if (rest === 0) continue;
        this.#socket.pause();
        this.#cancelRest = this.#clock.after(rest, () => this.#read(messages, events));
        return;
      }
    } catch (error) {
      if (this.#isOpen) events.onBroken(asBgpError(error));
    }
  }
}

function asBgpError(error: unknown): BgpError {
  if (error instanceof BgpError) return error;
  // A fault of ours must not leave a session that looks alive.
  return new BgpError(ErrorCode.cease, 0, error instanceof Error ? error.message : String(error));
}
