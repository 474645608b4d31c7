/** What moves of an address cost when the list of pods is not what it was as the flows began. */
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { type FlowSummary, Flows } from "#test/dataplane/flows.ts";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { script } from "#test/network/machine.ts";
import type { AddressPair, PodPlace } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

export const PROTOCOLS = ["TCP", "UDP"] as const;
export type SceneProtocol = (typeof PROTOCOLS)[number];

/** `id`: of its port in IPv4; the next one is that in IPv6. */
const SERVICES = { TCP: { name: "web", vip: 0, id: 1 }, UDP: { name: "talk", vip: 2, id: 5 } } as const;

export interface Lost {
  readonly lost: number;
  readonly of: number;
  readonly summary: FlowSummary;
}

export interface SceneOptions {
  readonly count: number;
  readonly protocol: SceneProtocol;
  readonly isShared: boolean;
}

/** Between two chunks of a flow. */
const INTERVAL_MS = 500;
/** After the move: long enough for each flow to be sent through the new node, and for a lost one to count as stalled. */
const AFTER_ECHOES = 5;
/** On a busy machine a move takes seconds, and TCP then waits as long again: such a flow is not lost. */
const GOES_ON_MS = 60_000;

let nextPort = 20_000;

/** The one pod more or less. */
export const lastPod = ({ topology }: IpvsNodes): PodPlace => topology.pods.at(-1) as PodPlace;

const nodesWithout = (nodes: IpvsNodes, { node }: PodPlace): string[] =>
  nodes.names().filter((name) => name !== node);

/** Flows of each family to a Service's addresses, from ports that no earlier flow had. */
export class Scene {
  readonly #nodes: IpvsNodes;
  readonly #flows: Readonly<Record<keyof AddressPair, Flows>>;
  readonly #vips: AddressPair;
  readonly #count: number;
  /** The first of the ports that flows come from; those of both families follow it. */
  readonly #firstPort = nextPort;

  private constructor(nodes: IpvsNodes, { count, protocol }: SceneOptions) {
    this.#nodes = nodes;
    this.#count = count;
    const vips = vipsOf(nodes, protocol);
    this.#vips = vips;
    const start = (address: string): Flows => {
      const targets = [{ address, flows: count, firstPort: nextPort }];
      nextPort += count;
      return new Flows(nodes.machine, nodes.topology, {
        targets,
        port: 80,
        intervalMs: INTERVAL_MS,
        protocol,
      });
    };
    this.#flows = { IPv4: start(vips.IPv4), IPv6: start(vips.IPv6) };
  }

  /** Resolves when all of them have had echoes, by the node `from`. */
  static async begin(nodes: IpvsNodes, from: string, options: SceneOptions): Promise<Scene> {
    const { machine, topology } = nodes;
    const vips = vipsOf(nodes, options.protocol);
    // The router has no neighbour for an address that nobody has asked for; an answer is not needed.
    for (const vip of Object.values(vips))
      await script(machine, `ping -c 1 -W 1 ${vip} || true`, { netns: topology.router.netns });
    await nodes.moveTo(vips, from);
    const scene = new Scene(nodes, options);
    await scene.progress(2);
    return scene;
  }

