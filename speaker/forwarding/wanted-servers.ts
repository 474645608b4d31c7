/**
 * Virtual servers that are wanted. There are very many, so only whose they are is kept, and each is planned when it is asked
 * for; a pass asks for the same few several times.
 */
import { planServer } from "#speaker/forwarding/plan-port.ts";
import { markOfKey, type ServerKey, serverKey } from "#speaker/forwarding/server-key.ts";
import type { ForwardedPort, VirtualServer } from "#speaker/forwarding/types.ts";
import { AF_INET, AF_INET6 } from "#speaker/netlink/domain.ts";

/** Some more than a portion has (portions.ts). */
const REMEMBERED = 256;

export class WantedServers {
  readonly #ports = new Map<ServerKey, ForwardedPort>();
  /** What was asked for of late. */
  readonly #planned = new Map<ServerKey, VirtualServer>();

  get size(): number {
    return this.#ports.size;
  }

  has(key: ServerKey): boolean {
    return this.#ports.has(key);
  }

  /** Whether one has the mark, of whatever family. */
  hasMark(mark: number): boolean {
    return this.has(serverKey(AF_INET, mark)) || this.has(serverKey(AF_INET6, mark));
  }

  /** Whose it is. */
  portOf(key: ServerKey): ForwardedPort | undefined {
    return this.#ports.get(key);
  }

  get(key: ServerKey): VirtualServer | undefined {
    const known = this.#planned.get(key);
    if (known !== undefined) return known;
    const port = this.portOf(key);
    if (port === undefined) return undefined;
    if (this.#planned.size >= REMEMBERED) this.#planned.clear();
    const server = planServer(port, markOfKey(key));
    this.#planned.set(key, server);
    return server;
  }

  keys(): IteratorObject<ServerKey, undefined> {
    return this.#ports.keys();
  }

  entries(): IteratorObject<[key: ServerKey, port: ForwardedPort], undefined> {
    return this.#ports.entries();
  }

  set(key: ServerKey, port: ForwardedPort): void {
    this.#planned.delete(key);
    this.#ports.set(key, port);
  }

  delete(key: ServerKey): void {
    this.#planned.delete(key);
    this.#ports.delete(key);
  }
}
