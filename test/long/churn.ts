/**
 * Two controllers, killed at random again and again while Services come, go and change, against a real API server: no
 * address twice at any look, none changed that nobody touched.
 */
import assert from "node:assert/strict";
import { addressPools, loadBalancers, type Service, services } from "#common/kube/resource.ts";
import { ControllerProcess, installGenkan } from "#test/integration/controller.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

export interface ChurnOptions {
  readonly kills: number;
  readonly services: number;
  readonly seed: number;
  readonly say?: (line: string) => void;
}

export interface ChurnResult {
  readonly kills: number;
  readonly services: number;
  readonly seed: number;
  readonly changes: number;
  /** Looks at all Services; each found every address once. */
  readonly looks: number;
  readonly twice: number;
  readonly moved: number;
  /** Kills that hit the one that led. */
  readonly leadersKilled: number;
  readonly seconds: number;
}

const SYSTEM = "genkan-system";
const NAMESPACE = "default";
/** Of all Services these are never touched: their addresses may not change. */
const STEADY_SHARE = 4;

/** A small generator with a seed, so that a run can be had again (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const addressOf = (service: Service): string | undefined => service.status?.loadBalancer?.ingress?.[0]?.ip;

export async function churn(options: ChurnOptions): Promise<ChurnResult> {
  await using plane = await TestPlane.start();
  await installGenkan(plane);
  const { client } = plane;
  await client.create(loadBalancers, { metadata: { name: "loadbalancer", namespace: SYSTEM }, spec: {} });
  await client.create(addressPools, {
    metadata: { name: "churn", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: ["10.0.0.0/16"] },
  });
  const run = new Churn(plane, options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class Churn {
  readonly #plane: TestPlane;
  readonly #options: ChurnOptions;
  readonly #random: () => number;
  readonly #controllers: ControllerProcess[] = [];
  readonly #steady = new Map<string, string>();
  #started = 0;
  #changes = 0;
  #looks = 0;
  #twice = 0;
  #moved = 0;
  #leadersKilled = 0;
  #next = 0;

  constructor(plane: TestPlane, options: ChurnOptions) {
    this.#plane = plane;
    this.#options = options;
    this.#random = generator(options.seed);
  }

  async run(): Promise<ChurnResult> {
    const { kills, services: count, seed, say } = this.#options;
    const began = performance.now();
    for (let at = 0; at < 2; at += 1) this.#start();
    await Promise.all(
      Array.from({ length: 4 }, async (_, lane) => {
        for (let at = lane; at < count; at += 4) await this.#create();
      }),
    );
    await this.#settled("all first Services to have an address");
    for (const service of await this.#list()) {
      const isSteady = Number(service.metadata.name.slice(1)) % STEADY_SHARE === 0;
      const address = addressOf(service);
      if (isSteady && address !== undefined) this.#steady.set(service.metadata.name, address);
    }
    for (let kill = 0; kill < kills; kill += 1) {
      await this.#disturb(kill);
      if (kill % 10 === 9) {
        await this.#look();
        say?.(
          `${kill + 1} of ${kills} kills, ${this.#changes} changes, ${this.#twice} twice, ${this.#moved} moved`,
        );
      }
    }
    await this.#settled("all Services to have an address in the end");
    await this.#look();
    const seconds = Math.round((performance.now() - began) / 1_000);
    const { ...counts } = {
      changes: this.#changes,
      looks: this.#looks,
      twice: this.#twice,
      moved: this.#moved,
      leadersKilled: this.#leadersKilled,
    };
    return { kills, services: count, seed, ...counts, seconds };
  }

  async end(): Promise<void> {
    for (const controller of this.#controllers) await controller.end("SIGKILL");
  }

  /** Changes go on while one of the two is killed, sometimes both; one leads by then, or there is nothing to interrupt. */
  async #disturb(kill: number): Promise<void> {
    await until("a controller to lead", () => this.#controllers.some(({ leads }) => leads), {
      deadlineMs: 60_000,
    });
    const changes = Promise.all(Array.from({ length: 6 }, () => this.#change()));
    const at = Math.floor(this.#random() * this.#controllers.length);
    const isBoth = kill % 7 === 6;
    for (const victim of isBoth ? [...this.#controllers] : this.#controllers.slice(at, at + 1)) {
      this.#controllers.splice(this.#controllers.indexOf(victim), 1);
      if (victim.leads) this.#leadersKilled += 1;
      await victim.end("SIGKILL");
      this.#start();
    }
    await changes;
  }

  #start(): void {
    this.#started += 1;
    const { kubeconfig } = this.#plane.plane;
    this.#controllers.push(new ControllerProcess(`churn-${this.#started}`, kubeconfig));
  }

  async #create(): Promise<void> {
    const name = `s${this.#next}`;
    this.#next += 1;
    await this.#plane.client.create(services, {
      metadata: { name, namespace: NAMESPACE },
      spec: {
        type: "LoadBalancer",
        allocateLoadBalancerNodePorts: false,
        ports: [{ port: 80, protocol: "TCP" }],
      } as NonNullable<Service["spec"]>,
    });
  }

  /** A Service that is not steady goes and another one comes, or changes its port. */
  async #change(): Promise<void> {
    const { client } = this.#plane;
    this.#changes += 1;
    const at = Math.floor(this.#random() * this.#next);
    const name = `s${at % STEADY_SHARE === 0 ? at + 1 : at}`;
    if (this.#random() < 0.5) {
      if (await client.remove(services, name, { namespace: NAMESPACE })) await this.#create();
      return;
    }
    const port = 1 + Math.floor(this.#random() * 60_000);
    const patch = { name, namespace: NAMESPACE, type: "merge" as const };
    const body = { spec: { ports: [{ port, protocol: "TCP" }] } };
    if ((await client.get(services, name, NAMESPACE)) === undefined) return;
    await client.patch(services, { ...patch, body }).catch((error: { code?: number }) => {
      // Another lane was quicker.
      if (error.code !== 404 && error.code !== 409) throw error;
    });
  }

  async #list(): Promise<Service[]> {
    const { items } = await this.#plane.client.list(services, { namespace: NAMESPACE });
    return items.filter(({ spec }) => spec?.type === "LoadBalancer");
  }

  async #look(): Promise<void> {
    this.#looks += 1;
    const holders = new Map<string, string>();
    for (const service of await this.#list()) {
      const { name } = service.metadata;
      const address = addressOf(service);
      const before = this.#steady.get(name);
      if (before !== undefined && address !== before) this.#moved += 1;
      if (address === undefined) continue;
      if (holders.has(address)) this.#twice += 1;
      holders.set(address, name);
    }
  }

  async #settled(what: string): Promise<void> {
    await until(
      what,
      async () => {
        const waiting = (await this.#list()).filter((service) => addressOf(service) === undefined).length;
        if (waiting === 0) return true;
        throw new Error(`${waiting} wait`);
      },
      { deadlineMs: 300_000, everyMs: 1_000 },
    );
    assert.ok(true);
  }
}
