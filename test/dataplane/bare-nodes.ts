/**
 * Three nodes with pods under a kernel that has ip_vs (a guest, if this one has not), with nothing but their forwarding:
 * no API server, no speakers. A test says what each node forwards, and by which nodes the router sends. What is told to
 * nodes one after the other, or to one and not to another, is a moment of a real cluster that stands still here.
 */
import assert from "node:assert/strict";
import { FAMILIES, type Family } from "#api/address.ts";
import type { Running } from "#hack/guest/channel.ts";
import type { GuestOptions } from "#hack/guest/guest.ts";
import type { Tunnel } from "#speaker/forwarding/encapsulation.ts";
import {
  DEFAULT_SETTINGS,
  type ForwardedEndpoint,
  type ForwardedPort,
  type ForwardingInput,
} from "#speaker/forwarding/types.ts";
import { Flows, Lines, startEchoServers } from "#test/dataplane/flows.ts";
import { type Machine, openMachine, script } from "#test/network/machine.ts";
import {
  type AddressPair,
  buildTopology,
  type NodePlace,
  type PodPlace,
  type Topology,
} from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

/** What a node answers to an input. */
export interface Done {
  readonly refused?: readonly string[];
  readonly offered?: readonly string[];
  readonly tunnelTrouble?: string;
  readonly syncTrouble?: string;
  readonly isGathering?: true;
  readonly error?: string;
}

/** What a node is told beside what is always the same. */
export interface Told {
  readonly tunnel?: Tunnel;
  /** What it sends by, if that is not what is asked for: others do not take it yet. */
  readonly sends?: Tunnel;
  readonly pods?: readonly PodPlace[];
  readonly isServing?: (pod: PodPlace) => boolean;
  readonly scheduler?: string;
  readonly returnPath?: "direct" | "snat";
  readonly protocol?: "TCP" | "UDP";
  readonly isShared?: boolean;
  /** New connections go to the node's own pods, while it has some. */
  readonly prefersLocal?: boolean;
  /** Forwarding id of the port in IPv4; that in IPv6 is the next one. Absent: 1. */
  readonly id?: number;
  /** Where tunnels come from beside the nodes' own addresses. */
  readonly sources?: readonly string[];
}

const LONG = { deadlineMs: 120_000, everyMs: 100 };
/** The client's source ports of one test: more than it has flows. */
const FIRST_PORT = 20_000;
const PORTS_EACH = 100;
/** A network of its own in the guest, or beside those of other tests. */
const INSTANCE = 61;
const PORT = 8080;

export class BareNodes implements AsyncDisposable {
  readonly machine: Machine;
  readonly topology: Topology;
  readonly #running = new Map<string, { readonly process: Running; readonly lines: Lines }>();
  readonly #links = new Map<string, { readonly hardware: string; readonly index: number }>();
  #built = new AsyncDisposableStack();
  #nextPort = FIRST_PORT;

  private constructor(machine: Machine, topology: Topology) {
    this.machine = machine;
    this.topology = topology;
  }

  /** `options`: of a guest, where one is needed. */
  static async start(options: GuestOptions = {}): Promise<BareNodes> {
    return BareNodes.on(await openMachine(options));
  }

  /** The machine ends with them. `hasServers`: pods answer. */
  static async on(machine: Machine, { hasServers = true } = {}): Promise<BareNodes> {
    await using built = new AsyncDisposableStack();
    built.defer(() => machine.stop());
    const topology = await buildTopology(machine, INSTANCE);
    if (!machine.isGuest) built.defer(() => topology.remove());
    const nodes = new BareNodes(machine, topology);
    if (hasServers) await startEchoServers(machine, topology, PORT);
    const { router } = topology;
    await script(
      machine,
      "sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1",
      {
        netns: router.netns,
      },
    );
    for (const name of nodes.names()) {
      await nodes.#look(name);
      nodes.begin(name);
    }
    nodes.#built = built.move();
    return nodes;
  }

  names(): string[] {
    return this.topology.nodes.map(({ name }) => name);
  }

