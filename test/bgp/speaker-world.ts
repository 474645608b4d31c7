/**
 * Three nodes with a real speaker process each, in mode KubeProxy (so that no ip_vs is needed), and a router with FRR
 * beside them on one layer 2; a real API server says what the speakers have to do.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PORT } from "#api/names.ts";
import {
  addressPools,
  type BFDProfile,
  type BGPPeer,
  bfdProfiles,
  bgpPeers,
  events,
  type SpeakerStatus,
  speakerStatuses,
} from "#common/kube/resource.ts";
import { Frr, startBfdd } from "#test/interop/frr.ts";
import { type Daemon, output } from "#test/interop/process.ts";
import type { Route } from "#test/interop/route.ts";
import { workDirectory } from "#test/interop/router.ts";
import { Cluster, type Pod, SYSTEM } from "#test/layer2/speaker-cluster.ts";
import { SpeakerProcess } from "#test/layer2/speaker-process.ts";
import { BRIDGE_ADDRESS, Bridge, type Host, vip4, vip6 } from "#test/network/bridge.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

export const NAMES = ["n1", "n2", "n3"] as const;
export type Name = (typeof NAMES)[number];
export const NODES_ASN = 64_512;
export const ROUTER_ASN = 65_001;
export const LONG = { deadlineMs: 20_000, everyMs: 50 };
/** Of the router: for most peers, and for the one with a password. */
export const ROUTER = { IPv4: vip4(90), IPv6: vip6("5a"), secured: vip4(91) };
/** n3's end of the session with a password. */
export const SECURED_SOURCE = vip4(33);

export const podsOn = (...names: readonly Name[]): Pod[] =>
  names.map((node, at) => ({ node, IPv4: `10.244.0.${at + 1}`, IPv6: `fd44::${at + 1}` }));

export interface Neighbor {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  /** Since it came up. */
  readonly bgpTimerUpMsec?: number;
  readonly lastShutdownDescription?: string;
  readonly messageStats: { readonly updatesRecv: number };
}

type Session = NonNullable<NonNullable<SpeakerStatus["status"]>["bgpSessions"]>[number];

export class World implements AsyncDisposable {
  readonly bridge: Bridge;
  readonly cluster: Cluster;
  readonly speakers = new Map<string, SpeakerProcess>();
  readonly #directory = workDirectory("bgp");
  #frr: Frr | undefined;
  #bfdd: Daemon | undefined;

  private constructor(bridge: Bridge, cluster: Cluster) {
    this.bridge = bridge;
    this.cluster = cluster;
  }

  /** Nodes and router, without speakers; the pool is named "pool". */
  static async start(pool: { addresses: string[]; bgpAdvertisements: object[] }): Promise<World> {
    const bridge = new Bridge();
    const cluster = await Cluster.start({
      address: BRIDGE_ADDRESS,
      mode: "KubeProxy",
      pool: [`${vip4(200)}/32`],
    });
    const world = new World(bridge, cluster);
    try {
      await world.#prepare(pool);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #prepare(pool: { addresses: string[]; bgpAdvertisements: object[] }): Promise<void> {
    const { kube } = this.cluster;
    await kube.remove(addressPools, "pool", { namespace: SYSTEM });
    const metadata = { name: "pool", namespace: SYSTEM };
    await kube.create(addressPools, { metadata, spec: { protocol: "bgp", ...pool } });
    for (const [at, name] of NAMES.entries()) {
      const host = this.bridge.add(name, at + 1);
      await this.cluster.addNode({ name, ...host.addresses });
    }
    ip(`-n ${this.host("n3").namespace} addr add ${SECURED_SOURCE}/24 dev eth0`);
    await this.#startRouter();
  }

  async #startRouter(): Promise<void> {
    const { namespace } = this.bridge.add("rt", 90);
    ip(`-n ${namespace} addr add ${ROUTER.secured}/24 dev eth0`);
    const edges = NAMES.map((name) => this.host(name).addresses.IPv4);
    const inners = NAMES.map((name) => this.host(name).addresses.IPv6);
    const all = [...edges, ...inners, SECURED_SOURCE];
    const globalLines = [
      "bgp graceful-restart",
      "bgp graceful-restart preserve-fw-state",
      ...[...edges, SECURED_SOURCE].map((address) => `neighbor ${address} remote-as ${NODES_ASN}`),
      ...inners.map((address) => `neighbor ${address} remote-as ${ROUTER_ASN}`),
      `neighbor ${SECURED_SOURCE} update-source ${ROUTER.secured}`,
      `neighbor ${SECURED_SOURCE} password first`,
      ...all.map((address) => `neighbor ${address} timers connect 1`),
      "address-family ipv4 unicast",
      ...[...edges, SECURED_SOURCE].map((address) => ` neighbor ${address} activate`),
      "exit-address-family",
      "address-family ipv6 unicast",
      ...[...edges, ...inners].map((address) => ` neighbor ${address} activate`),
      "exit-address-family",
    ];
    const topLines = ["log stdout debugging", "debug bgp updates in"];
    const directory = this.#directory;
    this.#frr = await Frr.start({ namespace, sessions: [], directory, globalLines, topLines });
    this.#bfdd = startBfdd({ namespace, directory: this.#directory });
  }

