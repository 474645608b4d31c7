/**
 * The topology's router with FRR: bgpd, bfdd and zebra, which puts equal paths into the kernel as one route with
 * several next hops. Flows are spread over them by addresses and ports.
 */
import assert from "node:assert/strict";
import type { Running } from "#hack/guest/channel.ts";
import { FRR_DIRECTORY } from "#test/interop/frr.ts";
import { type Machine, script } from "#test/network/machine.ts";
import type { NodePlace, Topology } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

export const NODES_ASN = 64_512;
export const ROUTER_ASN = 65_001;
export const BFD_INTERVAL_MS = 300;
export const BFD_MULTIPLIER = 3;
/**
 * By protocol, addresses and ports, looked up in each packet. Policy 1 would take the number that the client's own
 * kernel gave its socket, which travels with the packet where both are one machine's, and changes when a packet has to
 * be sent again: no router can see it.
 */
const HASH = ["ipv4", "ipv6"].map(
  (family) => `net.${family}.fib_multipath_hash_policy=3 net.${family}.fib_multipath_hash_fields=0x37`,
);
const START = { deadlineMs: 60_000, everyMs: 250 };

/** One path of `show bgp <afi> unicast <prefix> json`. */
interface Path {
  readonly stale?: boolean;
  readonly peer?: { readonly peerId?: string };
}

function configuration({ nodes, router }: Topology): string {
  const each = (line: (address: string) => string): string[] => nodes.map(({ IPv4 }) => line(IPv4));
  const family = (name: string): string[] => [
    ` address-family ${name} unicast`,
    ...each((address) => `  neighbor ${address} activate`),
    "  maximum-paths 8",
    " exit-address-family",
  ];
  return [
    "debug bgp updates in",
    `router bgp ${ROUTER_ASN}`,
    ` bgp router-id ${router.IPv4}`,
    " bgp log-neighbor-changes",
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    " bgp graceful-restart",
    " bgp graceful-restart preserve-fw-state",
    ...each((address) => ` neighbor ${address} remote-as ${NODES_ASN}`),
    ...each((address) => ` neighbor ${address} timers connect 1`),
    ...each((address) => ` neighbor ${address} bfd ${BFD_MULTIPLIER} ${BFD_INTERVAL_MS} ${BFD_INTERVAL_MS}`),
    ...family("ipv4"),
    ...family("ipv6"),
  ].join("\n");
}

async function linkLocalOf(machine: Machine, { nodes }: Topology): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { name, netns } of nodes) {
    const text = await script(machine, "ip -6 -o addr show dev eth0 scope link", { netns });
    const address = /inet6 (fe80:[^/]+)/.exec(text)?.[1];
    assert.ok(address !== undefined, `${name} has no link-local address: ${text}`);
    found.set(name, address);
  }
  return found;
}

