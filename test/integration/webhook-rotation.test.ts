/**
 * The webhook's certificate under load: the operator makes a new one fifty times, and no object that ought to be
 * admitted is refused, or the other way round. Real API server, operator and two controllers; the test plays kubelet.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { WEBHOOK_CONFIGURATION_NAME, WEBHOOK_SECRET_NAME, WEBHOOK_SERVICE_NAME } from "#api/names.ts";
import {
  type AddressPool,
  addressPools,
  endpointSlices,
  type Secret,
  secrets,
  services,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import { webhookDnsNames } from "#operator/children/webhook.ts";
import { ControllerProcess } from "#test/integration/controller.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator.ts";
import { inOwnNetwork, OWN_ADDRESS } from "#test/integration/own-network.ts";
import { until } from "#test/until.ts";

const ROTATIONS = 50;
const REPLICAS = ["r0", "r1"];
/** A kubelet takes seconds to bring a Secret's new version; the API server knows of a caBundle long before that. */
const KUBELET_MS = 250;
const [SERVER_NAME = ""] = webhookDnsNames(NAMESPACE);

if (inOwnNetwork(import.meta.url)) {
  let world: OperatorWorld;
  let operator: OperatorProcess;
  let directory = "";
  const replicas: ControllerProcess[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "genkan-rotation-"));
    world = await OperatorWorld.start(["node1"]);
    operator = world.operator();
    await world.createLoadBalancer();
    await world.waitFor(services, WEBHOOK_SERVICE_NAME);
    await bring();
    for (const name of REPLICAS) {
      const env = { CERTIFICATE_DIRECTORY: join(directory, name) };
      const replica = await new ControllerProcess(name, world.plane.plane.kubeconfig, env).started();
      replicas.push(replica);
      await endpoint(name, await webhookPort(replica));
    }
    await world.playStatus({ desired: 1, ready: 1 });
    await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  });

  after(async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await operator?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const webhookPort = (replica: ControllerProcess): Promise<number> =>
    until("the webhook to serve", () => {
      const port = Number(replica.logs.find(({ msg }) => msg === "webhook serves")?.port);
      return Number.isNaN(port) ? undefined : port;
    });

  const endpoint = (name: string, port: number): Promise<unknown> =>
    world.client.create(endpointSlices, {
      metadata: {
        name: `${WEBHOOK_SERVICE_NAME}-${name}`,
        namespace: NAMESPACE,
        labels: { "kubernetes.io/service-name": WEBHOOK_SERVICE_NAME },
      },
      addressType: "IPv4",
      endpoints: [{ addresses: [OWN_ADDRESS], conditions: { ready: true } }],
      ports: [{ name: "webhook", port, protocol: "TCP" }],
    });

  const textOf = (secret: Secret | undefined, key: string): string =>
    Buffer.from((secret?.data as Record<string, string> | undefined)?.[key] ?? "", "base64").toString("utf8");

  /** What the kubelet does: both files of the Secret, swapped in as they are. The serial number that is then served. */
  async function bring(): Promise<string> {
    const secret = await world.waitFor(secrets, WEBHOOK_SECRET_NAME);
    for (const name of REPLICAS) {
      const folder = join(directory, name);
      await mkdir(folder, { recursive: true });
      for (const file of ["tls.crt", "tls.key"]) {
        await writeFile(join(folder, `${file}.new`), textOf(secret, file));
        await rename(join(folder, `${file}.new`), join(folder, file));
      }
    }
    return new X509Certificate(textOf(secret, "tls.crt")).serialNumber;
  }

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
      await world.client.create(addressPools, pool(addresses), { dryRun: true });
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
      const ports = await Promise.all(replicas.map(webhookPort));
      for (let round = 0; round < ROTATIONS; round += 1) {
        await world.client.remove(secrets, WEBHOOK_SECRET_NAME, { namespace: NAMESPACE });
        await until("the new certificate", async () => {
          const present = await world.get(secrets, WEBHOOK_SECRET_NAME);
          const certificate = textOf(present, "tls.crt");
          return certificate !== "" && !serials.has(new X509Certificate(certificate).serialNumber);
        });
        await new Promise((resolve) => setTimeout(resolve, KUBELET_MS));
        const serial = await bring();
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
