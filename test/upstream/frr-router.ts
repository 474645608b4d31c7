/** The lab's router with FRR: it takes every node's routes, and spreads connections over the nodes (ECMP). */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, runScript } from "#hack/common/command.ts";
import { type ProcessRecord, startDaemon, stopDaemon } from "#hack/lab/daemon.ts";
import { type Layout, netnsOf } from "#hack/lab/layout.ts";
import { FRR_DIRECTORY } from "#test/interop/frr.ts";
import { until } from "#test/until.ts";

export const NODES_ASN = 64_512;
export const ROUTER_ASN = 65_001;
const START = { deadlineMs: 60_000, everyMs: 250 } as const;
/** What the router chooses a next hop by: of each packet protocol, addresses and ports, or its two addresses alone. */
export type Spread = "ports" | "addresses";
/** Policy 3: by these fields (test/bgp/ecmp-router.ts says why not policy 1). Policy 0: by addresses. */
const HASH: Readonly<Record<Spread, (family: string) => string>> = {
  ports: (family) => `net.${family}.fib_multipath_hash_policy=3 net.${family}.fib_multipath_hash_fields=0x37`,
  addresses: (family) => `net.${family}.fib_multipath_hash_policy=0`,
};

const configuration = ({ router, instance }: Layout): string => `router bgp ${ROUTER_ASN}
 bgp router-id ${router.v4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp graceful-restart
 neighbor nodes peer-group
 neighbor nodes remote-as ${NODES_ASN}
 bgp listen range 172.30.${instance}.0/24 peer-group nodes
 address-family ipv4 unicast
  neighbor nodes activate
  maximum-paths 8
 exit-address-family
 address-family ipv6 unicast
  neighbor nodes activate
  maximum-paths 8
 exit-address-family
`;

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
    await this.#daemon("bgpd", ["-p", "179"]);
    await until("bgpd's answer", () => this.shell("show bgp summary json").then(() => true), START);
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
  async established(): Promise<number> {
    const all = JSON.parse(await this.shell("show bgp neighbors json")) as Record<
      string,
      { bgpState?: string }
    >;
    return Object.values(all).filter(({ bgpState }) => bgpState === "Established").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) await stopDaemon(daemon);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