  get frr(): Frr {
    assert.ok(this.#frr !== undefined);
    return this.#frr;
  }

  /** Path of bgpd's shell socket. */
  get shell(): string {
    return join(this.#directory, "bgpd.vty");
  }

  host(name: string): Host {
    const host = this.bridge.hosts.get(name);
    assert.ok(host !== undefined, name);
    return host;
  }

  start(name: Name): SpeakerProcess {
    const speaker = new SpeakerProcess(this.host(name), this.cluster.plane.kubeconfig);
    this.speakers.set(name, speaker);
    return speaker;
  }

  speaker(name: Name): SpeakerProcess {
    const speaker = this.speakers.get(name);
    assert.ok(speaker !== undefined, name);
    return speaker;
  }

  async addPeer(name: string, spec: Partial<BGPPeer["spec"]>): Promise<void> {
    const body = { metadata: { name, namespace: SYSTEM }, spec: { myASN: NODES_ASN, ...spec } };
    await this.cluster.kube.create(bgpPeers, body as BGPPeer);
  }

  async addProfile(name: string, spec: BFDProfile["spec"]): Promise<void> {
    await this.cluster.kube.create(bfdProfiles, { metadata: { name, namespace: SYSTEM }, spec });
  }

  async status(node: Name): Promise<SpeakerStatus["status"]> {
    return (await this.cluster.kube.get(speakerStatuses, node, SYSTEM))?.status;
  }

  /** The node's session as its SpeakerStatus has it. */
  async session(node: Name, peer: string): Promise<Session | undefined> {
    return (await this.status(node))?.bgpSessions?.find((session) => session.peer === peer);
  }

  /** Waits until the statuses of all `nodes` have the peer's session in `state`. */
  async inState(peer: string, state: string, nodes: readonly Name[] = NAMES): Promise<void> {
    for (const node of nodes) {
      await until(
        `${node}: ${peer} ${state}`,
        async () => {
          const session = await this.session(node, peer);
          if (session?.state !== state) throw new Error(JSON.stringify(session ?? "no such session"));
          return true;
        },
        LONG,
      );
    }
  }

  /** Event reasons of a BGPPeer, with the messages. */
  async eventsOf(peer: string): Promise<string[]> {
    const { items } = await this.cluster.kube.list(events, { namespace: SYSTEM });
    return items
      .filter(({ involvedObject: { kind, name } }) => kind === "BGPPeer" && name === peer)
      .map(({ reason, message }) => `${reason}: ${message}`);
  }

  /** A sample of the speaker's metrics: everything after the name and labels. */
  async metric(node: Name, start: string): Promise<number> {
    const url = `http://127.0.0.1:${PORT.speaker}/metrics`;
    const text = await output(this.host(node).namespace, "curl", "-sf", url);
    const line = text.split("\n").find((one) => one.startsWith(start));
    if (line === undefined) throw new Error(`${node}: no ${start}`);
    return Number(line.split(" ").at(-1));
  }

  /** Lines of FRR's `router bgp`, to all of its daemons: bfdd hears of them. */
  async configure(...lines: readonly string[]): Promise<void> {
    const commands = ["configure", `router bgp ${ROUTER_ASN}`, ...lines].flatMap((line) => ["-c", line]);
    await this.#vtysh(...commands);
  }

  /** An answer of bfdd. */
  async bfd<T>(command: string): Promise<T> {
    return JSON.parse(await this.#vtysh("-d", "bfdd", "-c", command)) as T;
  }

  #vtysh(...args: readonly string[]): Promise<string> {
    return output(this.host("rt").namespace, "vtysh", "--vty_socket", this.#directory, ...args);
  }

  /** FRR's view of its neighbor at this address. */
  async neighbor(address: string): Promise<Neighbor> {
    const all = await this.frr.json<Record<string, Neighbor>>(`show bgp neighbors ${address} json`);
    const found = all[address];
    assert.ok(found !== undefined, address);
    return found;
  }

  /** What FRR has of the prefix: the neighbor's address -> its route. */
  async paths(prefix: string): Promise<Map<string, Route>> {
    const found = new Map<string, Route>();
    const routes = await this.frr.routes(prefix.includes(":") ? "IPv6" : "IPv4");
    for (const [peer, all] of routes) {
      const route = all.find((one) => one.prefix === prefix);
      if (route !== undefined) found.set(peer, route);
    }
    return found;
  }

  /** Waits until FRR has the prefix from exactly these nodes over IPv4 sessions. */
  async routedVia(prefix: string, nodes: readonly Name[], limits = LONG): Promise<void> {
    const wanted = nodes.map((name) => this.host(name).addresses.IPv4).sort();
    await until(
      `FRR to have ${prefix} from ${nodes.join(", ") || "nobody"}`,
      async () => {
        const present = [...(await this.paths(prefix)).keys()].filter((peer) => peer.includes("."));
        if (present.sort().join() !== wanted.join()) throw new Error(present.join() || "from nobody");
        return true;
      },
      limits,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const speaker of this.speakers.values()) await speaker.end("SIGKILL");
    await this.#bfdd?.stop();
    await this.#frr?.stop();
    await this.cluster[Symbol.asyncDispose]();
    this.bridge[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
