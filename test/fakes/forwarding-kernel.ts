/** A kernel in memory for speaker/forwarding, which refuses, forgets, cuts lists short and loses answers as it is told. */

import { elementKey, elementText } from "#speaker/forwarding/elements.ts";
import type {
  ElementTable,
  ForwardingKernel,
  RefusedRoute,
  RouteTable,
  ServerTable,
  Skeleton,
} from "#speaker/forwarding/kernel.ts";
import type { Change, Element } from "#speaker/forwarding/types.ts";
import { NetlinkError, NoFamilyError } from "#speaker/netlink/error.ts";
import {
  attemptOf,
  type Destination,
  type MarkService,
  type Operation,
  type RefusedOperation,
  type ServiceKey,
} from "#speaker/netlink/ipvs.ts";

const ERRNO = { EPERM: 1, ENOENT: 2, ESRCH: 3, EAGAIN: 11, ENOMEM: 12, EEXIST: 17, EINVAL: 22 } as const;
export type Errno = keyof typeof ERRNO;

interface Server {
  service: MarkService;
  readonly reals: Map<string, Destination>;
}

/** What is in a part of a list, as one datagram has it. */
const PART = 100;

const placeOf = ({ address, port }: Pick<Destination, "address" | "port">): string => `${address} ${port}`;
const keyOf = ({ family, mark }: ServiceKey): string => `${family}/${mark}`;

export class FakeForwardingKernel implements ForwardingKernel {
  readonly present = {
    servers: new Map<string, Server>(),
    /** Sets that are there: all that are asked for, once the table is. */
    sets: new Map<string, Map<string, Element>>(),
    routes: new Set<string>(),
    hasTable: false,
  };
  readonly counter = { written: 0 };
  /** Single entries that were read: to see that a change reads its own alone. */
  read = 0;
  transactions = 0;
  /** How often told connections were bound to the end. */
  bound = 0;

  // --- how it misbehaves
  hasIpvs = true;
  /** What is refused, and with what. */
  refuse: (operation: Operation) => Errno | undefined = () => undefined;
  refuseElement: (element: Element, set: string) => boolean = () => false;
  refuseRoute: (vip: string) => Errno | undefined = () => undefined;
  /** What is acknowledged and not done. */
  forget: (operation: Operation) => boolean = () => false;
  /** Refusals that nobody hears of: the socket's buffer was full. */
  isDeaf = false;
  /** Parts of a list after which it ends as if that were all. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** Reads by key that get no answer. */
  loseAnswer: () => boolean = () => false;
  #epoch = 1;
  #rulesFor = "";

