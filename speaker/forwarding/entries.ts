import type { ServerKey } from "#speaker/forwarding/server-key.ts";

/** Keys of entries in the kernel. They say nothing about what is there or should be there. */
export class Entries {
  readonly servers = new Set<ServerKey>();
  /** Set -> keys as `elementKey` makes them. */
  readonly elements = new Map<string, Set<string>>();
  /** Addresses. */
  readonly routes = new Set<string>();

  addElement(set: string, key: string): void {
    const keys = this.elements.get(set);
    if (keys === undefined) this.elements.set(set, new Set([key]));
    else keys.add(key);
  }

  addAll({ servers, elements, routes }: Entries): void {
    for (const key of servers) this.servers.add(key);
    for (const vip of routes) this.routes.add(vip);
    for (const [set, keys] of elements) for (const key of keys) this.addElement(set, key);
  }

  /** What is handed over is no more here: nothing of it is twice in memory. */
  moveServer(key: ServerKey, to: Entries): void {
    if (this.servers.delete(key)) to.servers.add(key);
  }

  moveElement(set: string, key: string, to: Entries): void {
    if (this.elements.get(set)?.delete(key) === true) to.addElement(set, key);
  }

  moveRoute(vip: string, to: Entries): void {
    if (this.routes.delete(vip)) to.routes.add(vip);
  }

  moveAll(to: Entries): void {
    to.addAll(this);
    this.clear();
  }

  get size(): number {
    let size = this.servers.size + this.routes.size;
    for (const keys of this.elements.values()) size += keys.size;
    return size;
  }

  clear(): void {
    this.servers.clear();
    this.elements.clear();
    this.routes.clear();
  }
}
