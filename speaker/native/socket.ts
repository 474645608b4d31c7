/**
 * The native border: every function of the addon, typed; nothing else loads it.
 * A socket belongs to the thread that opened it and is closed when that thread ends.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export interface Addon {
  open(domain: number, type: number, protocol: number): number;
  close(descriptor: number): void;
  bind(descriptor: number, address: Buffer): void;
  name(descriptor: number): Buffer;
  setOption(descriptor: number, level: number, name: number, value: Buffer): void;
  attachFilter(descriptor: number, program: Buffer): void;
  receive(descriptor: number, buffer: Buffer): number;
  send(descriptor: number, messages: readonly Buffer[], addresses: readonly Buffer[] | undefined): number;
  startReceiving(
    descriptor: number,
    buffer: Buffer,
    lengths: Uint32Array,
    addresses: Buffer,
    callback: (count: number) => void,
  ): void;
  unref(descriptor: number): void;
  watch(descriptor: number, isForWriting: boolean, callback: (status: number) => void): void;
  unwatch(descriptor: number): void;
  connect(descriptor: number, address: Buffer): boolean;
  connectError(descriptor: number): void;
  listen(descriptor: number, backlog: number): void;
  accept(descriptor: number, address: Buffer): number;
  release(descriptor: number): void;
  setTcpOption(descriptor: number, level: number, name: number, value: Buffer): void;
  getTcpOption(descriptor: number, level: number, name: number, value: Buffer): number;
  openTimer(): number;
  armTimer(descriptor: number, micros: number): void;
  scheduleFifo(priority: number): void;
  receiveDatagrams(descriptor: number, buffer: Buffer, meta: Int32Array): number;
}

export const AF = { netlink: 16, packet: 17 } as const;
export const SOCK = { dgram: 2, raw: 3 } as const;
export const SOL = { socket: 1, packet: 263, netlink: 270 } as const;

/** Most messages that one call sends or one wakeup receives (socket.c, BATCH_MAX). */
const BATCH_MAX = 256;
const ADDRESS_BYTES = 128;
const DEFAULT_BATCH = 64;

/** What a failed system call left behind. */
export class SocketError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(cause: { syscall: string; code: string; errno: number; message: string }) {
    // What is no error itself has said all that it has to say.
    super(cause.message, cause instanceof Error ? { cause } : undefined);
    this.name = "SocketError";
    this.code = cause.code;
    this.errno = cause.errno;
    this.syscall = cause.syscall;
  }
}

/** Messages of one wakeup. The buffers are reused: take a copy of what must outlive the callback. */
export interface Received {
  /** The message, and its sender's struct sockaddr. */
  readonly bytes: Buffer;
  readonly from: Buffer;
  /** The message was longer than its place and lost its end. */
  readonly isCut: boolean;
}

export interface Receiver {
  onMessages(messages: readonly Received[]): void;
  /** A failed read, for example ENOBUFS or ENETDOWN; the socket stays open. */
  onError(error: SocketError): void;
  /** Messages a wakeup, at most BATCH_MAX; 64 unless told. */
  batch?: number;
  /** Bytes a message, longer ones are cut. */
  messageBytes: number;
}

let loaded: Addon | undefined;

/** Beside the running file in an image, in build/ in the tree. */
export function addon(): Addon {
  if (loaded) return loaded;
  const places = ["socket.node", "build/socket.node"].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const place = places.find((path) => existsSync(path));
  if (place === undefined) {
    throw new Error(`the native addon is at none of ${places.join(", ")}: run "make addon"`);
  }
  loaded = createRequire(import.meta.url)(place) as Addon;
  return loaded;
}

function isSystemFailure(value: unknown): value is SocketError {
  return value instanceof Error && "errno" in value && "syscall" in value;
}

/** Runs a call into the addon; what the system refused becomes a SocketError. */
export function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw isSystemFailure(error) ? new SocketError(error) : error;
  }
}

