/** Sharers of two tenants, in any order of events: whoever changes, others keep their addresses and ports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import type { Allocation } from "#controller/allocation/ledger.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { poolSet, record, written } from "#controller/testing/records.ts";

const NAMES = ["s0", "s1", "s2", "s3"];

/** The first two are one tenant's, the others another's; the first is the oldest. */
function sharer(name: string, key: string, more: Partial<ServiceRecord>): ServiceRecord {
  const namespace = name < "s2" ? "red" : "blue";
  return record(name, {
    ...more,
    key: `${namespace}/${name}`,
    namespace,
    createdAt: `2026-01-01T00:00:0${NAMES.indexOf(name)}Z`,
    annotations: key === "" ? {} : { [ANNOTATION_SHARING_KEY[0]]: key },
  });
}

const sharers = fc
  .record({
    name: fc.constantFrom(...NAMES),
    key: fc.constantFrom("k", "k", "k", "k", "l", ""),
    ports: fc.uniqueArray(fc.constantFrom("TCP/80", "TCP/81", "TCP/82", "TCP/83"), {
      minLength: 1,
      maxLength: 2,
    }),
    isLocal: fc.constantFrom(false, false, false, true),
  })
  .map(({ name, key, ports, isLocal }) => sharer(name, key, { ports: [...ports].sort(), isLocal }));

interface Rules {
  readonly shareAcrossNamespaces: boolean;
  readonly isWhole: boolean;
}

class World {
  readonly services = new Map<string, ServiceRecord>();
  readonly config;
  #allocator = new Allocator();

  constructor({ shareAcrossNamespaces, isWhole }: Rules) {
    const pools = poolSet({ a: { addresses: ["10.0.0.0/31"], shareAcrossNamespaces } });
    this.config = { pools, loadBalancerClass: undefined, isWhole };
    this.#allocator.rebuild(this.config, []);
  }

  change(next: ServiceRecord): void {
    this.#store(next);
    this.#write(this.#allocator.update([[next.key, this.services.get(next.key)]]));
  }

  /** Changed while no controller runs. */
  changeUnseen(next: ServiceRecord): void {
    this.#store(next);
    this.#allocator = new Allocator();
    this.#write(this.#allocator.rebuild(this.config, this.services.values()));
  }

  /** Changed, and seen by the running controller along with another configuration. */
  changeBeside(next: ServiceRecord): void {
    this.#store(next);
    this.#write(this.#allocator.rebuild(this.config, this.services.values()));
  }

  allocations(): Allocation[] {
    return [...this.#allocator.ledger.allocations()];
  }

  get(service: string): Allocation | undefined {
    return this.#allocator.ledger.get(service);
  }

  #store(next: ServiceRecord): void {
    const { ingress, conditions } = this.services.get(next.key) ?? next;
    this.services.set(next.key, { ...next, ingress, conditions });
  }

  #write(touched: Iterable<string>): void {
    for (const key of touched) {
      const before = this.services.get(key);
      if (before !== undefined) this.services.set(key, written(before, this.#allocator.outcome(key)));
    }
  }
}

const rules = fc.record({ shareAcrossNamespaces: fc.boolean(), isWhole: fc.boolean() });
const WAYS = ["change", "changeUnseen", "changeBeside"] as const;

test("whoever changes, others keep their addresses and ports, whether a controller runs or not", () => {
  fc.assert(
    fc.property(
      rules,
      fc.array(fc.tuple(fc.constantFrom(...WAYS), sharers), { minLength: 3, maxLength: 12, size: "max" }),
      (each, steps) => {
        const world = new World(each);
        for (const [way, next] of steps) {
          const others = world.allocations().filter(({ service }) => service !== next.key);
          world[way](next);
          for (const { service, vips, ports } of others) {
            const now = world.get(service);
            assert.deepEqual(now?.vips, vips, `${service}, ${way} of ${next.key}`);
            for (const port of ports) assert.ok(now?.ports.includes(port), `${service} lost ${port}`);
          }
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test("an address and port has one owner, of one key, and of one namespace unless the pool says otherwise", () => {
  fc.assert(
    fc.property(
      rules,
      fc.array(fc.tuple(fc.constantFrom(...WAYS), sharers), { maxLength: 12, size: "max" }),
      (each, steps) => {
        const world = new World(each);
        for (const [way, next] of steps) world[way](next);
        const seen = new Map<string, string>();
        const once = (what: string, owner: string): void => {
          assert.equal(seen.get(what) ?? owner, owner, what);
          seen.set(what, owner);
        };
        for (const { service, vips, ports, sharing } of world.allocations()) {
          const address = vips[0]?.address ?? "";
          for (const port of ports) once(`${address} ${port}`, service);
          once(`key of ${address}`, sharing?.key ?? service);
          if (!each.shareAcrossNamespaces) once(`namespace of ${address}`, service.slice(0, 4));
          // Who cannot leave ports out has all of them, or no address.
          if (each.isWhole) assert.deepEqual(ports, world.services.get(service)?.ports);
        }
      },
    ),
    { numRuns: 500 },
  );
});
