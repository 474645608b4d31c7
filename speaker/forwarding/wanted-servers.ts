/**
 * Virtual servers that are wanted. There are very many, so only whose they are is kept, by mark, and each is planned when it
 * is asked for; a pass asks for the same few several times.
 */
import { planServer } from "#speaker/forwarding/plan-port.ts";
import type { ForwardedPort, VirtualServer } from "#speaker/forwarding/types.ts";
import { parseServerKey, serverKey } from "#speaker/forwarding/virtual-servers.ts";
import { AF_INET, AF_INET6 } from "#speaker/netlink/domain.ts";

/** Some more than a portion has (portions.ts). */
const REMEMBERED = 256;

export class WantedServers {
  /** By family, as the kernel numbers it, then by mark. */
  readonly #ports: ReadonlyMap<number, Map<number, ForwardedPort>> = new Map([
    [AF_INET, new Map()],
    [AF_INET6, new Map()],
  ]);
  /** What was asked for of late, by `keyOfServer`. */
  readonly #planned = new Map<string, VirtualServer>();

  get size(): number {
    let size = 0;
    for (const ports of this.#ports.values()) size += ports.size;
    return size;
  }

  /** `key`, here and below: of `keyOfServer`. */
  has(key: string): boolean {
    return this.portOf(key) !== undefined;
  }

  /** Whether one has the mark, of whatever family. */
  hasMark(mark: number): boolean {
    return this.#ports.values().some((ports) => ports.has(mark));
  }

  /** Whose it is. */
  portOf(key: string): ForwardedPort | undefined {
    const { family, mark } = parseServerKey(key);
    return this.#ports.get(family)?.get(mark);
  }

  get(key: string): VirtualServer | undefined {
    const known = this.#planned.get(key);
    if (known !== undefined) return known;
    const port = this.portOf(key);
    if (port === undefined) return undefined;
    if (this.#planned.size >= REMEMBERED) this.#planned.clear();
    const server = planServer(port, parseServerKey(key).mark);
    this.#planned.set(key, server);
    return server;
  }

  *keys(): Generator<string, void> {
    for (const [family, ports] of this.#ports) for (const mark of ports.keys()) yield serverKey(family, mark);
  }

  *marks(): Generator<number, void> {
    for (const ports of this.#ports.values()) yield* ports.keys();
  }

  *entries(): Generator<[mark: number, port: ForwardedPort], void> {
    for (const ports of this.#ports.values()) yield* ports.entries();
  }

  set(key: string, port: ForwardedPort): void {
    const { family, mark } = parseServerKey(key);
    this.#planned.delete(key);
    this.#ports.get(family)?.set(mark, port);
  }

  delete(key: string): void {
    const { family, mark } = parseServerKey(key);
    this.#planned.delete(key);
    this.#ports.get(family)?.delete(mark);
  }
}
