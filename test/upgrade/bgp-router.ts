/** BIRD on the lab's router: a session with each node, and equal paths as one route of the kernel. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "#test/e2e/installation.ts";
import { until } from "#test/e2e/patience.ts";

export const NODES_ASN = 64_512;
export const ROUTER_ASN = 64_513;

/** Restarting speakers keep their routes (RFC 4724); flows go by addresses and ports. */
const configuration = (router: string, nodes: readonly string[]): string => `router id ${router};
protocol device {}
protocol kernel { merge paths on; ipv4 { import none; export all; }; }
template bgp node {
  local as ${ROUTER_ASN};
  graceful restart on;
  connect delay time 1; connect retry time 1; error wait time 1, 3;
  ipv4 { import all; export none; };
}
${nodes.map((address, at) => `protocol bgp node${at + 1} from node { neighbor ${address} as ${NODES_ASN}; }`).join("\n")}
`;

export class BgpRouter implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #directory: string;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();

  private constructor(cluster: Cluster, directory: string) {
    this.#cluster = cluster;
    this.#directory = directory;
  }

  /** `router` and `nodes`: their IPv4 addresses. */
  static async start(cluster: Cluster, router: string, nodes: readonly string[]): Promise<BgpRouter> {
    const bird = new BgpRouter(cluster, await mkdtemp(join(tmpdir(), "genkan-bird-")));
    const file = join(bird.#directory, "bird.conf");
    await writeFile(file, configuration(router, nodes));
    await cluster.on("router", ["sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1"]);
    bird.#done = cluster
      .on("router", ["bird", "-f", "-c", file, "-s", bird.#socket, "-P", join(bird.#directory, "pid")], {
        signal: bird.#stop.signal,
        keepsInput: true,
      })
      .catch((error: unknown) => {
        if (!bird.#stop.signal.aborted) throw error;
      });
    await until("BIRD to answer", () => bird.tell("show status"), { deadlineMs: 30_000 });
    return bird;
  }

  get #socket(): string {
    return join(this.#directory, "bird.ctl");
  }

  tell(command: string): Promise<string> {
    return this.#cluster.on("router", ["birdc", "-s", this.#socket, ...command.split(" ")]);
  }

  /** How many nodes the kernel's route to the address goes through. */
  async nextHops(address: string): Promise<number> {
    const route = await this.#cluster.on("router", ["ip", "route", "show", address]);
    return [...route.matchAll(/\bvia /g)].length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await rm(this.#directory, { recursive: true, force: true });
  }
}
