/** The body of a review, with the bytes that are kept for it counted as they come. */
import type { IncomingMessage } from "node:http";

/**
 * An API server takes requests of 3 MiB, and the object before the change was one of them, too. The remaining 2 MiB are
 * for what JSON escapes and the envelope add.
 */
const BODY_LIMIT = 8 * 1024 * 1024;
/** The cost of a piece beside its bytes: somebody may send one byte at a time. */
const PIECE_BYTES = 512;

export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
  readonly code = "TooLarge";

  constructor() {
    super(`the body is longer than ${BODY_LIMIT} bytes`);
  }
}

export interface Body {
  readonly bytes: Buffer;
  /** The body is needed no longer. */
  release(): void;
}

/** `hold` counts bytes and gives back what takes them off again. TooLargeError before more than the limit is read. */
export async function readBody(request: IncomingMessage, hold: (bytes: number) => () => void): Promise<Body> {
  if (Number(request.headers["content-length"] ?? 0) > BODY_LIMIT) throw new TooLargeError();
  const pieces: Buffer[] = [];
  const held: (() => void)[] = [];
  const release = (): void => {
    for (const giveBack of held.splice(0)) giveBack();
  };
  let length = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > BODY_LIMIT) throw new TooLargeError();
      held.push(hold(piece.length + PIECE_BYTES));
      pieces.push(piece);
    }
    return { bytes: Buffer.concat(pieces), release };
  } catch (error) {
    release();
    throw error;
  }
}
