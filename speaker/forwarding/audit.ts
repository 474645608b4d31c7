/**
 * Compares what is in the kernel with what is wanted, in pieces so small that other work may come between them. It
 * writes nothing: the next pass reads what it found again by key, and puts it right (contents.ts). So no harm is done
 * if a piece is out of date by then.
 */

import { elementKey, markOfValue } from "#speaker/forwarding/elements.ts";
import type { Findings } from "#speaker/forwarding/findings.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { schedulingOf } from "#speaker/forwarding/plan-port.ts";
import { parseServerKey, type ServerKey, serverKey } from "#speaker/forwarding/server-key.ts";
import { isAsWanted } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** A point where other work may come between. There is nothing to hand over. */
export type Piece = undefined;

export interface AuditOptions {
  readonly kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes">;
  readonly wanted: Wanted;
  /** Our marks. Those that the table records are added here, too. */
  readonly own: Set<number>;
  /** The entries that differ. */
  readonly found: Findings;
}

export class Audit {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** How many servers `destinations` looks at, one in each piece. */
  get size(): number {
    return this.#options.wanted.servers.size;
  }

  /** Compares everything. The marks come first, because they say which services are ours. */
  *all(): Generator<Piece> {
    yield* this.elements();
    yield* this.services();
    yield* this.destinations();
    yield* this.routes();
  }

  *elements(): Generator<Piece> {
    yield* this.#set("marks");
    for (const set of this.#options.wanted.elements.keys()) if (set !== "marks") yield* this.#set(set);
  }

  /** Compares services and their schedulers, but not what is in them. */
  *services(): Generator<Piece> {
    const { kernel, wanted, own, found } = this.#options;
    let seen = 0;
    for (const part of kernel.servers.walk()) {
      for (const service of part) {
        const key = serverKey(service.family, service.mark);
        const port = wanted.servers.portOf(key);
        if (port !== undefined) seen += 1;
        if (!own.has(service.mark)) continue;
        const should = port && schedulingOf(port, service.mark);
        const isRight = should?.scheduler === service.scheduler && should.flags === service.flags;
        if (!isRight) found.server(key);
      }
      yield;
    }
    // Hundreds of thousands may be there every few seconds: which ones is asked only where they are too few. One that the
    // kernel lists twice, since another one came meanwhile, can hide one that is gone until the next time.
    if (seen < wanted.servers.size) yield* this.#missingServers();
  }

  *#missingServers(): Generator<Piece> {
    const { kernel, wanted, found } = this.#options;
    const seen = new Set<ServerKey>();
    for (const part of kernel.servers.walk()) {
      for (const { family, mark } of part) seen.add(serverKey(family, mark));
      yield;
    }
    yield* missing(wanted.servers.keys(), seen, (key) => found.server(key));
  }

  /** Compares the real servers of the services. */
  *destinations(): Generator<Piece> {
    for (const key of [...this.#options.wanted.servers.keys()]) {
      this.#server(key);
      yield;
    }
  }

  *routes(): Generator<Piece> {
    const { kernel, wanted, found } = this.#options;
    const seen = new Set<string>();
    for (const part of kernel.routes.walk()) {
      for (const vip of part) {
        seen.add(vip);
        if (!wanted.routes.has(vip)) found.route(vip);
      }
      yield;
    }
    yield* missing(wanted.routes, seen, (vip) => found.route(vip));
  }

  #server(key: ServerKey): void {
    const { kernel, wanted, own, found } = this.#options;
    const { family, mark } = parseServerKey(key);
    if (!own.has(mark)) return;
    const server = wanted.servers.get(key);
    if (server === undefined) return;
    const { scheduler, flags } = server;
    const destinations = kernel.servers.destinations({ family, mark });
    if (!isAsWanted(server, { service: { family, mark, scheduler, flags }, destinations })) found.server(key);
  }

  *#set(set: string): Generator<Piece> {
    const { kernel, wanted, own, found } = this.#options;
    const elements = wanted.elements.get(set);
    if (elements === undefined) return;
    const seen = new Set<string>();
    for (const part of kernel.elements.walk(set)) {
      for (const element of part) {
        const key = elementKey(element);
        seen.add(key);
        if (set === "marks") own.add(markOfValue(key));
        if (elements.valueOf(key) !== (element.value ?? "")) found.element(set, key);
      }
      yield;
    }
    yield* missing(elements.keys(), seen, (key) => found.element(set, key));
  }
}

/** Keys that are looked at in one piece: less than a millisecond's work. */
const PIECE = 1_000;

/** `found` is told those that were not seen. */
function* missing<Key>(
  wanted: Iterable<Key>,
  seen: ReadonlySet<Key>,
  found: (key: Key) => void,
): Generator<Piece> {
  let looked = 0;
  for (const key of wanted) {
    if (!seen.has(key)) found(key);
    looked += 1;
    if (looked % PIECE === 0) yield;
  }
}
