/** The real API server for a test file, and a client whose connections run through a proxy. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#common/clock.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { type Connection, connectionFromKubeconfig } from "#common/kube/connection.ts";
import { namespaces } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "#hack/lab/control-plane.ts";
import { TcpProxy } from "#test/integration/proxy.ts";

/** What every reflector and election of these tests is given. */
export const real = { clock: systemClock, random: systemRandom, log: silentLogger } as const;

export class TestPlane implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly connection: Connection;
  readonly #dir: string;

  private constructor(dir: string, plane: ControlPlane) {
    this.#dir = dir;
    this.plane = plane;
    this.connection = connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8"));
    this.client = createKubeClient(this.connection, { userAgent: "genkan-test" });
  }

  /** etcd and kube-apiserver alone, if no programs are named: then no controller touches what the tests make. */
  static async start(
    options: Pick<ControlPlaneOptions, "address" | "apiServerFlags" | "programs"> = {},
  ): Promise<TestPlane> {
    const dir = await mkdtemp(join(tmpdir(), "genkan-kube-"));
    try {
      return new TestPlane(dir, await startControlPlane({ programs: [], ...options, dir }));
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async namespace(name: string): Promise<string> {
    await this.client.create(namespaces, { metadata: { name } });
    return name;
  }

  async proxy(): Promise<TcpProxy> {
    const { hostname, port } = this.connection.server;
    return TcpProxy.start({ host: hostname, port: Number(port) });
  }

  /** A client that reaches the API server through `proxy`. */
  through(proxy: TcpProxy): KubeClient {
    const { server: _, ...rest } = this.connection;
    return createKubeClient({ ...rest, server: new URL(`https://127.0.0.1:${proxy.port}`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.plane.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
