/**
 * A second segment beside that of the nodes' own addresses: a link of each node, a client, and a Service with an address
 * there. When a node loses the carrier of that link, its speaker lives and says so itself.
 */
import { addressPools } from "#common/kube/resource.ts";
import { cableLines, namespaceLines, removeLinkLine, removeNamespaceLine } from "#hack/common/networks.ts";
import { elect } from "#speaker/plan/elect.ts";
import { claimLink } from "#test/network/claim.ts";
import { build, ip, removeNamespaces } from "#test/network/namespace.ts";
import { SYSTEM } from "../layer2/speaker-cluster.ts";
import { NAMES, podsOn, type SpeakerNodes } from "../layer2/speaker-nodes.ts";
import type { Host } from "../network/bridge.ts";

const address = (last: number): string => `10.66.0.${last}`;
export const SECOND_VIP = address(200);

export class SecondLink implements Disposable {
  readonly client: Host;
  /** Of whom the address is, while all nodes have their links. */
  readonly owner: Host;
  readonly #bridge: string;
  readonly #number: number;

  private constructor(nodes: SpeakerNodes) {
    const { name, number } = claimLink((link) => `link add ${link} type bridge`);
    this.#bridge = name;
    this.#number = number;
    ip(`link set ${name} up`);
    const hosts = NAMES.map((node, at): Host => {
      const namespace = nodes.bridge.hosts.get(node)?.namespace ?? "";
      return this.#cable({ name: node, namespace, link: "eth1", number: at + 1 });
    });
    const namespace = `${name}-cl`;
    build(removeNamespaceLine(namespace), namespaceLines(namespace));
    this.client = this.#cable({ name: "cl", namespace, link: "eth0", number: 99 });
    const elected = elect({ vip: SECOND_VIP, candidates: NAMES });
    const owner = hosts.find((host) => host.name === elected);
    if (owner === undefined) throw new Error(`nobody is elected for ${SECOND_VIP}`);
    this.owner = owner;
  }

  static async add(nodes: SpeakerNodes): Promise<SecondLink> {
    const second = new SecondLink(nodes);
    await nodes.cluster.kube.create(addressPools, {
      metadata: { name: "second", namespace: SYSTEM },
      spec: { protocol: "layer2", addresses: [`${SECOND_VIP}/32`], interfaces: ["eth1"] },
    });
    const pods = podsOn(NAMES);
    await nodes.cluster.addService({
      name: "second",
      vips: [SECOND_VIP],
      pods,
      ipMode: "VIP",
      pool: "second",
    });
    return second;
  }

  setCarrier(isThere: boolean): void {
    ip(`link set ${this.#port(this.owner.name)} ${isThere ? "up" : "down"}`);
  }

  [Symbol.dispose](): void {
    removeNamespaces([this.client.namespace]);
    build(removeLinkLine(this.#bridge));
  }

  #port(name: string): string {
    return `gk${this.#number}-${name}`;
  }

  #cable(end: { name: string; namespace: string; link: string; number: number }): Host {
    const { name, namespace, link, number } = end;
    const hardware = `02:00:00:06:00:${number.toString(16).padStart(2, "0")}`;
    const addresses = { IPv4: address(number), IPv6: "" };
    build(
      removeLinkLine(this.#port(name)),
      cableLines(
        { link: this.#port(name), bridge: this.#bridge },
        { namespace, link, hardware, addresses: [`${addresses.IPv4}/24`] },
      ),
    );
    return { name, namespace, hardware, addresses };
  }
}
