/**
 * Three nodes with pods and speakers in mode IPVS, behind a router that has all of them as next hops: what BGP with
 * ECMP looks like to a client.
 */
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { addressPools, bfdProfiles, bgpPeers, leases } from "#common/kube/resource.ts";
import type { FlowState } from "#test/dataplane/flows.ts";
import { Flows } from "#test/dataplane/flows.ts";
import { IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { SYSTEM } from "#test/layer2/speaker-cluster.ts";
import { type Machine, script } from "#test/network/machine.ts";
import type { AddressPair, NodePlace, Topology } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";
import { BFD_INTERVAL_MS, BFD_MULTIPLIER, EcmpRouter, NODES_ASN, ROUTER_ASN } from "./ecmp-router.ts";
import { Requests } from "./requests.ts";

const POOL = "routed";
const PREFIXES: AddressPair = { IPv4: "198.51.100.0/24", IPv6: "2001:db8:51::/64" };
export const WEB: AddressPair = { IPv4: "198.51.100.1", IPv6: "2001:db8:51::1" };
export const LOCAL: AddressPair = { IPv4: "198.51.100.2", IPv6: "2001:db8:51::2" };
/** Nodes with this label have the peer. */
export const EDGE = "edge";

/** Each node's own record of the flows that come in by its link, and not out of a tunnel. */
const RECORD = `nft -f - <<'END'
table inet entered {
  set ports { type inet_service; size 65535; flags dynamic; }
  chain prerouting {
    type filter hook prerouting priority -400;
    iifname "eth0" ip daddr ${PREFIXES.IPv4} tcp dport 80 add @ports { tcp sport }
    iifname "eth0" ip6 daddr ${PREFIXES.IPv6} tcp dport 80 add @ports { tcp sport }
  }
}
END`;

export class EcmpWorld implements AsyncDisposable {
  readonly nodes: IpvsNodes;
  readonly router: EcmpRouter;
  #nextPort = 20_000;

  private constructor(nodes: IpvsNodes, router: EcmpRouter) {
    this.nodes = nodes;
    this.router = router;
  }

  /** Resolves when the router has WEB through all nodes. */
  static async start(): Promise<EcmpWorld> {
    const nodes = await IpvsNodes.start();
    try {
      const world = new EcmpWorld(nodes, await EcmpRouter.start(nodes.machine, nodes.topology));
      await world.#prepare();
      return world;
    } catch (error) {
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { cluster, topology } = this.nodes;
    const metadata = (name: string) => ({ name, namespace: SYSTEM });
    await cluster.kube.create(addressPools, {
      metadata: metadata(POOL),
      spec: {
        ...{ protocol: "bgp", addresses: Object.values(PREFIXES) },
        bgpAdvertisements: [{ weighting: "LocalPods" }],
      },
    });
    await cluster.kube.create(bfdProfiles, {
      metadata: metadata("fast"),
      spec: {
        receiveInterval: BFD_INTERVAL_MS,
        transmitInterval: BFD_INTERVAL_MS,
        detectMultiplier: BFD_MULTIPLIER,
      },
    });
    await cluster.kube.create(bgpPeers, {
      metadata: metadata("router"),
      spec: {
        myASN: NODES_ASN,
        peerASN: ROUTER_ASN,
        peerAddress: topology.router.IPv4,
        dualStackAddressFamily: true,
        connectTime: "1s",
        enableGracefulRestart: true,
        bfdProfile: "fast",
        nodeSelectors: [{ matchLabels: { [EDGE]: "yes" } }],
      },
    });
    await cluster.addService({ name: "ecmp", vips: Object.values(WEB), pods: topology.pods, pool: POOL });
    for (const name of this.names()) {
      await cluster.setLabel(name, EDGE, "yes");
      await this.nodes.on(name, RECORD);
    }
    await this.routedVia(WEB, this.names());
  }

  get machine(): Machine {
    return this.nodes.machine;
  }

  get topology(): Topology {
    return this.nodes.topology;
  }

  names(): string[] {
    return this.nodes.names();
  }

  others(name: string): string[] {
    return this.names().filter((one) => one !== name);
  }

  place(name: string): NodePlace {
    const found = this.topology.nodes.find((node) => node.name === name);
    assert.ok(found !== undefined, name);
    return found;
  }

  async addLocalService(pods: readonly string[]): Promise<void> {
    const chosen = this.topology.pods.filter(({ name }) => pods.includes(name));
    const vips = Object.values(LOCAL);
    await this.nodes.cluster.addService({ name: "local", vips, pods: chosen, policy: "Local", pool: POOL });
  }

  /** Waits until the router's kernel has both addresses through exactly these nodes. */
  async routedVia(vips: AddressPair, names: readonly string[], limits = LONG): Promise<void> {
    await until(
      `${vips.IPv4} and ${vips.IPv6} through ${names.join(", ") || "nobody"}`,
      async () => {
        const hops = await this.router.nextHops(Object.values(vips));
        if (hops.join() !== names.join()) throw new Error(hops.join() || "through nobody");
        return true;
      },
      limits,
    ).catch((error: unknown) => {
      process.stderr.write(`${this.router.log.slice(-8_000)}\n`);
      throw error;
    });
  }

  /** That many flows to each family's address, from ports that no earlier flow had; resolves when all have begun. */
  async startFlows(vips: AddressPair, count: number): Promise<Flows> {
    const targets = [vips.IPv4, vips.IPv6].map((address) => {
      const firstPort = this.#nextPort;
      this.#nextPort += count;
      return { address, flows: count, firstPort };
    });
    const flows = new Flows(this.machine, this.topology, { targets, port: 80, intervalMs: 500 });
    await flows.progress(2, 60_000);
    return flows;
  }

  /** New connections to both addresses of WEB, four a second each. */
  startRequests(): Requests {
    const plan = { addresses: Object.values(WEB), port: 80, intervalMs: 250, timeoutMs: 10_000 };
    return new Requests(this.machine, this.topology.client.netns, plan);
  }

  /** Node -> source ports of the flows whose packets come in there; of those that are seen from now on. */
  async entries(flows: Flows, isAwaited?: (flow: FlowState) => boolean): Promise<Map<string, Set<number>>> {
    const each = async (text: string): Promise<string[]> =>
      Promise.all(this.names().map((name) => this.nodes.on(name, text)));
    await each("nft flush set inet entered ports");
    await flows.progress(2, 60_000, isAwaited);
    const texts = await each("nft list set inet entered ports");
    return new Map(
      this.names().map((name, at) => {
        const elements = texts[at]?.split("elements =")[1] ?? "";
        return [name, new Set((elements.match(/\d+/g) ?? []).map(Number))];
      }),
    );
  }

  /**
   * Looks at the speakers' Leases until the function that it returns is called: that says for how long each stood
   * still at most while it was held, milliseconds.
   */
  watchLeases(): () => ReadonlyMap<string, number> {
    const longest = new Map<string, number>();
    const last = new Map<string, { stamp: string; at: number }>();
    let isWatching = true;
    const look = async (): Promise<void> => {
      const { items } = await this.nodes.cluster.kube.list(leases, { namespace: SYSTEM });
      for (const { metadata, spec } of items) {
        const stamp = spec?.holderIdentity ? (spec.renewTime ?? "") : "";
        const known = last.get(metadata.name);
        const now = performance.now();
        if (known?.stamp !== stamp) last.set(metadata.name, { stamp, at: now });
        if (known === undefined || known.stamp === "") continue;
        longest.set(metadata.name, Math.max(longest.get(metadata.name) ?? 0, now - known.at));
      }
    };
    const watch = async (): Promise<void> => {
      for (; isWatching; await setTimeout(LEASE_LOOK_MS)) await look();
    };
    watch().catch((error: unknown) => process.stderr.write(`Leases: ${error}\n`));
    return () => {
      isWatching = false;
      return longest;
    };
  }

  isOn(name: string, flow: FlowState): boolean {
    const own = this.topology.pods.filter(({ node }) => node === name).map((pod) => pod.name);
    return flow.pods.some((pod) => own.includes(pod));
  }

  /**
   * Takes a node's link down. Resolves when the router's kernel has no route to WEB through it any more; milliseconds
   * by the machine's own clock.
   */
  async cut(name: string): Promise<number> {
    const patterns = this.router.nextHopsOf(this.place(name)).map((address) => `-e 'via ${address} '`);
    const router = this.topology.router.netns;
    const said = await script(
      this.machine,
      `began=$(date +%s%N)
ip -n ${this.topology.lan} link set ${name} down
for i in $(seq 1200); do
  { ip -n ${router} route show ${WEB.IPv4}; ip -n ${router} -6 route show ${WEB.IPv6}; } >${ROUTES}
  grep -q ${patterns.join(" ")} ${ROUTES} || break
  sleep 0.02
done
echo $(( ($(date +%s%N) - began) / 1000000 ))
rm ${ROUTES}`,
    );
    return Number(said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router[Symbol.asyncDispose]();
    await this.nodes[Symbol.asyncDispose]();
  }
}

const LEASE_LOOK_MS = 250;
const ROUTES = "/tmp/genkan-ecmp-routes";

/** `n1 20, n2 18, n3 22`: how many of the flows come in where. */
export function spread(entries: ReadonlyMap<string, ReadonlySet<number>>, of: readonly FlowState[]): string {
  const ports = new Set(of.map(({ sourcePort }) => sourcePort));
  return [...entries].map(([name, own]) => `${name} ${own.intersection(ports).size}`).join(", ");
}
