/** Objects of another program in the API server of Genkan's speakers, written as its user would. */
import { join } from "node:path";
import { run } from "#hack/common/command.ts";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";
import type { Cluster } from "../layer2/speaker-cluster.ts";

export interface Named {
  readonly kind?: string;
  readonly [field: string]: unknown;
}

export class PeerObjects {
  readonly #kubeconfig: string;

  constructor(cluster: Cluster) {
    this.#kubeconfig = cluster.plane.kubeconfig;
  }

  async apply(items: readonly Named[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await this.kubectl(["apply", "--server-side", "-f", "-"], list);
  }

  /** `object`: as kubectl names it, `["pod", "a", "-n", "b"]`. */
  async setStatus(object: readonly string[], status: object): Promise<void> {
    const patch = JSON.stringify({ status });
    await this.kubectl(["patch", ...object, "--subresource=status", "--type=merge", "-p", patch]);
  }

  /** Throws where kubectl fails, with what it said. */
  async kubectl(argv: readonly string[], input = ""): Promise<void> {
    await run([join(BIN_DIRECTORY, "kubectl"), "--kubeconfig", this.#kubeconfig, ...argv], { input });
  }
}
