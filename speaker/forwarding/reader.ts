/** Reads entries of the kernel by their keys. */
import { elementKey, endsOf, isOfIntervals } from "#speaker/forwarding/elements.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { parseServerKey, type ServerKey } from "#speaker/forwarding/server-key.ts";
import type { Slices } from "#speaker/forwarding/slices.ts";
import type { Element, VirtualServer } from "#speaker/forwarding/types.ts";
import { isAsWanted, type PresentServer } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";
import type { MarkService } from "#speaker/netlink/ipvs.ts";

/** Virtual servers by their keys. */
export interface Servers {
  /** Keys of servers that are as wanted, or gone as wanted. Only the keys are kept, because there may be very many. */
  readonly settled: ReadonlySet<ServerKey>;
  /** Wanted servers that are not settled and whose marks are ours. */
  readonly wanted: ReadonlyMap<ServerKey, VirtualServer>;
  /** What is there of our servers that are not settled. */
  readonly present: ReadonlyMap<ServerKey, PresentServer>;
  /** Keys of wanted servers whose mark somebody else's service has. */
  readonly foreign: ReadonlySet<ServerKey>;
}

export class Reader {
  readonly #kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes">;
  readonly #wanted: Wanted;
  readonly #own: ReadonlySet<number>;

  constructor(
    kernel: Pick<ForwardingKernel, "servers" | "elements" | "routes">,
    wanted: Wanted,
    own: ReadonlySet<number>,
  ) {
    this.#kernel = kernel;
    this.#wanted = wanted;
    this.#own = own;
  }

  async servers(keys: ReadonlySet<ServerKey>, slices: Slices): Promise<Servers> {
    const found = {
      settled: new Set<ServerKey>(),
      wanted: new Map<ServerKey, VirtualServer>(),
      present: new Map<ServerKey, PresentServer>(),
      foreign: new Set<ServerKey>(),
    };
    const services = this.#services(keys);
    for (const key of keys) {
      const service = services.get(key);
      const server = this.#wanted.servers.get(key);
      if (service !== undefined && !this.#own.has(service.mark)) {
        // The service is somebody else's, and nothing of ours wants the mark, so it is as it should be.
        (server === undefined ? found.settled : found.foreign).add(key);
        continue;
      }
      if (service === undefined) {
        if (server === undefined) found.settled.add(key);
        else found.wanted.set(key, server);
        continue;
      }
      const destinations = this.#kernel.servers.destinations(service);
      const present = { service, destinations };
      await slices.breathe();
      if (server !== undefined && isAsWanted(server, present)) {
        found.settled.add(key);
        continue;
      }
      found.present.set(key, present);
      if (server !== undefined) found.wanted.set(key, server);
    }
    return found;
  }

  /** By set: those of the keys that are there. */
  async elements(
    due: ReadonlyMap<string, ReadonlySet<string>>,
    slices: Slices,
  ): Promise<Map<string, readonly Element[]>> {
    const found = new Map<string, readonly Element[]>();
    for (const [set, keys] of due) {
      found.set(set, this.#elementsOf(set, keys));
      await slices.breathe();
    }
    return found;
  }

  /** Those of the addresses that have their route. */
  routes(vips: ReadonlySet<string>): ReadonlySet<string> {
    const list = [...vips];
    const isThere = list.length === 0 ? [] : this.#kernel.routes.find(list);
    return new Set(list.filter((_, at) => isThere[at]));
  }

  #services(keys: ReadonlySet<ServerKey>): Map<ServerKey, MarkService> {
    const list = [...keys];
    const answers = list.length === 0 ? [] : this.#kernel.servers.find(list.map(parseServerKey));
    const services = new Map<ServerKey, MarkService>();
    for (const [at, key] of list.entries()) {
      const service = answers[at];
      if (service !== undefined) services.set(key, service);
    }
    return services;
  }

  #elementsOf(set: string, keys: ReadonlySet<string>): Element[] {
    const list = [...keys];
    if (list.length === 0) return [];
    const isInterval = isOfIntervals(set);
    const answers = this.#kernel.elements.find(
      set,
      list.map((key) => endsOf(key, isInterval)),
    );
    // Of an interval the kernel finds the one that its first end is in, which may be another one.
    return answers.flatMap((element, at) =>
      element !== undefined && elementKey(element) === list[at] ? element : [],
    );
  }
}
