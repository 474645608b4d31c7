/**
 * Operator and controllers as they stand in a cluster, against a real API server that calls their webhooks through the
 * Service: to be used in a network of its own (own-network.ts). The test plays the kubelets.
 */
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WEBHOOK_SECRET_NAME, WEBHOOK_SERVICE_NAME } from "#api/names.ts";
import { deployments, endpointSlices, type Secret, secrets } from "#common/kube/resource.ts";
import { ControllerProcess } from "#test/integration/controller-process.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { OWN_ADDRESS } from "#test/integration/own-network.ts";
import { until } from "#test/until.ts";

/** A text in a Secret; "" where it is not there. */
export const textOf = (secret: Secret | undefined, key: string): string =>
  Buffer.from((secret?.data as Record<string, string> | undefined)?.[key] ?? "", "base64").toString("utf8");

export class WebhookWorld implements AsyncDisposable {
  readonly world: OperatorWorld;
  readonly replicas: ControllerProcess[] = [];
  operator: OperatorProcess | undefined;
  readonly #directory: string;
  readonly #names: readonly string[];

  private constructor(world: OperatorWorld, directory: string, names: readonly string[]) {
    this.world = world;
    this.#directory = directory;
    this.#names = names;
  }

  /** The API server with config/default, and no process of ours. `names`: of the controllers to come. */
  static async start(names: readonly string[]): Promise<WebhookWorld> {
    const directory = await mkdtemp(join(tmpdir(), "genkan-webhook-"));
    return new WebhookWorld(await OperatorWorld.start(["node1"]), directory, names);
  }

  startOperator(): void {
    this.operator = this.world.operator();
  }

  /** All controllers serve and are the Service's endpoints; the Deployment says that they are available. */
  async startControllers(): Promise<void> {
    await this.bring();
    for (const name of this.#names) {
      const env = { CERTIFICATE_DIRECTORY: join(this.#directory, name) };
      const replica = await new ControllerProcess(name, this.world.plane.plane.kubeconfig, env).started();
      this.replicas.push(replica);
      await this.#endpoint(name, await this.portOf(replica));
    }
    await this.world.playStatus({ desired: 1, ready: 1 });
  }

  /**
   * The controllers die. The Deployment says that it is not available, and since when: since the first of its replicas
   * was missing, which was hours ago.
   */
  async killControllers(): Promise<void> {
    for (const replica of this.replicas) await replica.end("SIGKILL");
    const deployment = await this.world.waitFor(deployments, "controller");
    await this.world.writeStatus(deployments, deployment, {
      readyReplicas: 0,
      availableReplicas: 0,
      unavailableReplicas: this.#names.length,
      conditions: [{ type: "Available", status: "False", lastTransitionTime: "2020-01-01T00:00:00Z" }],
    });
  }

  portOf(replica: ControllerProcess): Promise<number> {
    return until("the webhook to serve", () => {
      const port = Number(replica.logs.find(({ msg }) => msg === "webhook serves")?.port);
      return Number.isNaN(port) ? undefined : port;
    });
  }

  /** What the kubelet does: the Secret's files, swapped in as they are now. The serial number of the certificate. */
  async bring(): Promise<string> {
    const secret = await this.world.waitFor(secrets, WEBHOOK_SECRET_NAME);
    for (const name of this.#names) {
      const folder = join(this.#directory, name);
      await mkdir(folder, { recursive: true });
      for (const file of ["tls.crt", "tls.key"]) {
        await writeFile(join(folder, `${file}.new`), textOf(secret, file));
        await rename(join(folder, `${file}.new`), join(folder, file));
      }
    }
    return new X509Certificate(textOf(secret, "tls.crt")).serialNumber;
  }

  #endpoint(name: string, port: number): Promise<unknown> {
    return this.world.client.create(endpointSlices, {
      metadata: {
        name: `${WEBHOOK_SERVICE_NAME}-${name}`,
        namespace: NAMESPACE,
        labels: { "kubernetes.io/service-name": WEBHOOK_SERVICE_NAME },
      },
      addressType: "IPv4",
      endpoints: [{ addresses: [OWN_ADDRESS], conditions: { ready: true } }],
      ports: [{ name: "webhook", port, protocol: "TCP" }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.replicas) await replica[Symbol.asyncDispose]();
    await this.operator?.[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
