/**
 * Compares what is in the kernel with what is wanted, in pieces so small that other work may come between them. It writes
 * nothing: what it finds is read again by key, and put right, by the next pass (contents.ts). So it does no harm that a
 * piece may be out of date by then.
 */
import { elementKey, elementText, markValue } from "#speaker/forwarding/elements.ts";
import type { Entries } from "#speaker/forwarding/entries.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { isAsWanted, parseServerKey, serverKey } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** Nothing to hand over: a point where other work may come between. */
export type Piece = undefined;

export interface AuditOptions {
  readonly kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes">;
  readonly wanted: Wanted;
  /** Marks of ours, by `markValue`: those of the table come here, too. */
  readonly own: Set<string>;
  /** What differs. */
  readonly found: Entries;
}

export class Audit {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Everything. The marks come first: they say which services are ours. */
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

  /** Services, with their schedulers; not what is in them. */
  *services(): Generator<Piece> {
    const { kernel, wanted, own, found } = this.#options;
    const seen = new Set<string>();
    for (const part of kernel.servers.walk()) {
      for (const service of part) {
        const key = serverKey(service.family, service.mark);
        seen.add(key);
        if (!own.has(markValue(service.mark))) continue;
        const server = wanted.servers.get(key);
        const isRight = server?.scheduler === service.scheduler && server.flags === service.flags;
        if (!isRight) found.servers.add(key);
      }
      yield;
    }
    for (const key of wanted.servers.keys()) if (!seen.has(key)) found.servers.add(key);
  }

  /** What is in the services. */
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
        if (!wanted.routes.has(vip)) found.routes.add(vip);
      }
      yield;
    }
    for (const vip of wanted.routes) if (!seen.has(vip)) found.routes.add(vip);
  }

  #server(key: string): void {
    const { kernel, wanted, own, found } = this.#options;
    const server = wanted.servers.get(key);
    if (server === undefined || !own.has(markValue(server.mark))) return;
    const { family, mark } = parseServerKey(key);
    const { scheduler, flags } = server;
    const destinations = kernel.servers.destinations({ family, mark });
    if (!isAsWanted(server, { service: { family, mark, scheduler, flags }, destinations }))
      found.servers.add(key);
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
        if (set === "marks") own.add(key);
        const one = elements.get(key);
        if (one === undefined || elementText(one) !== elementText(element)) found.addElement(set, key);
      }
      yield;
    }
    if (seen.size >= elements.size && found.elements.get(set) === undefined) return;
    for (const key of elements.keys()) if (!seen.has(key)) found.addElement(set, key);
  }
}
