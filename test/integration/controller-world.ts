/** A controller that leads, and words for what tests ask of it: pools, Services, and a namespace for each test. */
import assert from "node:assert/strict";
import type { KubeClient } from "#common/kube/client.ts";
import {
  type AddressPool,
  addressPools,
  events,
  type KubeEvent,
  type Service,
  services,
} from "#common/kube/resource.ts";
import {
  type ControllerProcess,
  SYSTEM,
  startGenkan,
  startLeader,
} from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

export const LONG = { deadlineMs: 15_000 } as const;

type Spec = NonNullable<Service["spec"]>;

/** The Service's addresses, as its status has them. */
export const ipsOf = ({ status }: Service): string[] =>
  (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");

export class ControllerWorld implements AsyncDisposable {
  readonly plane: TestPlane;
  /** The one that leads; a test that ends it puts the next one here. */
  controller: ControllerProcess;
  /** Of the present test. */
  namespace = "";
  #tests = 0;

  private constructor(plane: TestPlane, controller: ControllerProcess) {
    this.plane = plane;
    this.controller = controller;
  }

  static async start(): Promise<ControllerWorld> {
    const plane = await startGenkan();
    try {
      return new ControllerWorld(plane, await startLeader(plane, "c0"));
    } catch (error) {
      await plane[Symbol.asyncDispose]();
      throw error;
    }
  }

  get client(): KubeClient {
    return this.plane.client;
  }

  /** Before each test. */
  async begin(): Promise<void> {
    this.#tests += 1;
    this.namespace = await this.plane.namespace(`test-${this.#tests}`);
  }

  /** After each test: nothing is left over from one to the next. */
  async clear(): Promise<void> {
    const { items } = await this.client.list(services, { namespace: this.namespace });
    for (const { metadata } of items) await this.removeService(metadata.name);
    for (const { metadata } of (await this.client.list(addressPools)).items) {
      await this.removePool(metadata.name);
    }
  }

  async addPool(
    name: string,
    addresses: readonly string[],
    spec: Partial<AddressPool["spec"]> = {},
  ): Promise<void> {
    await this.client.create(addressPools, {
      metadata: { name, namespace: SYSTEM },
      spec: { protocol: "layer2", addresses: [...addresses], ...spec } as AddressPool["spec"],
    });
  }

  async changePool(name: string, spec: Partial<AddressPool["spec"]>): Promise<void> {
    await this.client.patch(addressPools, { name, namespace: SYSTEM, type: "merge", body: { spec } });
  }

  async removePool(name: string): Promise<void> {
    await this.client.remove(addressPools, name, { namespace: SYSTEM });
  }

  pool(name: string): Promise<AddressPool | undefined> {
    return this.client.get(addressPools, name, SYSTEM);
  }

  async addService(
    name: string,
    spec: Partial<Spec> = {},
    annotations: Record<string, string> = {},
  ): Promise<void> {
    await this.client.create(services, {
      metadata: { name, namespace: this.namespace, annotations },
      spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }], ...spec } as Spec,
    });
  }

  async changeService(name: string, body: object): Promise<void> {
    await this.client.patch(services, { name, namespace: this.namespace, type: "merge", body });
  }

  async removeService(name: string): Promise<void> {
    await this.client.remove(services, name, { namespace: this.namespace });
  }

  async service(name: string): Promise<Service> {
    const found = await this.client.get(services, name, this.namespace);
    assert.ok(found !== undefined, `Service ${name} is gone`);
    return found;
  }

  /** Waits until these are the Service's addresses, with a space between; "" for none. */
  async has(name: string, addresses: string): Promise<void> {
    const look = async () => ipsOf(await this.service(name)).join(" ") === addresses;
    await until(`${name} to have ${addresses || "no address"}`, look, LONG);
  }

  /** Of the present test's namespace. */
  async events(): Promise<readonly KubeEvent[]> {
    return (await this.client.list(events, { namespace: this.namespace })).items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controller[Symbol.asyncDispose]();
    await this.plane[Symbol.asyncDispose]();
  }
}
