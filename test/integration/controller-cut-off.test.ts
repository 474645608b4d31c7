/**
 * A leader that loses the Lease stops writing before another starts: cut off from the API server, with what it had sent
 * arriving when another leads, and stopped as a whole. Real processes, real API server.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { addressPools, leases, type Service, services } from "#common/kube/resource.ts";
import {
  ControllerProcess,
  type LogRecord,
  SYSTEM,
  startGenkan,
} from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import type { TcpProxy } from "#test/integration/proxy.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 30_000 } as const;

let plane: TestPlane;
before(async () => {
  plane = await startGenkan();
  await plane.client.create(addressPools, {
    metadata: { name: "web", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: ["10.0.0.0/20"] },
  });
});
after(() => plane?.[Symbol.asyncDispose]());

/** A kubeconfig whose server is the proxy. */
async function kubeconfigThrough(proxy: TcpProxy): Promise<string> {
  const text = await readFile(plane.plane.kubeconfig, "utf8");
  const path = join(dirname(plane.plane.kubeconfig), `through-${proxy.port}`);
  await writeFile(path, text.replace(/(server: "?https:\/\/[^:]+):\d+/, `$1:${proxy.port}`));
  return path;
}

/** Services made one after the other until it is told to stop, several at once. */
class Flood {
  readonly namespace: string;
  readonly #stop = new AbortController();
  readonly #lanes: Promise<void>;
  made = 0;

  constructor(namespace: string) {
    this.namespace = namespace;
    this.#lanes = Promise.all([0, 1, 2, 3].map((lane) => this.#lane(lane))).then(() => undefined);
  }

  async #lane(lane: number): Promise<void> {
    for (let at = 0; !this.#stop.signal.aborted && this.made < 600; at += 1) {
      await plane.client.create(services, {
        metadata: { name: `s${lane}-${at}`, namespace: this.namespace },
        spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] } as NonNullable<
          Service["spec"]
        >,
      });
      this.made += 1;
    }
  }

  end(): Promise<void> {
    this.#stop.abort();
    return this.#lanes;
  }
}

/** Service -> version and addresses; fails while one has none. */
async function settled(namespace: string): Promise<Map<string, string>> {
  const { items } = await plane.client.list(services, { namespace });
  const all = items.map(({ metadata, status }) => {
    const ip = status?.loadBalancer?.ingress?.[0]?.ip;
    assert.ok(ip !== undefined, `${metadata.name} waits`);
    return [metadata.name, `${metadata.resourceVersion} ${ip}`] as const;
  });
  const addresses = new Set(all.map(([, text]) => text.split(" ")[1]));
  assert.equal(addresses.size, all.length, "an address is there twice");
  return new Map(all);
}

const timeOf = (controller: ControllerProcess, is: (record: LogRecord) => boolean): number => {
  const found = controller.logs.findLast(is);
  assert.ok(found !== undefined, `${controller.name} says so`);
  return Date.parse(String(found.time));
};
const leads = ({ msg }: LogRecord): boolean => msg === "leading";
const isLost = ({ msg }: LogRecord): boolean => msg === "no longer leading";
const isWrite = ({ event }: LogRecord): boolean => event === "ipAllocated";

/** `first` alone stands, and leads; then `second` stands too. */
async function stand(first: ControllerProcess, second: () => ControllerProcess): Promise<ControllerProcess> {
  await first.started();
  await until("the first to lead", () => first.leads, LONG);
  const next = await second().started();
  await until("the second to have seen the first", () => next.logs.some(({ msg }) => msg === "leader"), LONG);
  return next;
}

test("a leader that is cut off stops first, and what it had sent is refused when it arrives", async () => {
  const namespace = await plane.namespace("cut-off");
  await using proxy = await plane.proxy();
  await using first = new ControllerProcess("cut-off-0", await kubeconfigThrough(proxy));
  await using second = await stand(first, () => new ControllerProcess("cut-off-1", plane.plane.kubeconfig));
  const flood = new Flood(namespace);
  await until("some to have addresses", () => first.logs.filter(isWrite).length > 20, LONG);
  proxy.swallow();
  await until("the second to lead", () => second.leads, LONG);
  await until("the first to know", () => first.logs.some(isLost), LONG);
  await flood.end();
  assert.ok(timeOf(first, isLost) < timeOf(second, leads), "both worked");
  assert.ok(timeOf(first, isWrite) < timeOf(second, leads));
  const before = await until("all to have addresses", () => settled(namespace), LONG);
  proxy.deliver();
  await until("what was held back to arrive", () => proxy.late > 0, LONG);
  // The first one's next look at the Lease goes the same way, after all that.
  await until(
    "the first to stand again",
    () => {
      const lost = first.logs.findIndex(isLost);
      return first.logs.slice(lost).some(({ msg, holder }) => msg === "leader" && holder === second.name);
    },
    LONG,
  );
  assert.deepEqual(await settled(namespace), before);
});

test("a leader that stood still writes nothing more when it goes on", async () => {
  const namespace = await plane.namespace("stopped");
  await using first = new ControllerProcess("stopped-0", plane.plane.kubeconfig);
  await using second = await stand(first, () => new ControllerProcess("stopped-1", plane.plane.kubeconfig));
  const flood = new Flood(namespace);
  await until("some to have addresses", () => first.logs.filter(isWrite).length > 20, LONG);
  first.pause();
  await until("the second to lead", () => second.leads, LONG);
  await flood.end();
  const before = await until("all to have addresses", () => settled(namespace), LONG);
  const writes = first.logs.filter(isWrite).length;
  const holder = async () =>
    (await plane.client.get(leases, "genkan-controller", SYSTEM))?.spec?.holderIdentity;
  assert.equal(await holder(), second.name);
  first.resume();
  await until("the first to know", () => first.logs.some(isLost), LONG);
  // Answers to what it had sent before it was stopped it may still have read.
  assert.ok(first.logs.filter(isWrite).length - writes <= 12);
  assert.deepEqual(await settled(namespace), before);
  assert.equal(await holder(), second.name);
});
