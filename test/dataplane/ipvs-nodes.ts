/**
 * Three nodes with pods under a kernel that has ip_vs (a guest, if this one has not), real speakers in mode IPVS on
 * them, and a real API server on this machine. What tests of the whole way of a packet start from.
 */
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { LABEL_EXCLUDE_NODE, PORT } from "#api/names.ts";
import { speakerStatuses } from "#common/kube/resource.ts";
import type { Running } from "#hack/guest/channel.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { bundle } from "#hack/images/bundle.ts";
import type { DebugPlan } from "#speaker/debug-plan.ts";
import type { ForwardingCounts } from "#speaker/forwarding/types.ts";
import { elect } from "#speaker/plan/elect.ts";
import { startEchoServers } from "#test/dataplane/flows.ts";
import { Cluster, SYSTEM } from "#test/layer2/speaker-cluster.ts";
import { SPEAKER_UNDER } from "#test/layer2/speaker-process.ts";
import { claimLink, releaseLink } from "#test/network/claim.ts";
import { type Machine, openMachine, script } from "#test/network/machine.ts";
import { ip } from "#test/network/namespace.ts";
import { type AddressPair, buildTopology, type Topology } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

/** A guest without hardware support is slow. */
export const LONG = { deadlineMs: 120_000, everyMs: 250 };

/** What nodes have of somebody else's, from before the first speaker: it has to outlive the last one as it is. */
const FOREIGN = `ipvsadm -A -t 10.1.1.1:80 -s wrr
ipvsadm -a -t 10.1.1.1:80 -r 10.1.1.2:80 -m -w 3
ipvsadm -A -f 9 -s rr
nft -f - <<'END'
table ip other {
  map verdicts { type inet_service : verdict; elements = { 22 : accept, 23 : drop }; }
  chain unhooked { tcp dport vmap @verdicts; }
}
END`;

export class IpvsNodes implements AsyncDisposable {
  readonly machine: Machine;
  readonly topology: Topology;
  readonly cluster: Cluster;
  #built = new AsyncDisposableStack();
  readonly #speakers = new Map<string, Running>();
  readonly #said: string[] = [];
  readonly #under: readonly string[];

  private constructor(parts: {
    readonly machine: Machine;
    readonly topology: Topology;
    readonly cluster: Cluster;
    readonly under: readonly string[];
  }) {
    this.machine = parts.machine;
    this.topology = parts.topology;
    this.cluster = parts.cluster;
    this.#under = parts.under;
  }

  /**
   * Services `web` and `other` have the first two addresses of each family, and all pods. Resolves when all is ready.
   * `under`: words of a command that starts each speaker.
   */
  static async start(under: readonly string[] = SPEAKER_UNDER): Promise<IpvsNodes> {
    const isHere = hasIpvs();
    const { name: uplink, number } = claimLink((name) =>
      isHere ? `link add ${name} type veth peer name ${name}b` : `tuntap add ${name} mode tap`,
    );
    // What fails while it is built is taken away as well: a guest that goes on would keep the test from ending.
    await using built = new AsyncDisposableStack();
    built.defer(() => releaseLink(uplink));
    const address = `172.30.${number}.254`;
    ip(`addr add ${address}/24 dev ${uplink}
      link set ${uplink} up`);
    const machine = await openMachine(isHere ? {} : { tap: uplink });
    built.defer(() => machine.stop());
    const topology = await buildTopology(machine, number, isHere ? `${uplink}b` : "eth0");
    if (!machine.isGuest) built.defer(() => topology.remove());
    const range = (family: "IPv4" | "IPv6"): string =>
      `${topology.vip(0)[family]}-${topology.vip(49)[family]}`;
    const cluster = await Cluster.start({ address, mode: "IPVS", pool: [range("IPv4"), range("IPv6")] });
    built.use(cluster);
    const nodes = new IpvsNodes({ machine, topology, cluster, under });
    await nodes.#prepare();
    nodes.#built = built.move();
    return nodes;
  }