/** One socket. Every method throws SocketError. */
export class Socket {
  readonly #native: Addon;
  readonly #descriptor: number;
  #isClosed = false;

  constructor(domain: number, type: number, protocol: number) {
    this.#native = addon();
    this.#descriptor = attempt(() => this.#native.open(domain, type, protocol));
  }

  bind(address: Buffer): void {
    attempt(() => this.#native.bind(this.#open(), address));
  }

  /** struct sockaddr as the kernel filled it in. */
  name(): Buffer {
    return attempt(() => this.#native.name(this.#open()));
  }

  /** A number is an int of the machine's byte order. */
  setOption(level: number, name: number, value: number | Buffer): void {
    const bytes = typeof value === "number" ? Buffer.from(Int32Array.of(value).buffer) : value;
    attempt(() => this.#native.setOption(this.#open(), level, name, bytes));
  }

  /** Classic BPF: see filter.ts. */
  attachFilter(program: Buffer): void {
    attempt(() => this.#native.attachFilter(this.#open(), program));
  }

  /** One waiting message: its full length, which is more than the buffer's if it was cut; undefined: none waits. */
  receive(buffer: Buffer): number | undefined {
    const length = attempt(() => this.#native.receive(this.#open(), buffer));
    return length < 0 ? undefined : length;
  }

  /** How many messages left; the rest found no room (EAGAIN, ENOBUFS). Throws if not even the first left. */
  send(messages: readonly Buffer[], addresses?: readonly Buffer[]): number {
    let sent = 0;
    while (sent < messages.length) {
      const part = messages.slice(sent, sent + BATCH_MAX);
      const to = addresses?.slice(sent, sent + BATCH_MAX);
      const left = attempt(() => this.#native.send(this.#open(), part, to));
      sent += left;
      if (left < part.length) break;
    }
    return sent;
  }

  /** Reads in batches until close, one callback a batch; keeps the process alive unless `unref` is called. */
  startReceiving(receiver: Receiver): void {
    const slots = receiver.batch ?? DEFAULT_BATCH;
    const buffer = Buffer.alloc(slots * receiver.messageBytes);
    const lengths = new Uint32Array(slots);
    const addresses = Buffer.alloc(slots * ADDRESS_BYTES);
    const onBatch = (count: number): void => {
      if (this.#isClosed) return;
      if (count < 0) {
        receiver.onError(readFailure(-count));
        return;
      }
      const messages: Received[] = [];
      for (let slot = 0; slot < count; slot++) {
        const length = lengths[slot] ?? 0;
        const start = slot * receiver.messageBytes;
        messages.push({
          bytes: buffer.subarray(start, start + Math.min(length, receiver.messageBytes)),
          from: addresses.subarray(slot * ADDRESS_BYTES, (slot + 1) * ADDRESS_BYTES),
          isCut: length > receiver.messageBytes,
        });
      }
      receiver.onMessages(messages);
    };
    attempt(() => this.#native.startReceiving(this.#open(), buffer, lengths, addresses, onBatch));
  }

  /** Waiting for messages alone shall not keep the process alive. */
  unref(): void {
    attempt(() => this.#native.unref(this.#open()));
  }

  /** May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    attempt(() => this.#native.close(this.#descriptor));
  }

  #open(): number {
    // A closed descriptor's number may already be another socket's.
    if (this.#isClosed) {
      throw new SocketError({ syscall: "socket", code: "EBADF", errno: 9, message: "the socket is closed" });
    }
    return this.#descriptor;
  }
}

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  100: "ENETDOWN",
  105: "ENOBUFS",
  19: "ENODEV",
  9: "EBADF",
};

function readFailure(errno: number): SocketError {
  const code = ERRNO_NAMES[errno] ?? `E${errno}`;
  return new SocketError({ syscall: "recvmmsg", code, errno, message: `recvmmsg: ${code}` });
}