  readonly servers: ServerTable = {
    load: () => {
      if (!this.hasIpvs)
        throw new NoFamilyError("find generic netlink family IPVS", {
          cause: new NetlinkError("find generic netlink family IPVS", ERRNO.ENOENT),
        });
    },
    walk: () => this.#parts([...this.present.servers.values()].map(({ service }) => ({ ...service }))),
    find: (keys) => {
      this.#answer("get service", keys.length);
      return keys.map((key) => {
        const server = this.present.servers.get(keyOf(key));
        return server && { ...server.service };
      });
    },
    destinations: (key) => {
      this.#answer("list destinations", 1);
      const reals = [...(this.present.servers.get(keyOf(key))?.reals.values() ?? [])];
      return reals.map((real) => ({ ...real, activeConnections: 0, inactiveConnections: 0 }));
    },
    write: (operations) => {
      this.counter.written += operations.length;
      const refused = operations.flatMap((operation, index): RefusedOperation[] => {
        const code = this.refuse(operation) ?? (this.forget(operation) ? undefined : this.#do(operation));
        if (code === undefined) return [];
        return [{ index, error: new NetlinkError(attemptOf(operation), ERRNO[code]) }];
      });
      return this.isDeaf ? [] : refused;
    },
  };

  readonly elements: ElementTable = {
    exists: () => this.present.hasTable,
    sets: () => [...this.present.sets.keys()],
    walk: (set) => this.#parts([...(this.present.sets.get(set)?.values() ?? [])]),
    find: (set, keys) => {
      this.#answer(`get element of ${set}`, keys.length);
      const elements = this.present.sets.get(set);
      return keys.map((key) => elements?.get(elementKey(key)));
    },
    change: ({ add, remove }) => {
      this.transactions += 1;
      this.counter.written += 1;
      const isRefused = [...add].some(([set, list]) => list.some((one) => this.refuseElement(one, set)));
      const isMissing = [...remove].some(([set, list]) =>
        list.some((one) => this.present.sets.get(set)?.has(elementKey(one)) !== true),
      );
      if (isRefused || isMissing)
        throw new NetlinkError("change elements of table genkan", isRefused ? ERRNO.EINVAL : ERRNO.ENOENT);
      for (const [set, list] of remove)
        for (const one of list) this.present.sets.get(set)?.delete(elementKey(one));
      for (const [set, list] of add) for (const one of list) this.#put(set, one);
    },
    epoch: () => this.#epoch,
    counters: () => new Map(),
  };

  readonly routes: RouteTable = {
    walk: () => this.#parts([...this.present.routes]),
    find: (vips) => {
      this.#answer("find route", vips.length);
      return vips.map((vip) => this.present.routes.has(vip));
    },
    write: ({ add, remove }) => {
      this.counter.written += add.length + remove.length;
      const refused: RefusedRoute[] = [];
      for (const vip of [...add, ...remove]) {
        const code = this.refuseRoute(vip);
        if (code !== undefined) refused.push({ vip, error: new NetlinkError(`route ${vip}`, ERRNO[code]) });
        else if (add.includes(vip)) this.present.routes.add(vip);
        else this.present.routes.delete(vip);
      }
      return this.isDeaf ? [] : refused;
    },
  };

  /** Loads its rules when the table is gone, or when they are to be others. */
  readonly skeleton: { -readonly [K in keyof Skeleton]: Skeleton[K] } = {
    ensure: async ({ settings, nodeAddresses, knowsMembers }) => {
      const rules = JSON.stringify([settings, nodeAddresses, knowsMembers]);
      if (this.present.hasTable && rules === this.#rulesFor) return [];
      const action: Change["action"] = this.present.hasTable ? "update" : "create";
      this.present.hasTable = true;
      this.#rulesFor = rules;
      this.#epoch += 1;
      this.counter.written += 1;
      return [{ action, kind: "ruleset", name: "genkan" }];
    },
    syncTrouble: undefined,
    offered: [],
    tunnelTrouble: undefined,
    syncStartedAt: undefined,
    bindTold: () => this.#bindTold(),
    closeWay: () => {},
    remove: () => this.dropTable(),
  };

  close(): void {}

  // --- what others do to it

  dropTable(): void {
    this.present.hasTable = false;
    this.present.sets.clear();
    this.#epoch += 1;
  }

  dropElement(set: string, key: string): void {
    this.present.sets.get(set)?.delete(key);
    this.#epoch += 1;
  }

  addElement(set: string, element: Element): void {
    this.#put(set, element);
    this.#epoch += 1;
  }

  /** All that is there, sorted, to compare. */
  describe(): unknown {
    const { servers, sets, routes } = this.present;
    return {
      servers: [...servers]
        .map(([key, { service, reals }]) => [
          key,
          service.scheduler,
          service.flags,
          [...reals.values()].map(text).sort(),
        ])
        .sort(),
      sets: [...sets]
        .filter(([, elements]) => elements.size > 0)
        .map(([set, elements]) => [set, [...elements.values()].map(elementText).sort()])
        .sort(),
      routes: [...routes].sort(),
    };
  }

  // In no piece at all: a test's clock stands still.
  // biome-ignore lint/correctness/useYield: as above
  *#bindTold(): Generator<undefined, boolean> {
    this.bound += 1;
    return true;
  }

  *#parts<T>(all: readonly T[]): Generator<readonly T[], void> {
    for (let start = 0, part = 0; start < all.length && part < this.cutAfter; start += PART, part += 1)
      yield all.slice(start, start + PART);
  }

  #answer(attempt: string, entries: number): void {
    this.read += entries;
    if (this.loseAnswer()) throw new NetlinkError(attempt, ERRNO.EAGAIN, "no acknowledgement");
  }

  #put(set: string, element: Element): void {
    const elements = this.present.sets.get(set) ?? new Map<string, Element>();
    this.present.sets.set(set, elements);
    elements.set(elementKey(element), element);
  }

  /** As ip_vs does it. */
  #do(operation: Operation): Errno | undefined {
    const { servers } = this.present;
    const key = keyOf(operation.service);
    const server = servers.get(key);
    if (operation.kind === "addService") {
      if (server !== undefined) return "EEXIST";
      servers.set(key, { service: { ...operation.service }, reals: new Map() });
      return undefined;
    }
    if (server === undefined) return "ESRCH";
    switch (operation.kind) {
      case "editService":
        server.service = { ...operation.service };
        return undefined;
      case "removeService":
        servers.delete(key);
        return undefined;
      case "addDestination": {
        const place = placeOf(operation.destination);
        if (server.reals.has(place)) return "EEXIST";
        server.reals.set(place, { ...operation.destination });
        return undefined;
      }
      case "editDestination": {
        const place = placeOf(operation.destination);
        if (!server.reals.has(place)) return "ENOENT";
        server.reals.set(place, { ...operation.destination });
        return undefined;
      }
      case "removeDestination":
        return server.reals.delete(placeOf(operation.destination)) ? undefined : "ENOENT";
    }
  }
}

const text = ({ address, port, method, weight, upperThreshold = 0 }: Destination): string =>
  `${address} ${port} method ${method} weight ${weight} threshold ${upperThreshold}`;
