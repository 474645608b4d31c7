/** One message each way over TCP: reading a whole one within its time and size. */
import type { Socket } from "node:net";
import type { Clock } from "#common/clock.ts";
import { GossipError } from "./wire/error.ts";
import type { Envelope } from "./wire/packet.ts";
import { type Direction, type OpenedStream, openStream, streamLength } from "./wire/stream.ts";

/** A whole exchange takes no longer; memberlist gives it 10 s. */
const STREAM_MS = 5_000;

export interface ReadOptions {
  /** Keys may change while it is read. */
  readonly envelope: () => Envelope;
  readonly clock: Pick<Clock, "after">;
  readonly direction: Direction;
}

/**
 * Calls `done` once: with the message, with GossipError for what is none, or with undefined when the connection ended or
 * took too long.
 */
export function readStream(
  socket: Socket,
  { envelope, clock, direction }: ReadOptions,
  done: (read: OpenedStream | GossipError | undefined) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let wanted: number | undefined;
  const finish = (read: OpenedStream | GossipError | undefined): void => {
    cancel();
    socket.removeAllListeners("data");
    socket.removeAllListeners("close");
    if (read === undefined || read instanceof GossipError) socket.destroy();
    done(read);
  };
  const cancel = clock.after(STREAM_MS, () => finish(undefined));
  socket.on("close", () => finish(undefined));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    try {
      wanted ??= streamLength(chunks.length === 1 ? chunk : Buffer.concat(chunks), envelope(), direction);
      if (wanted !== undefined && length >= wanted)
        finish(openStream(Buffer.concat(chunks).subarray(0, wanted), envelope(), direction));
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      finish(error);
    }
  });
}

/** Sends one message and no more; the connection goes once it was taken, or after a while. */
export function endStream(socket: Socket, clock: Pick<Clock, "after">, bytes: Uint8Array): void {
  const cancel = clock.after(STREAM_MS, () => socket.destroy());
  socket.on("close", cancel);
  socket.end(bytes);
}
