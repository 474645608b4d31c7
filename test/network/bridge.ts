/**
 * Hosts on one layer 2 for speakers: a bridge of this machine, where an API server can listen, and a network namespace
 * for each host with the link `eth0`, hardware address 02:00:00:05:00:<number>.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { cableLines, namespaceLines, removeLinkLine, removeNamespaceLine } from "#hack/common/networks.ts";
import { claimLink } from "#test/network/claim.ts";
import { build, run as command, ip, removeNamespaces } from "#test/network/namespace.ts";

const run = promisify(execFile);

const { name: BRIDGE, number: NUMBER } = claimLink((name) => `link add ${name} type bridge`);
/** Of the bridge itself. */
export const BRIDGE_ADDRESS = `172.30.${NUMBER}.254`;
export const vip4 = (last: number): string => `172.30.${NUMBER}.${last}`;
export const vip6 = (last: string): string => `fd30:${NUMBER}::${last}`;

/** A link's name has room for 15 characters. */
const portOf = (host: string): string => `gk${NUMBER}-${host}`;

export interface Host {
  readonly name: string;
  readonly namespace: string;
  /** As text, lower case. */
  readonly hardware: string;
  readonly addresses: { readonly IPv4: string; readonly IPv6: string };
}

export class Bridge implements Disposable {
  readonly hosts = new Map<string, Host>();

  constructor() {
    ip(`addr add ${BRIDGE_ADDRESS}/24 dev ${BRIDGE}
      addr add ${vip6("fe")}/64 dev ${BRIDGE} nodad
      link set ${BRIDGE} up`);
  }

  add(name: string, number: number): Host {
    const namespace = `${BRIDGE}-${name}`;
    const port = portOf(name);
    const hardware = `02:00:00:05:00:${number.toString(16).padStart(2, "0")}`;
    const addresses = { IPv4: vip4(number), IPv6: vip6(number.toString(16)) };
    build(
      removeNamespaceLine(namespace),
      // Its namespace may live on in a process that outlived its test.
      removeLinkLine(port),
      namespaceLines(namespace),
      cableLines(
        { link: port, bridge: BRIDGE },
        { namespace, link: "eth0", hardware, addresses: [`${addresses.IPv4}/24`, `${addresses.IPv6}/64`] },
      ),
    );
    const host = { name, namespace, hardware, addresses };
    this.hosts.set(name, host);
    return host;
  }

  /** Pulls the cable: the host's link loses its carrier. */
  setCable(name: string, isIn: boolean): void {
    ip(`link set ${portOf(name)} ${isIn ? "up" : "down"}`);
  }

  /** Larger frames to and from the host are dropped, and nobody is told. */
  setMtu(name: string, bytes: number): void {
    ip(`link set ${portOf(name)} mtu ${bytes}`);
  }

  /** As a managed switch that snoops MLD and is the querier, but a hundred times as fast. */
  setSnooping(isOn: boolean): void {
    const on =
      "mcast_snooping 1 mcast_mld_version 2 mcast_querier 1 mcast_query_response_interval 100 mcast_query_interval 300 " +
      "mcast_startup_query_interval 100 mcast_membership_interval 400 mcast_last_member_interval 20";
    ip(`link set ${BRIDGE} type bridge ${isOn ? on : "mcast_querier 0 mcast_snooping 0"}`);
  }

  /**
   * All IP packets to and from the host are dropped there, whose link keeps its carrier. Not by the bridge: it takes a
   * port that is set to disabled into use again at once.
   */
  setPath(name: string, isOpen: boolean): void {
    const nft = (commands: string): string =>
      command("ip", "netns", "exec", `${BRIDGE}-${name}`, "nft", commands);
    if (isOpen) nft("delete table inet path");
    else {
      nft(`table inet path {
        chain in { type filter hook prerouting priority -500; iifname "eth0" drop; }
        chain out { type filter hook postrouting priority 500; oifname "eth0" drop; }
      }`);
    }
  }

  /**
   * Hardware addresses that answer for `vip` to one question from `from`, by arping or ndisc6; sorted. `isFirst`: the
   * first answer is enough; else all that come within a time.
   */
  async ask(from: Host, vip: string, isFirst = false): Promise<string[]> {
    const question = vip.includes(":")
      ? ["ndisc6", "-m", "-q", "-w", "300", "-r", "1", vip, "eth0"]
      : ["arping", "-b", ...(isFirst ? ["-c", "1"] : []), "-w", "1", "-I", "eth0", vip];
    const output = await run("ip", ["netns", "exec", from.namespace, ...question]).then(
      ({ stdout }) => stdout,
      // No answer is an exit code of these programs, not a fault of ours.
      (error: { stdout?: string }) => error.stdout ?? "",
    );
    const found = output.toLowerCase().match(/[0-9a-f]{2}(:[0-9a-f]{2}){5}/g) ?? [];
    return [...new Set(found)].sort();
  }

  /** The names of the hosts that answer for `vip`. */
  async owners(from: Host, vip: string): Promise<string[]> {
    const answers = await this.ask(from, vip);
    return answers.map((hardware) => {
      const host = [...this.hosts.values()].find((candidate) => candidate.hardware === hardware);
      return host?.name ?? hardware;
    });
  }

  [Symbol.dispose](): void {
    removeNamespaces([...this.hosts.values()].map(({ namespace }) => namespace));
    build(removeLinkLine(BRIDGE));
  }
}