  async progress(echoes: number): Promise<void> {
    await Promise.all(Object.values(this.#flows).map((flows) => flows.progress(echoes, 120_000)));
  }

  /** Waits until each node's IPVS has an entry for each of the flows; those of earlier flows may still be there. */
  async known(): Promise<void> {
    const own = (line: string): boolean => {
      const port = Number(line.split(" ")[1]?.split(":").at(-1));
      return port >= this.#firstPort && port < this.#firstPort + 2 * this.#count;
    };
    for (const name of this.#nodes.names()) {
      await until(
        `${name} to know of all flows`,
        async () => (await this.#nodes.connections(name, this.#vips)).filter(own).length >= 2 * this.#count,
        LONG,
      );
    }
  }

  /** Moves the addresses of both families, and ends: which flows went on at the pod that they began with? */
  async moveAndEnd(to: string): Promise<Record<keyof AddressPair, Lost>> {
    await this.#nodes.moveTo(this.#vips, to);
    const lost = { IPv4: await this.#end("IPv4"), IPv6: await this.#end("IPv6") };
    await this.#nodes.moveHome(this.#vips);
    return lost;
  }

  async #end(family: keyof AddressPair): Promise<Lost> {
    const flows = this.#flows[family];
    await flows.progress(AFTER_ECHOES, GOES_ON_MS).catch(() => {});
    const summary = await flows.stop();
    const { broken, stalled, moved } = summary;
    return { lost: broken + stalled + moved, of: summary.flows, summary };
  }
}

const vipsOf = (nodes: IpvsNodes, protocol: SceneProtocol): AddressPair =>
  nodes.topology.vip(SERVICES[protocol].vip);

/**
 * Waits until the IPVS of each node has the pod at this weight in the first tier, by a tunnel if it is another node's;
 * or not at all; in both families.
 */
async function listed(
  nodes: IpvsNodes,
  { pod, weight, protocol }: { pod: PodPlace; weight: 0 | 1 | undefined; protocol: SceneProtocol },
): Promise<void> {
  const { id } = SERVICES[protocol];
  const places = [`${pod.IPv4}:8080`, `\\[${pod.IPv6}\\]:8080`];
  for (const name of nodes.names()) {
    const method = name === pod.node ? "-m" : "-i";
    const looks = places.map((place, at) => {
      const mark = markOf(id + at, 1, DEFAULT_SETTINGS.routingBit);
      const line = `^-a -f ${mark} .*-r ${place}${weight === undefined ? " " : ` ${method} -w ${weight}`}`;
      return `${weight === undefined ? "! " : ""}ipvsadm -Sn | grep -q -e '${line}'`;
    });
    await until(
      `${pod.name} at ${weight} on ${name}`,
      () => nodes.on(name, looks.join(" && ")).then(() => true),
      LONG,
    );
  }
}

/** All pods, in the list of every node. */
async function setAll(nodes: IpvsNodes, protocol: SceneProtocol): Promise<void> {
  const { pods } = nodes.topology;
  await nodes.cluster.setPods(SERVICES[protocol].name, pods);
  for (const pod of pods) await listed(nodes, { pod, weight: 1, protocol });
}

async function setWithout(nodes: IpvsNodes, pod: PodPlace, protocol: SceneProtocol): Promise<void> {
  const others = nodes.topology.pods.filter((one) => one !== pod);
  await nodes.cluster.setPods(SERVICES[protocol].name, others);
  await listed(nodes, { pod, weight: undefined, protocol });
}

/** The Services of both protocols with all pods, on all nodes. */
export async function prepare(nodes: IpvsNodes): Promise<void> {
  const { name, vip } = SERVICES.UDP;
  const vips = Object.values(nodes.topology.vip(vip));
  await nodes.cluster.addService({ name, vips, pods: nodes.topology.pods, protocol: "UDP" });
  for (const protocol of PROTOCOLS) await setAll(nodes, protocol);
}

/**
 * A pod more than when the flows began; then the address moves, to that pod's node: no flow was at a pod of it, so it knows
 * none of its own.
 */
export async function changeThenMove(
  nodes: IpvsNodes,
  options: SceneOptions,
): Promise<Record<keyof AddressPair, Lost>> {
  const { protocol, isShared } = options;
  const pod = lastPod(nodes);
  await setWithout(nodes, pod, protocol);
  const [from = ""] = nodesWithout(nodes, pod);
  const scene = await Scene.begin(nodes, from, options);
  await setAll(nodes, protocol);
  if (isShared) await scene.known();
  return scene.moveAndEnd(pod.node);
}

/** A pod that ends keeps its flows; then the address moves, to a node that has not seen them, as the pod is another's. */
export async function drainThenMove(
  nodes: IpvsNodes,
  options: SceneOptions,
): Promise<Record<keyof AddressPair, Lost>> {
  const { protocol, isShared } = options;
  const [ending, { pods }] = [lastPod(nodes), nodes.topology];
  const [from = "", to = ""] = nodesWithout(nodes, ending);
  await setAll(nodes, protocol);
  const scene = await Scene.begin(nodes, from, options);
  await nodes.cluster.setPods(SERVICES[protocol].name, pods, (pod) =>
    pod === ending ? { ready: false, serving: true, terminating: true } : { ready: true },
  );
  await listed(nodes, { pod: ending, weight: 0, protocol });
  if (isShared) await scene.known();
  return scene.moveAndEnd(to);
}

/** Sets the field (null: takes it away), and waits until the daemons of all nodes follow. */
export async function setSharing(nodes: IpvsNodes, value: boolean | null): Promise<void> {
  await nodes.cluster.setForwarding({ connectionSync: value });
  const isOn = value ?? true;
  for (const name of nodes.names()) {
    await until(
      `sharing ${isOn ? "on" : "off"} at ${name}`,
      async () =>
        ((await nodes.on(name, "ipvsadm -L --daemon")).match(/sync daemon/g)?.length ?? 0) === (isOn ? 2 : 0),
      LONG,
    );
  }
}
