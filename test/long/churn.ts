/**
 * Two controllers, killed at random again and again while Services come, go and change, against a real API server: no
 * address twice at any moment, none changed that nobody touched. Nearly every address of the pool is in use, so what
 * one Service gives back another gets next.
 */

import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "#api/address.ts";
import { addressPools, type Service, services } from "#common/kube/resource.ts";
import { ControllerProcess, SYSTEM, startGenkan } from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { seeded } from "#test/seeded.ts";
import { until } from "#test/until.ts";
import { Witness } from "./service-watch.ts";

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
  /** Changes of Services that were looked at, each with who has what at that moment. */
  readonly looks: number;
  readonly twice: number;
  readonly moved: number;
  /** Kills that hit the one that led. */
  readonly leadersKilled: number;
  readonly seconds: number;
}

const NAMESPACE = "default";
/** Of all Services these are never touched: their addresses may not change. */
const STEADY_SHARE = 4;
const LANES = 2;
/** Between two changes of a lane: what they cost must leave time for controllers to start. */
const PACE_MS = 60;
/** Addresses that nobody has when all Services have theirs. */
const SPARE = 24;

/** A range of so many addresses. */
function rangeOf(count: number): string {
  const first = parseAddress("10.0.0.1");
  assert.ok(first !== undefined);
  return `10.0.0.1-${formatAddress({ ...first, value: first.value + BigInt(count) - 1n })}`;
}

export async function churn(options: ChurnOptions): Promise<ChurnResult> {
  await using plane = await startGenkan();
  await plane.client.create(addressPools, {
    metadata: { name: "churn", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: [rangeOf(options.services + SPARE)] },
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
  readonly #witness: Witness;
  /** Services that may be touched. */
  readonly #live: string[] = [];
  #started = 0;
  #changes = 0;
  #leadersKilled = 0;
  #next = 0;

  constructor(plane: TestPlane, options: ChurnOptions) {
    this.#plane = plane;
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#witness = new Witness(plane.client, NAMESPACE);
  }

  async run(): Promise<ChurnResult> {
    const { kills, services: count, seed } = this.#options;
    const began = performance.now();
    await this.#witness.start();
    for (let at = 0; at < 2; at += 1) this.#start();
    await Promise.all(
      Array.from({ length: 4 }, async (_, lane) => {
        for (let at = lane; at < count; at += 4) await this.#create();
      }),
    );
    await this.#settled("all first Services to have an address");
    const names = this.#witness.names();
    this.#witness.hold(names.filter((_, at) => at % STEADY_SHARE === 0));
    this.#live.push(...names.filter((_, at) => at % STEADY_SHARE !== 0));
    await this.#killAll();
    await this.#settled("all Services to have an address in the end");
    const { looks, twice, moved } = this.#witness;
    const { length: present } = this.#witness.names();
    assert.equal(present, count, "Services in the end");
    return {
      ...{ kills, services: count, seed, changes: this.#changes, looks },
      ...{ twice: twice.length, moved: moved.length, leadersKilled: this.#leadersKilled },
      seconds: Math.round((performance.now() - began) / 1_000),
    };
  }

  async end(): Promise<void> {
    for (const controller of this.#controllers) await controller.end("SIGKILL");
    await this.#witness.end();
  }

  /** Services change all the time, also while nobody leads. */
  async #killAll(): Promise<void> {
    const { kills, say } = this.#options;
    const stop = new AbortController();
    const lanes = Promise.all(Array.from({ length: LANES }, () => this.#change(stop.signal)));
    // A lane that fails shows here and not as an unhandled rejection.
    const failure = lanes.then(() => undefined);
    failure.catch(() => stop.abort());
    for (let kill = 0; kill < kills && !stop.signal.aborted; kill += 1) {
      await this.#kill(kill % 7 === 6);
      if (kill % 10 !== 9) continue;
      const { twice, moved } = this.#witness;
      say?.(
        `${kill + 1} of ${kills} kills, ${this.#leadersKilled} of the leader, ${this.#changes} changes, ` +
          `${twice.length} twice, ${moved.length} moved`,
      );
      for (const line of [...twice, ...moved].slice(-3)) say?.(`  ${line}`);
    }
    stop.abort();
    await failure;
  }

  /** One of the two, at a moment of a second in which one of them leads; sometimes both. */
  async #kill(isBoth: boolean): Promise<void> {
    const leads = (): boolean => this.#controllers.some((controller) => controller.leads);
    await until("a controller to lead", leads, { deadlineMs: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, this.#random() * 1_000));
    const at = Math.floor(this.#random() * this.#controllers.length);
    for (const victim of isBoth ? [...this.#controllers] : this.#controllers.slice(at, at + 1)) {
      this.#controllers.splice(this.#controllers.indexOf(victim), 1);
      if (victim.leads) this.#leadersKilled += 1;
      await victim.end("SIGKILL");
      this.#start();
    }
  }

  #start(): void {
    this.#started += 1;
    const { kubeconfig } = this.#plane.plane;
    this.#controllers.push(new ControllerProcess(`churn-${this.#started}`, kubeconfig));
  }

  async #create(): Promise<string> {
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
    return name;
  }

  /** Again and again a Service that is not steady goes and another one comes, or changes its port. */
  async #change(stop: AbortSignal): Promise<void> {
    const { client } = this.#plane;
    while (!stop.aborted) {
      this.#changes += 1;
      const [name = ""] = this.#live.splice(Math.floor(this.#random() * this.#live.length), 1);
      let after = name;
      if (this.#random() < 0.5) {
        assert.ok(await client.remove(services, name, { namespace: NAMESPACE }), `${name} was there`);
        after = await this.#create();
      } else {
        const port = 1 + Math.floor(this.#random() * 60_000);
        const body = { spec: { ports: [{ port, protocol: "TCP" }] } };
        await client.patch(services, { name, namespace: NAMESPACE, type: "merge", body });
      }
      this.#live.push(after);
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  async #settled(what: string): Promise<void> {
    const look = (): boolean => {
      const { waiting } = this.#witness;
      if (waiting === 0 && this.#witness.names().length === this.#options.services) return true;
      throw new Error(`${waiting} wait of ${this.#witness.names().length}`);
    };
    await until(what, look, { deadlineMs: 300_000, everyMs: 100 });
  }
}
