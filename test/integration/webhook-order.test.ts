/**
 * Everything at once and in any order, as GitOps tools send it: nothing waits for a webhook that is not there, what came
 * in unjudged is judged later in the same words, and when all controllers are gone the repair gets in.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { WEBHOOK_CONFIGURATION_NAME } from "#api/names.ts";
import {
  type AddressPool,
  addressPools,
  bgpPeers,
  loadBalancers,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import { NAMESPACE } from "#test/integration/operator-process.ts";
import { inOwnNetwork } from "#test/integration/own-network.ts";
import { WebhookWorld } from "#test/integration/webhook-world.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const pool = (name: string, addresses: string) => ({
  metadata: { name, namespace: NAMESPACE },
  spec: { protocol: "layer2", addresses: [addresses] } as AddressPool["spec"],
});
const OVERLAP = 'overlaps 172.30.0.200-172.30.0.250 of AddressPool "default"';

interface Conditioned {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}
const validOf = (object: Conditioned | undefined): string | undefined => {
  const valid = object?.status?.conditions?.find(({ type }) => type === "Valid");
  return valid && `${valid.status} ${valid.message}`.trim();
};

if (inOwnNetwork(import.meta.url)) {
  let whole: WebhookWorld;

  before(async () => {
    whole = await WebhookWorld.start(["c0"]);
  });
  after(() => whole?.[Symbol.asyncDispose]());

  const created = async (name: string, addresses: string): Promise<string> => {
    try {
      await whole.world.client.create(addressPools, pool(name, addresses));
      return "";
    } catch (error) {
      return String(error);
    }
  };

  test("everything is taken before anything of ours runs, valid or not", async () => {
    const kubectl = ["--kubeconfig", whole.world.plane.plane.kubeconfig, "apply", "-f", "config/samples"];
    await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, kubectl, { cwd: ROOT });
    assert.equal(await created("slipped-in", "172.30.0.240-172.30.0.255"), "");
  });

  test("as soon as a controller is available it judges what came and what comes, in the same words", async () => {
    const { world } = whole;
    whole.startOperator();
    await whole.startControllers();
    await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
    const words = `spec.addresses[0]: 172.30.0.240-172.30.0.255 ${OVERLAP}`;
    await until("the webhook to be asked", async () =>
      (await created("late", "172.30.0.240-172.30.0.255")).includes(words),
    );
    const valid = async (name: string) => validOf(await world.get(addressPools, name));
    await until(
      "the pool that slipped in to say so",
      async () => (await valid("slipped-in")) === `False ${words}`,
    );
    assert.equal(await valid("default"), "True");
    const peer = async () => validOf(await world.get(bgpPeers, "router"));
    await until("the peer to be valid", async () => (await peer()) === "True");
  });

  test("without a controller changes wait; a minute later they get in, the LoadBalancer's repair first", async () => {
    const { world } = whole;
    await whole.killControllers();
    const began = performance.now();
    await until("changes to be refused", async () =>
      (await created("waits", "10.0.0.0/24")).includes("failed calling webhook"),
    );
    const webhooks = () => world.get(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
    await until("the webhooks to go", async () => (await webhooks()) === undefined, { deadlineMs: 90_000 });
    const waitedMs = performance.now() - began;
    assert.ok(waitedMs > 55_000, `the webhooks stayed for ${waitedMs} ms only`);
    await world.patch(loadBalancers, "loadbalancer", { spec: { logLevel: "debug" } });
    await until("changes to get in", async () => (await created("waits", "10.0.0.0/24")) === "");
  });
}
