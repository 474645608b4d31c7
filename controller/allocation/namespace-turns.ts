/**
 * Keys `namespace/name` that wait, each once, whose namespaces take turns: a namespace with thousands of them delays
 * another's first one by one key, however fast it adds more.
 */
export class NamespaceTurns {
  /** Namespaces in the order of their turns; none is empty. */
  readonly #namespaces = new Map<string, Set<string>>();
  size = 0;

  has(key: string): boolean {
    return this.#namespaces.get(namespaceOf(key))?.has(key) === true;
  }

  add(key: string): void {
    const namespace = namespaceOf(key);
    const keys = this.#namespaces.get(namespace) ?? new Set();
    if (keys.has(key)) return;
    this.#namespaces.set(namespace, keys.add(key));
    this.size += 1;
  }

  /** The first key that may be taken, of the namespace whose turn it is; that one waits for all others then. */
  take(mayTake: (key: string) => boolean): string | undefined {
    for (const [namespace, keys] of this.#namespaces) {
      for (const key of keys) {
        if (!mayTake(key)) continue;
        keys.delete(key);
        this.size -= 1;
        this.#namespaces.delete(namespace);
        if (keys.size > 0) this.#namespaces.set(namespace, keys);
        return key;
      }
    }
    return undefined;
  }
}

const namespaceOf = (key: string): string => key.slice(0, key.indexOf("/"));
