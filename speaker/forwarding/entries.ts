/** Entries of the kernel by their keys, whatever is or should be there. */
export class Entries {
  /** By `keyOfServer`. */
  readonly servers = new Set<string>();
  /** By set: keys as of `elementKey`. */
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

  /** What is here and not there. */
  without(others: Entries): Entries {
    const left = new Entries();
    for (const key of this.servers) if (!others.servers.has(key)) left.servers.add(key);
    for (const vip of this.routes) if (!others.routes.has(vip)) left.routes.add(vip);
    for (const [set, keys] of this.elements)
      for (const key of keys) if (others.elements.get(set)?.has(key) !== true) left.addElement(set, key);
    return left;
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
