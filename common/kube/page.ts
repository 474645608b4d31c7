/** A page of a list, read item by item, and how many objects the next one may have. */
import type { IncomingMessage } from "node:http";
import { chunksOf, parseJson } from "#common/kube/answer.ts";
import type { ListPage } from "#common/kube/client.ts";
import { ConnectionError, isTooLarge, KubeError, MAX_OBJECT_BYTES } from "#common/kube/error.ts";
import { ItemSplitter } from "#common/kube/items.ts";
import { keptObject, listMeta } from "#common/kube/shape.ts";
import type { KubeObject } from "#common/kube/wire.ts";

/**
 * Largest page of more than one object. It costs us the time of a call and the API server its memory (which holds
 * the whole answer), not ours: a hundred Services of a usual size are 300 KiB.
 */
export const MAX_PAGE_BYTES = 8 * 2 ** 20;
/** Largest list that was asked for in one piece: its caller wants all of it in memory. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20;
/** Beside the one object of the smallest page. */
const ENVELOPE_BYTES = 64 * 2 ** 10;

export interface PageReading<T> {
  readonly what: string;
  /** Objects that were asked for; undefined: all of them. */
  readonly limit: number | undefined;
  readonly take: (item: T) => void;
}

/** What a page is besides its items. `bytes` is the size of the answer. */
export type PageEnd = Omit<ListPage<never>, "items" | "limit"> & { readonly bytes: number };

export async function readPage<T extends KubeObject>(
  response: IncomingMessage,
  reading: PageReading<T>,
): Promise<PageEnd> {
  const { what, limit, take } = reading;
  const maxBytes = largest(limit);
  const items = new ItemSplitter(what, MAX_OBJECT_BYTES);
  let bytes = 0;
  for await (const chunk of chunksOf(response, what)) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new ConnectionError("TOO_LARGE", what, `the answer is larger than ${maxBytes} bytes`);
    }
    for (const item of items.push(chunk)) take(keptObject<T>(what, parseJson(what, item)));
  }
  return { ...listMeta(what, parseJson(what, items.end())), bytes };
}

/** The limit to ask with again when `arrived` objects of a page of `limit` fitted and the rest did not. */
export function smallerLimit(limit: number, arrived: number): number {
  return Math.max(1, Math.min(Math.floor(limit / 2), arrived));
}

/** How many objects to ask for: fewer where they are large, and slowly more again. */
export class PageLimit {
  readonly #most: number;
  #now: number;

  constructor(most: number) {
    this.#most = Math.max(1, most);
    this.#now = this.#most;
  }

  get now(): number {
    return this.#now;
  }

  /** Twice as many only where twice as much would fit: a page that does not fit was sent for nothing. */
  came(page: Pick<ListPage<unknown>, "limit" | "bytes">): void {
    this.#now = Math.min(this.#now, page.limit ?? this.#now);
    if ((page.bytes ?? 0) * 2 <= MAX_PAGE_BYTES) this.#now = Math.min(this.#most, this.#now * 2);
  }

  /** A page that did not come in time, or not to its end, may have been more than the way bears; one object did not fit. */
  failed(error: unknown): void {
    if (isTooLarge(error)) this.#now = 1;
    else if (isMaybeSize(error)) this.#now = smallerLimit(this.#now, this.#now);
  }
}

function isMaybeSize(error: unknown): boolean {
  if (error instanceof KubeError) return error.code === 413 || error.code === 502 || error.code === 504;
  if (!(error instanceof ConnectionError)) return false;
  return error.code === "TIMEOUT" || error.code === "CLOSED_EARLY";
}

function largest(limit: number | undefined): number {
  if (limit === undefined) return MAX_WHOLE_BYTES;
  return limit > 1 ? MAX_PAGE_BYTES : MAX_OBJECT_BYTES + ENVELOPE_BYTES;
}
