/** Every case of allocation in process, through the controller's own allocator and the plan of what it writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#common/kube/resource.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { compilePool, PoolSet } from "#controller/allocation/pool.ts";
import { projectService, type ServiceRecord } from "#controller/allocation/service.ts";
import { planStatus, SERVICE_CONDITION } from "#controller/status/plan.ts";
import {
  type AllocationCase,
  readCases,
  type ShortService,
  type Step,
  serviceOf,
} from "./allocation-files.ts";

const cases = await readCases();
const MANY = 150;

test(`there are at least ${MANY} cases, no two of one name`, () => {
  assert.ok(cases.length >= MANY, String(cases.length));
  assert.equal(new Set(cases.map(({ file, case: name }) => `${file} ${name}`)).size, cases.length);
});

const REBUILD = ["pools", "closed", "namespaces", "restart", "down"];

/** A cluster as the API server would show it, with a controller that writes at once. */
class World {
  readonly #case: AllocationCase;
  #allocator = new Allocator();
  readonly #objects = new Map<string, Service>();
  readonly #ages = new Map<string, number>();
  /** Service -> every address that it lost and why, as its events say. */
  readonly lost = new Map<string, string[]>();
  #pools: AllocationCase["pools"];
  #namespaces: AllocationCase["namespaces"];
  #closed: readonly string[];
  #count = 0;

  constructor(one: AllocationCase) {
    this.#case = one;
    this.#pools = one.pools;
    this.#namespaces = one.namespaces;
    this.#closed = one.closed;
    if (one.together) for (const short of one.services) this.#store(short);
    this.#rebuild();
    if (!one.together) for (const short of one.services) this.#add(short);
  }

  run(step: Step): void {
    if ("add" in step) this.#add(step.add);
    else if ("change" in step) this.#change(step.change);
    else if ("delete" in step) this.#delete(step.delete);
    else if ("pools" in step) this.#pools = step.pools;
    else if ("closed" in step) this.#closed = step.closed;
    else if ("wrong" in step) for (const each of Object.entries(step.wrong)) this.#overwrite(...each);
    else if ("namespaces" in step) this.#namespaces = { ...this.#namespaces, ...step.namespaces };
    else this.#allocator = new Allocator();
    if ("down" in step) for (const short of step.down) this.#store(short);
    if (REBUILD.some((kind) => kind in step)) this.#rebuild();
  }

  record(name: string): ServiceRecord | undefined {
    const key = [...this.#objects.keys()].find((one) => one.endsWith(`/${name}`));
    const object = key === undefined ? undefined : this.#objects.get(key);
    return object && projectService(object);
  }

  addresses(name: string): string {
    return (this.record(name)?.ingress ?? []).map(({ ip }) => ip).join(" ");
  }

  /** `Reason: message` of the Service's condition. */
  refusal(name: string): string | undefined {
    const condition = this.record(name)?.conditions.find(({ type }) => type === SERVICE_CONDITION);
    return condition && `${condition.reason}: ${condition.message}`;
  }

  names(): string[] {
    return [...this.#objects.keys()].map((key) => key.slice(key.indexOf("/") + 1));
  }

  #store(short: ShortService): string {
    const key = `${short.namespace ?? "default"}/${short.name}`;
    const age = this.#ages.get(key) ?? this.#count++;
    this.#ages.set(key, age);
    const before = this.#objects.get(key);
    const object = serviceOf(short, age);
    const kept = before && {
      metadata: { ...object.metadata, annotations: { ...ours(before), ...object.metadata.annotations } },
      ...(before.status !== undefined && { status: before.status }),
    };
    this.#objects.set(key, { ...object, ...kept });
    return key;
  }

  #add(short: ShortService): void {
    this.#update(this.#store(short));
  }

  #change(short: ShortService): void {
    this.#add(short);
  }

  #delete(name: string): void {
    const key = [...this.#objects.keys()].find((one) => one.endsWith(`/${name}`)) ?? "";
    this.#objects.delete(key);
    this.#ages.delete(key);
    this.#write(this.#allocator.update([[key, undefined]]));
  }

  #overwrite(name: string, addresses: readonly string[]): void {
    const key = this.record(name)?.key ?? "";
    const object = this.#objects.get(key);
    if (object === undefined) throw new Error(`there is no Service ${name}`);
    const status = { ...object.status, loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } };
    this.#objects.set(key, { ...object, status } as Service);
    this.#update(key);
  }

  #update(key: string): void {
    const object = this.#objects.get(key);
    this.#write(this.#allocator.update([[key, object && projectService(object)]]));
  }

  #rebuild(): void {
    const compiled = Object.entries(this.#pools).map(([name, spec]) =>
      compilePool(name, spec, !this.#closed.includes(name)),
    );
    const pools = new PoolSet(compiled, (namespace) => this.#namespaces[namespace]);
    const records = [...this.#objects.values()].flatMap((object) => projectService(object) ?? []);
    this.#write(this.#allocator.rebuild({ pools, loadBalancerClass: this.#case.class }, records));
  }

  /** What the controller's writer does, the API server with it, and the watch that shows the controller its own writes. */
  #write(keys: Iterable<string>): void {
    const written: (readonly [string, ServiceRecord | undefined])[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      const record = object && projectService(object);
      if (object === undefined || record === undefined) continue;
      const plan = planStatus(record, this.#allocator.outcome(key), {
        ipMode: "Proxy",
        now: new Date(0),
        isOurAddress: () => true,
      });
      if (plan === undefined) continue;
      const name = object.metadata.name;
      for (const { address, why } of plan.released) {
        if (why !== undefined) this.lost.set(name, [...(this.lost.get(name) ?? []), `${address}: ${why}`]);
      }
      const after = merged(object, plan.patch);
      this.#objects.set(key, after);
      written.push([key, projectService(after)]);
    }
    if (written.length > 0) this.#write(this.#allocator.update(written));
  }
}

const ours = ({ metadata }: Service): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => /allocated-from|forwarding-ids/.test(name)),
  );

function merged(object: Service, patch: NonNullable<ReturnType<typeof planStatus>>["patch"]): Service {
  const annotations = { ...object.metadata.annotations };
  for (const [name, value] of Object.entries(patch.metadata.annotations ?? {})) {
    if (value === null) delete annotations[name];
    else annotations[name] = value;
  }
  const { loadBalancer, conditions } = patch.status ?? {};
  const status = {
    ...object.status,
    ...(loadBalancer !== undefined && { loadBalancer: { ingress: [...(loadBalancer.ingress ?? [])] } }),
    ...(conditions !== undefined && { conditions: [...conditions] }),
  };
  return { ...object, metadata: { ...object.metadata, annotations }, status } as Service;
}

for (const one of cases) {
  test(`${one.file.replace(".yaml", "")}: ${one.case}`, () => {
    const world = new World(one);
    for (const step of one.steps) world.run(step);
    const said = new Set([
      ...Object.keys(one.gets),
      ...Object.keys(one.refused),
      ...one.nothing,
      ...one.ignored,
    ]);
    assert.deepEqual(
      [...said].sort(),
      world
        .names()
        .filter((name) => said.has(name))
        .sort(),
    );
    for (const name of world.names()) {
      assert.ok(
        said.has(name),
        `the case says nothing of ${name}: ${world.addresses(name)} ${world.refusal(name)}`,
      );
      assert.equal(world.addresses(name), one.gets[name] ?? "", name);
      assert.equal(world.refusal(name), one.refused[name], name);
      assert.deepEqual(world.lost.get(name) ?? [], one.lost[name] ?? [], name);
    }
  });
}