  /** Output of a shell script on a node. */
  on(name: string, text: string): Promise<string> {
    return script(this.machine, text, { netns: this.#node(name).netns });
  }

  /** The process, with nothing to forward. `operations`: it ends before it would do one more than so many with IPVS. */
  begin(name: string, operations?: number): void {
    const lines = new Lines();
    const limit = operations === undefined ? [] : [`${operations}`];
    const process = this.machine.spawn(["node", "test/dataplane/bare-node.ts", ...limit], {
      netns: this.#node(name).netns,
      discard: true,
      onOutput: (chunk, stream) => {
        if (stream === "stdout") lines.add(chunk);
        else console.error(chunk.toString());
      },
    });
    this.#running.set(name, { process, lines });
  }

  /** Resolves when the process runs. It forwards nothing, and leaves in the kernel what is there. */
  async beginIdle(name: string): Promise<void> {
    this.begin(name);
    await this.#say(name, "idle");
  }

  /** Its forwarding stays in the kernel. */
  async end(name: string): Promise<void> {
    const { process } = this.#process(name);
    process.kill("SIGKILL");
    await process.done;
  }

  /** What the node forwards from now on, of both families. */
  async tell(name: string, told: Told = {}): Promise<Done> {
    return this.#say(name, JSON.stringify(this.input(name, told)));
  }

  /** Begins its process, which ends in the middle of what it is told: after so many operations with IPVS. */
  async interrupt(name: string, told: Told, operations: number): Promise<void> {
    this.begin(name, operations);
    const { process } = this.#process(name);
    process.write(`${JSON.stringify(this.input(name, told))}\n`);
    await process.done;
  }

  async tellAll(told: Told = {}): Promise<Done[]> {
    return Promise.all(this.names().map((name) => this.tell(name, told)));
  }

  /** Takes away what it has. */
  async remove(name: string): Promise<Done> {
    return this.#say(name, "remove");
  }

  async #say(name: string, line: string): Promise<Done> {
    const { process, lines } = this.#process(name);
    process.write(`${line}\n`);
    const answer = await until(`${name} to have done it`, () => lines.take(), LONG);
    const done = JSON.parse(answer) as Done;
    assert.equal(done.error, undefined);
    assert.deepEqual(done.refused ?? [], [], name);
    return done;
  }

  /** The Service's address. */
  get vip(): AddressPair {
    return this.topology.vip(0);
  }

  input(name: string, told: Told): ForwardingInput {
    const { nodes } = this.topology;
    const { tunnel = "ipip", isShared = false, id = 1, sources = [] } = told;
    const { IPv4, IPv6, netns: _ } = this.#node(name);
    const stations = [...this.#links].filter(([other]) => other !== name).map(([, { hardware }]) => hardware);
    const link = this.#links.get(name);
    const peers = nodes.filter((other) => other.name !== name);
    return {
      nodeAddresses: { IPv4, IPv6 },
      ports: FAMILIES.map((family, at) => this.#port(name, family, { id: id + at, told })),
      vips: Object.values(this.vip),
      members: [...nodes.flatMap((node) => [node.IPv4, node.IPv6]), ...sources],
      ...(tunnel !== "ipip" && { tunnel }),
      ...(tunnel === "none" && { stations }),
      ...(isShared &&
        link !== undefined && {
          settings: { ...DEFAULT_SETTINGS, sharesConnections: true },
          sync: {
            link: { name: "eth0", index: link.index },
            address: IPv4,
            peers: peers.map((peer) => ({ node: peer.name, address: peer.IPv4 })),
          },
        }),
    };
  }

  #port(name: string, family: Family, { id, told }: { id: number; told: Told }): ForwardedPort {
    const { pods = this.topology.pods, scheduler = "mh", protocol = "TCP", prefersLocal = false } = told;
    return {
      ...{ id, family, vip: this.vip[family], protocol, port: 80, scheduler },
      ...{ affinity: false, preferLocal: prefersLocal },
      endpoints: pods.map((pod) => endpointOf(pod, { name, family, told })),
    };
  }

  /** The router sends what is for the address by these nodes: more than one by equal-cost paths. */
  async reachBy(...names: readonly string[]): Promise<void> {
    const lines = FAMILIES.map((family) => {
      const hops = names.map((name) => `nexthop via ${this.#node(name)[family]}`).join(" ");
      const version = family === "IPv4" ? "-4" : "-6";
      const length = family === "IPv4" ? 32 : 128;
      return `ip ${version} route del ${this.vip[family]}/${length} 2>/dev/null || true; ip ${version} route add ${this.vip[family]}/${length} ${hops}`;
    });
    await script(this.machine, lines.join("\n"), { netns: this.topology.router.netns });
  }

  /** The first of some source ports that no flow had before: no kernel remembers them. */
  takePorts(): number {
    this.#nextPort += PORTS_EACH;
    return this.#nextPort;
  }

  /**
   * Resolves when each flow of both families has had echoes: as many, or 2. `firstPort`: of `takePorts`, which is asked where it
   * is absent.
   */
  async flows(options: {
    readonly count: number;
    readonly firstPort?: number;
    readonly chunkBytes?: number;
    readonly protocol?: "TCP" | "UDP";
    readonly echoes?: number;
  }): Promise<Flows> {
    const { count, firstPort = this.takePorts(), echoes = 2, ...more } = options;
    const targets = FAMILIES.map((family, at) => ({
      address: this.vip[family],
      flows: count,
      firstPort: firstPort + at * count,
    }));
    const flows = new Flows(this.machine, this.topology, { targets, port: 80, intervalMs: 200, ...more });
    await flows.progress(echoes, 60_000);
    return flows;
  }

  #node(name: string): NodePlace {
    const found = this.topology.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  #process(name: string): { readonly process: Running; readonly lines: Lines } {
    const found = this.#running.get(name);
    if (found === undefined) throw new Error(`${name} was not begun`);
    return found;
  }

  async #look(name: string): Promise<void> {
    const [link] = JSON.parse(await this.on(name, "ip -j link show eth0")) as {
      address: string;
      ifindex: number;
    }[];
    if (link === undefined) throw new Error(`${name} has no link`);
    this.#links.set(name, { hardware: link.address.replaceAll(":", ""), index: link.ifindex });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#running.values()) process.kill("SIGKILL");
    await this.#built.disposeAsync();
  }
}

function endpointOf(
  pod: PodPlace,
  { name, family, told }: { name: string; family: Family; told: Told },
): ForwardedEndpoint {
  const { tunnel = "ipip", sends = tunnel, isServing = () => true, returnPath = "direct" } = told;
  const isLocal = pod.node === name;
  return {
    ...{ address: pod[family], port: PORT, isLocal, node: pod.node, isServing: isServing(pod) },
    returnPath: isLocal ? "direct" : returnPath,
    ...(!isLocal && returnPath === "direct" && sends !== "ipip" && { tunnel: sends }),
  };
}
