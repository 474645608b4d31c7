/** The lab's router with FRR: it takes every node's routes, and spreads connections over the nodes (ECMP). */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run, runScript } from "#hack/common/command.ts";
import { type ProcessRecord, startDaemon, stopDaemon } from "#hack/lab/daemon.ts";
import { type Layout, netnsOf, nodeOf } from "#hack/lab/layout.ts";
import { type Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import { FRR_DIRECTORY } from "#test/interop/frr.ts";
import { type UntilOptions, until } from "#test/until.ts";

export const NODES_ASN = 64_512;
export const ROUTER_ASN = 65_001;
const NODES = ["node1", "node2", "node3"] as const;
const START = { deadlineMs: 60_000, everyMs: 250 } as const;
/** What the router chooses a next hop by: of each packet protocol, addresses and ports, or its two addresses alone. */
export type Spread = "ports" | "addresses";
/** Policy 3: by these fields (test/bgp/ecmp-router.ts says why not policy 1). Policy 0: by addresses. */
const HASH: Readonly<Record<Spread, (family: string) => string>> = {
  ports: (family) => `net.${family}.fib_multipath_hash_policy=3 net.${family}.fib_multipath_hash_fields=0x37`,
  addresses: (family) => `net.${family}.fib_multipath_hash_policy=0`,
};

/**
 * A neighbour for each node, and no range of them: where a session with graceful restart of a neighbour that was found by
 * its range ends, bgpd 8.4 forgets that neighbour, and ends with SIGSEGV when the restart's timer expires.
 */
function configuration(layout: Layout): string {
  const neighbors = NODES.map((name) => `neighbor ${nodeOf(layout, name).address.v4}`);
  const activated = neighbors.map((neighbor) => `  ${neighbor} activate`);
  const families = ["ipv4", "ipv6"].flatMap((family) => [
    ` address-family ${family} unicast`,
    ...activated,
    "  maximum-paths 8",
    " exit-address-family",
  ]);
  return [
    `router bgp ${ROUTER_ASN}`,
    ` bgp router-id ${layout.router.v4}`,
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    " bgp graceful-restart",
    // The nodes connect.
    ...neighbors.flatMap((neighbor) => [` ${neighbor} remote-as ${NODES_ASN}`, ` ${neighbor} passive`]),
    ...families,
    "",
  ].join("\n");
}

export class LabRouter implements AsyncDisposable {
  readonly #layout: Layout;
  readonly #directory: string;
  readonly #daemons: ProcessRecord[] = [];

  private constructor(layout: Layout) {
    this.#layout = layout;
    // The daemons give up root's rights: it is where they may go.
    this.#directory = `/tmp/genkan-upstream-router-${layout.instance}`;
  }

  /** Resolves when bgpd answers. */
  static async start(layout: Layout, spread: Spread): Promise<LabRouter> {
    const router = new LabRouter(layout);
    try {
      await router.#begin(spread);
    } catch (error) {
      await router[Symbol.asyncDispose]();
      throw error;
    }
    return router;
  }

  async #begin(spread: Spread): Promise<void> {
    const directory = this.#directory;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    const files = { zebra: "", vtysh: "", bgpd: configuration(this.#layout) };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, `${name}.conf`), text);
    await run(["chown", "-R", "frr:frr", directory]);
    await runScript(
      `nsenter --net=/run/netns/${this.#namespace} sysctl -qw ${["ipv4", "ipv6"].map(HASH[spread]).join(" ")}`,
    );
    await this.#daemon("zebra", ["--v6-rr-semantics"]);
    await until(
      "zebra's socket",
      () => run(["test", "-S", join(directory, "zserv.api")]).then(() => true),
      START,
    );
    await this.#startBgpd();
  }

  async #startBgpd(): Promise<void> {
    await this.#daemon("bgpd", ["-p", "179"]);
    await until("bgpd's answer", () => this.shell("show bgp summary json").then(() => true), START);
  }

  /** SIGKILL, and a new one after `offMs`. Resolves when that one answers. */
  async restartBgpd(offMs: number): Promise<void> {
    const bgpd = this.#daemons.pop();
    if (bgpd === undefined) throw new Error("the router has no bgpd");
    process.kill(bgpd.pid, "SIGKILL");
    await stopDaemon(bgpd);
    await sleep(offMs);
    await this.#startBgpd();
  }

  /** Loads rules on the router. */
  async nft(text: string): Promise<void> {
    await run(["nsenter", `--net=/run/netns/${this.#namespace}`, "nft", "-f", "-"], { input: text });
  }

  get #namespace(): string {
    return netnsOf(this.#layout, "router");
  }

  async #daemon(program: string, more: readonly string[]): Promise<void> {
    const directory = this.#directory;
    const own = [
      ..."-P 0 --log stdout".split(" "),
      ...["-f", `${directory}/${program}.conf`, "-i", `${directory}/${program}.pid`],
      ...["-z", `${directory}/zserv.api`, "--vty_socket", directory],
    ];
    const argv = [`--net=/run/netns/${this.#namespace}`, `${FRR_DIRECTORY}/${program}`, ...own, ...more];
    const log = join(directory, `${program}.log`);
    this.#daemons.push(await startDaemon(["nsenter", ...argv], { name: program, log, outlivesUs: false }));
  }

  shell(command: string): Promise<string> {
    const where = ["--vty_socket", this.#directory, "--config_dir", this.#directory];
    const argv = [`--net=/run/netns/${this.#namespace}`, "vtysh", ...where, "-d", "bgpd", "-c", command];
    return run(["nsenter", ...argv]);
  }

  /** Neighbours whose session is up. */
  async #established(): Promise<number> {
    const all = JSON.parse(await this.shell("show bgp neighbors json")) as Record<
      string,
      { bgpState?: string }
    >;
    return Object.values(all).filter(({ bgpState }) => bgpState === "Established").length;
  }

  /** Waits until every node has a session that is there to stay: the first peer has all speakers started anew. */
  async peersWithAll(cluster: Cluster, limits: UntilOptions): Promise<void> {
    const speakers = ["daemonset/speaker", "-n", NAMESPACE];
    const capabilities = "jsonpath={.spec.template.spec.containers[0].securityContext.capabilities.add}";
    await until(
      "speakers that may listen at port 179",
      async () =>
        (await cluster.kubectl(["get", ...speakers, "-o", capabilities])).includes("NET_BIND_SERVICE"),
      limits,
    );
    await cluster.kubectl(["rollout", "status", ...speakers, "--timeout=300s"]);
    await until("a session with each node", async () => (await this.#established()) === NODES.length, limits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) await stopDaemon(daemon);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