  async #prepare(): Promise<void> {
    const { machine, topology, cluster } = this;
    for (const node of topology.nodes) {
      await cluster.addNode(node);
      await script(machine, FOREIGN, { netns: node.netns });
    }
    for (const [at, name] of ["web", "other"].entries()) {
      const vips = Object.values(topology.vip(at));
      await cluster.addService({ name, vips, pods: topology.pods });
    }
    await startEchoServers(machine, topology, 8080);
    // As in the image: from hundreds of source files a speaker takes half a minute to start in a guest.
    await bundle(["speaker", "speaker-worker", "speaker-bfd", "speaker-gossip"], {
      outputDirectory: cluster.directory,
      version: "test",
    });
    const addon = new URL("../../speaker/native/build/socket.node", import.meta.url);
    await copyFile(addon, `${cluster.directory}/socket.node`);
    for (const name of this.names()) this.startSpeaker(name);
    for (const name of this.names()) await this.ready(name);
    // The last one that was ready takes over what is its own a moment later.
    for (const at of [0, 1])
      for (const vip of Object.values(topology.vip(at))) await this.#owned(vip, this.elected(vip));
  }

  names(): string[] {
    return this.topology.nodes.map(({ name }) => name);
  }

  netnsOf(name: string): string {
    return this.topology.nodes.find((node) => node.name === name)?.netns ?? "";
  }

  startSpeaker(name: string): void {
    const root = this.machine.isGuest ? "/host" : "";
    const { plane, directory } = this.cluster;
    const speaker = this.machine.spawn([...this.#under, "node", `${root}${directory}/speaker.mjs`], {
      netns: this.netnsOf(name),
      discard: true,
      env: { KUBECONFIG: `${root}${plane.kubeconfig}`, NODE_NAME: name, POD_NAMESPACE: SYSTEM },
      onOutput: (chunk) => {
        this.#said.push(chunk.toString());
        if (process.env.SPEAKER_LOGS !== undefined) process.stderr.write(chunk);
      },
    });
    this.#speakers.set(name, speaker);
  }

  async ready(name: string): Promise<void> {
    await until(
      `the speaker of ${name} to be ready`,
      () => this.cluster.hasCondition(name, "Ready", "True"),
      LONG,
    ).catch((error: unknown) => {
      process.stderr.write(`${this.#said.join("")}\n`);
      throw error;
    });
  }

  async kill(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const speaker = this.#speakers.get(name);
    speaker?.kill(signal);
    await speaker?.done;
  }

  /** Whom the speakers elect for `vip` among `candidates`. */
  elected(vip: string, candidates: readonly string[] = this.names()): string {
    return elect({ vip, candidates }) ?? "";
  }

  /** Output of a shell script on a node. */
  on(name: string, text: string): Promise<string> {
    return script(this.machine, text, { netns: this.netnsOf(name) });
  }

  async hardwareOf(name: string): Promise<string> {
    return /link\/ether (\S+)/.exec(await this.on(name, "ip -o link show eth0"))?.[1] ?? "unknown";
  }

  /** Waits until the node's speaker says that it owns the address. */
  async #owned(vip: string, node: string): Promise<void> {
    await until(
      `${node} to own ${vip}`,
      async () => {
        const { status } = (await this.cluster.kube.get(speakerStatuses, node, SYSTEM)) ?? {};
        return status?.addresses?.some(({ address }) => address === vip) === true;
      },
      LONG,
    );
  }

  /** Waits until the router's neighbour for `vip` is the node's link, as the router itself found out. */
  async reachedThrough(vip: string, node: string): Promise<void> {
    const own = await this.hardwareOf(node);
    await until(
      `${vip} to be reached through ${node}`,
      async () => {
        const netns = this.topology.router.netns;
        return (await script(this.machine, `ip neigh show ${vip} dev eth0`, { netns })).includes(own);
      },
      LONG,
    );
  }

  /**
   * Has the speakers elect `to` for the addresses of both families, as a user does: all other nodes are excluded by
   * their label. Resolves when the router reaches both through it.
   */
  async moveTo(vips: AddressPair, to: string): Promise<void> {
    await this.cluster.setLabel(to, LABEL_EXCLUDE_NODE, null);
    for (const name of this.names()) {
      if (name !== to) await this.cluster.setLabel(name, LABEL_EXCLUDE_NODE, "");
    }
    for (const vip of Object.values(vips)) await this.reachedThrough(vip, to);
  }

  /** Lets all nodes in again: the addresses go where they belong. */
  async moveHome(vips: AddressPair): Promise<void> {
    for (const name of this.names()) await this.cluster.setLabel(name, LABEL_EXCLUDE_NODE, null);
    for (const vip of Object.values(vips)) await this.reachedThrough(vip, this.elected(vip));
  }

  /** Nodes in an order that moves the addresses of both families at every step, from where they belong. */
  route(vips: AddressPair): string[] {
    const homes = [this.elected(vips.IPv6), this.elected(vips.IPv4)];
    return [...new Set([...this.names().filter((name) => !homes.includes(name)), ...homes])];
  }

  /** What is not ours on a node, byte for byte. */
  async foreign(name: string): Promise<string> {
    const ours =
      "nft list table ip other; nft list table inet proxy | sed 's/counter packets [0-9]* bytes [0-9]*/counter/'";
    return this.on(name, `${ours}; ipvsadm -Sn | grep -e '10\\.1\\.1\\.' -e '-f 9 '`);
  }

  /** Everything that a speaker programs on a node, as a list without order and without counters. */
  async programmed(name: string): Promise<string[]> {
    const text = await this.on(
      name,
      "ip rule; ip -6 rule; ip route show table 7077; ip -6 route show table 7077; ipvsadm -Sn; nft -s list table inet genkan 2>&1 | sed '/^\\tset heard/,/^\\t}$/d'",
    );
    return text
      .split(/[\n,]/)
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .sort();
  }

  /** Connections of a node's IPVS to an address, without what changes with time; sorted. */
  async connections(name: string, vips: AddressPair): Promise<string[]> {
    const lines = (await this.on(name, "ipvsadm -Lnc")).split("\n").map((line) => line.trim().split(/\s+/));
    const isTo = (virtual = ""): boolean =>
      virtual.startsWith(`${vips.IPv4}:`) || virtual.startsWith(`[${vips.IPv6}]:`);
    return lines
      .filter(([, , , , virtual]) => isTo(virtual))
      .map(([protocol, , , ...ends]) => [protocol, ...ends].join(" "))
      .sort();
  }

  /** How often speakers have logged the message, all of them together. */
  countOf(message: string): number {
    return this.#said.join("").split(`"msg":"${message}"`).length - 1;
  }

  /** Stops a speaker in its tracks, or lets it go on. */
  pause(name: string, isPaused: boolean): void {
    this.#speakers.get(name)?.kill(isPaused ? "SIGSTOP" : "SIGCONT");
  }

  /** A node's speaker's `/debug/plan`. */
  async planOf(name: string): Promise<DebugPlan> {
    const ask = `fetch("http://127.0.0.1:${PORT.speaker}/debug/plan").then((r) => r.text()).then(console.log)`;
    return JSON.parse(await this.on(name, `node -e '${ask}'`)) as DebugPlan;
  }

  /** What a node's speaker counts of its forwarding, by its `/debug/plan`. */
  async counts(name: string): Promise<ForwardingCounts> {
    const plan = await this.planOf(name);
    const counts = plan.forwarding.actual as ForwardingCounts;
    assert.equal(typeof counts.passes, "number", JSON.stringify(counts));
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const speaker of this.#speakers.values()) speaker.kill("SIGKILL");
    await this.#built.disposeAsync();
  }
}
