/**
 * The webhook's certificate under load: the operator makes a new one fifty times, and no object that ought to be
 * admitted is refused, or the other way round. Real API server, operator and two controllers; the test plays kubelet.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { WEBHOOK_CONFIGURATION_NAME, WEBHOOK_SECRET_NAME } from "#api/names.ts";
import {
  type AddressPool,
  addressPools,
  secrets,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import { OwnTime } from "#hack/common/own-time.ts";
import { webhookDnsNames } from "#operator/children/webhook.ts";
import { NAMESPACE } from "#test/integration/operator-process.ts";
import { inOwnNetwork, OWN_ADDRESS } from "#test/integration/own-network.ts";
import { textOf, WebhookWorld } from "#test/integration/webhook-world.ts";
import { until } from "#test/until.ts";

const ROTATIONS = 50;
/**
 * A kubelet takes seconds to bring a Secret's new version; the API server knows of a caBundle long before that. From when
 * it is stored, and in the time of a machine that gets on.
 */
const KUBELET_MS = 250;
const time = new OwnTime();
const [SERVER_NAME = ""] = webhookDnsNames(NAMESPACE);

if (inOwnNetwork(import.meta.url)) {
  let whole: WebhookWorld;

  before(async () => {
    whole = await WebhookWorld.start(["r0", "r1"]);
    whole.startOperator();
    await whole.world.createLoadBalancer();
    await whole.startControllers();
    await whole.world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  });

  after(() => whole?.[Symbol.asyncDispose]());

  async function served(port: number): Promise<string> {
    const socket = connect({ host: OWN_ADDRESS, port, servername: SERVER_NAME, rejectUnauthorized: false });
    try {
      return await new Promise<string>((resolve, reject) => {
        socket.once("secureConnect", () => resolve(socket.getPeerCertificate().serialNumber));
        socket.once("error", reject);
      });
    } finally {
      socket.destroy();
    }
  }

  const pool = (addresses: string) => ({
    metadata: { name: "load", namespace: NAMESPACE },
    spec: { protocol: "layer2", addresses: [addresses] } as AddressPool["spec"],
  });

  async function ask(addresses: string): Promise<string> {
    try {
      await whole.world.client.create(addressPools, pool(addresses), { dryRun: true });
      return "";
    } catch (error) {
      return String(error);
    }
  }

  test(`${ROTATIONS} new certificates under load: no admission fails`, async () => {
    await until("the webhook to be asked", async () =>
      (await ask("10.0.0.9-10.0.0.1")).includes("is reversed"),
    );
    const stop = new AbortController();
    const counts = { admitted: 0, refused: 0 };
    const failures: string[] = [];
    const load = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const good = await ask("10.0.0.1-10.0.0.9");
        if (good === "") counts.admitted += 1;
        else failures.push(good);
        const bad = await ask("10.0.0.9-10.0.0.1");
        if (bad.includes("is reversed")) counts.refused += 1;
        else failures.push(`admitted, or: ${bad}`);
      }
    };
    const running = [load(), load()];
    const serials = new Set<string>();
    try {
      const ports = await Promise.all(whole.replicas.map((replica) => whole.portOf(replica)));
      for (let round = 0; round < ROTATIONS; round += 1) {
        await whole.world.client.remove(secrets, WEBHOOK_SECRET_NAME, { namespace: NAMESPACE });
        await until("the new certificate", async () => {
          const present = await whole.world.get(secrets, WEBHOOK_SECRET_NAME);
          const certificate = textOf(present, "tls.crt");
          return certificate !== "" && !serials.has(new X509Certificate(certificate).serialNumber);
        });
        await until("its authority to be stored for the API server", async () => {
          const authority = (await whole.world.get(secrets, WEBHOOK_SECRET_NAME))?.data?.["ca.crt"];
          const stored = await whole.world.get(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
          return stored?.webhooks?.every(({ clientConfig }) => clientConfig.caBundle === authority);
        });
        await new Promise<void>((resolve) => void time.after(KUBELET_MS, resolve));
        const serial = await whole.bring();
        serials.add(serial);
        for (const port of ports) {
          await until("it to be served", async () => (await served(port)) === serial, { everyMs: 50 });
        }
      }
    } finally {
      stop.abort();
      await Promise.all(running);
    }
    process.stdout.write(
      `${JSON.stringify({ rotations: serials.size, ...counts, failed: failures.length })}\n`,
    );
    assert.deepEqual(failures.slice(0, 3), []);
    assert.equal(serials.size, ROTATIONS);
    assert.ok(counts.admitted > 10 * ROTATIONS && counts.refused > 10 * ROTATIONS, JSON.stringify(counts));
  });
}
