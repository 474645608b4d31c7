/**
 * Virtual servers that are wanted. There are very many, so only whose they are is kept, and each is planned when it is asked
 * for; a pass asks for the same few several times.
 */
import { planServer } from "#speaker/forwarding/plan-port.ts";
import type { ForwardedPort, VirtualServer } from "#speaker/forwarding/types.ts";
import { parseServerKey } from "#speaker/forwarding/virtual-servers.ts";

/** Some more than a portion has (portions.ts). */
const REMEMBERED = 256;

export class WantedServers {
  /** By `keyOfServer`. */
  readonly #ports = new Map<string, ForwardedPort>();
  /** What was asked for of late. */
  readonly #planned = new Map<string, VirtualServer>();

  get size(): number {
    return this.#ports.size;
  }

  has(key: string): boolean {
    return this.#ports.has(key);
  }

  /** Whose it is. */
  portOf(key: string): ForwardedPort | undefined {
    return this.#ports.get(key);
  }

  get(key: string): VirtualServer | undefined {
    const known = this.#planned.get(key);
    if (known !== undefined) return known;
    const port = this.#ports.get(key);
    if (port === undefined) return undefined;
    if (this.#planned.size >= REMEMBERED) this.#planned.clear();
    const server = planServer(port, parseServerKey(key).mark);
    this.#planned.set(key, server);
    return server;
  }

  keys(): IterableIterator<string> {
    return this.#ports.keys();
  }

  entries(): IterableIterator<[key: string, port: ForwardedPort]> {
    return this.#ports.entries();
  }

  set(key: string, port: ForwardedPort): void {
    this.#planned.delete(key);
    this.#ports.set(key, port);
  }

  delete(key: string): void {
    this.#planned.delete(key);
    this.#ports.delete(key);
  }
}