export class EcmpRouter implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #topology: Topology;
  readonly #directory: string;
  readonly #daemons: Running[] = [];
  /** Node -> its link-local address, which routes of IPv6 go through when a speaker tells it beside the other (RFC 2545). */
  #linkLocal: ReadonlyMap<string, string> = new Map();
  /** Everything that the daemons said, bgpd's words on each UPDATE among it. */
  log = "";

  private constructor(machine: Machine, topology: Topology, directory: string) {
    this.#machine = machine;
    this.#topology = topology;
    this.#directory = directory;
  }

  /** Resolves when bgpd answers. */
  static async start(machine: Machine, topology: Topology): Promise<EcmpRouter> {
    const directory = (await script(machine, "mktemp -d /tmp/genkan-ecmp-XXXXXX")).trim();
    const router = new EcmpRouter(machine, topology, directory);
    router.#linkLocal = await linkLocalOf(machine, topology);
    await router.on(
      `sysctl -qw ${HASH.join(" ")}
cd ${directory}
touch zebra.conf bfdd.conf vtysh.conf
cat >bgpd.conf <<'END'
${configuration(topology)}
END
chown -R frr:frr . && chmod 755 .`,
    );
    // Without it a change of an IPv6 route's next hops is a removal first: requests meet no route at all.
    router.#run("zebra", ["--v6-rr-semantics"]);
    await router.#socket("zserv.api");
    router.#run("bfdd", ["--bfdctl", `${directory}/bfdd.sock`], ["chrt", "-f", "20"]);
    await router.#socket("bfdd.vty");
    router.#run("bgpd", ["-p", "179"]);
    await until("bgpd's answer", () => router.shell("show bgp summary json"), START).catch((error) => {
      process.stderr.write(`${router.log}\n`);
      throw error;
    });
    return router;
  }

  #run(program: string, more: readonly string[] = [], before: readonly string[] = []): void {
    const directory = this.#directory;
    const own = [
      ..."-P 0 --log stdout --log-level debugging".split(" "),
      ...["-f", `${directory}/${program}.conf`, "-i", `${directory}/${program}.pid`],
      ...["-z", `${directory}/zserv.api`, "--vty_socket", directory],
    ];
    const daemon = this.#machine.spawn([...before, `${FRR_DIRECTORY}/${program}`, ...own, ...more], {
      netns: this.#topology.router.netns,
      discard: true,
      onOutput: (chunk) => {
        this.log += chunk.toString();
      },
    });
    this.#daemons.push(daemon);
  }

  async #socket(name: string): Promise<void> {
    const isThere = async (): Promise<boolean> => {
      const { code } = await this.#machine.exec(["test", "-S", `${this.#directory}/${name}`]);
      return code === 0;
    };
    await until(name, isThere, START).catch((error) => {
      process.stderr.write(`${this.log}\n`);
      throw error;
    });
  }

  /** Output of a shell script in the router's namespace. */
  on(text: string): Promise<string> {
    return script(this.#machine, text, { netns: this.#topology.router.netns });
  }

  /** Commands of bgpd's shell. */
  async shell(...commands: readonly string[]): Promise<string> {
    const given = commands.map((command) => `-c '${command}'`).join(" ");
    const at = `--vty_socket ${this.#directory} --config_dir ${this.#directory}`;
    return this.on(`vtysh ${at} -d bgpd ${given}`);
  }

  /** Lines below `router bgp`. */
  async configure(...lines: readonly string[]): Promise<void> {
    await this.shell("configure", `router bgp ${ROUTER_ASN}`, ...lines);
  }

  /** What bgpd has of the address from the node; undefined if nothing. */
  async path(vip: string, node: NodePlace): Promise<Path | undefined> {
    const [family, length] = vip.includes(":") ? ["ipv6", 128] : ["ipv4", 32];
    const text = await this.shell(`show bgp ${family} unicast ${vip}/${length} json`);
    const { paths = [] } = JSON.parse(text) as { paths?: Path[] };
    return paths.find(({ peer }) => peer?.peerId === node.IPv4);
  }

  /** What a route through the node may have behind `via`. */
  nextHopsOf({ name, IPv4, IPv6 }: NodePlace): string[] {
    return [IPv4, IPv6, this.#linkLocal.get(name) ?? IPv6];
  }

  /** Names of the nodes that the kernel's routes to all of the addresses go through. */
  async nextHops(vips: readonly string[]): Promise<string[]> {
    const text = await this.on(
      vips.map((vip) => `ip ${vip.includes(":") ? "-6" : "-4"} route show ${vip}`).join("; echo END; "),
    );
    const found = text.split("END").map((part) => {
      const hops = [...part.matchAll(/via (\S+)/g)].map(([, hop]) => hop);
      return this.#topology.nodes
        .filter((node) => this.nextHopsOf(node).some((address) => hops.includes(address)))
        .map(({ name }) => name);
    });
    const [first = [], ...others] = found;
    if (others.some((one) => one.join() !== first.join()))
      throw new Error(`families differ: ${found.join(" | ")}`);
    return first;
  }

  /** Weights of the kernel's route to the address, by node; of a route with one next hop alone, none. */
  async weights(vip: string): Promise<Record<string, number>> {
    const text = await this.on(`ip ${vip.includes(":") ? "-6" : "-4"} route show ${vip}`);
    const hops = [...text.matchAll(/nexthop via (?:inet6 )?(\S+) .*?weight (\d+)/g)];
    return Object.fromEntries(
      this.#topology.nodes.flatMap((node) => {
        const found = hops.find(([, address = ""]) => this.nextHopsOf(node).includes(address));
        return found === undefined ? [] : [[node.name, Number(found[2])]];
      }),
    );
  }

  /** Routes, neighbours and sessions as they are: what somebody needs who asks why packets go elsewhere. */
  async picture(vips: readonly string[]): Promise<string> {
    const routes = vips.map((vip) => `ip ${vip.includes(":") ? "-6" : "-4"} route show ${vip}`).join("; ");
    const kernel = await this.on(`${routes}; ip neigh`);
    return `${kernel}\n${await this.shell("show bgp summary")}\n${this.log.slice(-2_000)}`;
  }

  /** Finds the node's link again, as it is asked of a neighbour that was given up: Linux sends nothing to one of those. */
  async greet(node: NodePlace): Promise<void> {
    const addresses = this.nextHopsOf(node);
    const isFound = async () =>
      this.on(addresses.map((address) => `ping -q -c 1 -W 1 -I eth0 ${address}`).join("; "));
    await until(`${addresses.join(", ")} to answer`, isFound, START);
  }

  /** Records what the kernel tells of changes to its routes, until the function that it returns is called. */
  async watchRoutes(): Promise<() => string[]> {
    let told = "";
    const monitor = this.#machine.spawn(["ip", "-o", "monitor", "route"], {
      netns: this.#topology.router.netns,
      discard: true,
      onOutput: (chunk) => {
        told += chunk.toString();
      },
    });
    const witness = "192.0.2.255";
    const isWatching = async (): Promise<boolean> => {
      await this.on(`ip route add blackhole ${witness}; ip route del blackhole ${witness}`);
      return told.includes(witness);
    };
    await until("the monitor of routes", isWatching, START);
    return () => {
      monitor.kill("SIGKILL");
      return told.split("\n").filter((line) => line !== "" && !line.includes(witness));
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.splice(0).reverse()) {
      daemon.kill("SIGTERM");
      await daemon.done;
    }
    await script(this.#machine, `rm -rf ${this.#directory}`);
  }
}
