/** Another controller writes the same Service's status, as k3s' servicelb does: against the real API server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { services } from "#common/kube/resource.ts";
import { ControllerWorld, ipsOf, LONG } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

let world: ControllerWorld;
before(async () => {
  world = await ControllerWorld.start();
});
after(() => world[Symbol.asyncDispose]());

const THEIRS = "172.18.0.3";

/** Writes its own address over any other, for as long as it runs; how often is counted. */
class Rival {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  writes = 0;

  constructor(namespace: string, resourceVersion: string) {
    this.#running = this.#run(namespace, resourceVersion).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  async #run(namespace: string, resourceVersion: string): Promise<void> {
    const options = { namespace, resourceVersion };
    for await (const event of world.client.watch(services, options, this.#stop.signal)) {
      if (event.type === "BOOKMARK" || event.object.metadata.name !== "fought") continue;
      if (ipsOf(event.object).includes(THEIRS)) continue;
      this.writes += 1;
      await world.client.patch(services, {
        name: "fought",
        namespace,
        subresource: "status",
        type: "merge",
        fieldManager: "k3s",
        body: { status: { loadBalancer: { ingress: [{ ip: THEIRS }] } } },
      });
    }
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

test("k3s' servicelb is named in one condition, answered with pauses, and delays nobody", async () => {
  await world.begin();
  await world.addPool("web", ["10.50.0.0/28"]);
  await world.addService("fought");
  await world.has("fought", "10.50.0.0");
  const { resourceVersion } = await world.client.list(services, { namespace: world.namespace });
  const rival = new Rival(world.namespace, resourceVersion);
  try {
    await world.changeService("fought", { metadata: { labels: { touched: "yes" } } });
    const contested = async () =>
      (await world.service("fought")).status?.conditions?.find(({ reason }) => reason === "StatusContested");
    await until("the condition", contested, LONG);
    const condition = await contested();
    assert.equal(condition?.type, "genkan.dev/AddressAllocated");
    assert.match(condition?.message ?? "", /field manager "k3s".*--disable servicelb/);
    await world.addService("other");
    await world.has("other", "10.50.0.1");
    // The pauses are 1, 2, 4, 8 s: until the next rewrite after two more there is time for none but these.
    const writes = rival.writes;
    await until("two more rounds", () => rival.writes >= writes + 2, LONG);
    assert.ok(rival.writes <= 12, `${rival.writes} rounds`);
    const told = async () =>
      (await world.events()).filter(
        ({ reason, involvedObject }) => reason === "StatusContested" && involvedObject.name === "fought",
      );
    await until("the event", async () => (await told()).length > 0, { deadlineMs: 60_000 });
    assert.equal((await told()).length, 1);
  } finally {
    await rival.end();
  }
});
