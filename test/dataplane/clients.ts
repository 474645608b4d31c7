/** Clients in the network beyond a link: they send packets as octets, and a table of their own sees how far these get. */
import assert from "node:assert/strict";
import { internetChecksum } from "#speaker/checksum.ts";
import type { Protocol } from "#speaker/forwarding/types.ts";
import { PacketSocket } from "#speaker/native/packet.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { ip, run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

/** A packet of a client to one of our ports; `extended`: with an extension header before the protocol's own (IPv6). */
export interface Probe {
  readonly source: string;
  readonly vip: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly extended?: boolean;
  /** Of TCP; default: SYN. */
  readonly flag?: keyof typeof FLAGS;
}

const FLAGS = { SYN: 0x02, ACK: 0x10, RST: 0x14 } as const;
const NEXT_HEADER = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const DESTINATION_OPTIONS = 60;

/** Ports, TCP's flags, a UDP length. The kernel translates nothing with a wrong checksum; SCTP's stays zero. */
function segmentOf({ source, vip, protocol, port, flag = "SYN" }: Probe): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(40_000, 0);
  bytes.writeUInt16BE(port, 2);
  if (protocol === "TCP") {
    if (flag !== "SYN") {
      // Of the client's and of the pod's numbers, the first ones after their SYNs.
      bytes.writeUInt32BE(1, 4);
      bytes.writeUInt32BE(1, 8);
    }
    bytes.writeUInt16BE(0x5000 | FLAGS[flag], 12);
  }
  if (protocol === "UDP") bytes.writeUInt16BE(bytes.length, 4);
  if (protocol === "SCTP") return bytes;
  const pseudo = Buffer.from([0, NEXT_HEADER[protocol], 0, bytes.length]);
  const sum = internetChecksum(parseAddress(source), parseAddress(vip), pseudo, bytes);
  bytes.writeUInt16BE(sum, protocol === "TCP" ? 16 : 6);
  return bytes;
}

function packet4(probe: Probe): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(40, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(NEXT_HEADER[probe.protocol], 9);
  parseAddress(probe.source).copy(header, 12);
  parseAddress(probe.vip).copy(header, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, segmentOf(probe)]);
}

function packet6(probe: Probe): Buffer {
  const next = NEXT_HEADER[probe.protocol];
  // Next header, no more than 8 bytes, and padding (RFC 8200 section 4.6).
  const options = Buffer.from(probe.extended ? [next, 0, 1, 4, 0, 0, 0, 0] : []);
  const payload = Buffer.concat([options, segmentOf(probe)]);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(probe.extended ? DESTINATION_OPTIONS : next, 6);
  header.writeUInt8(64, 7);
  return Buffer.concat([header, parseAddress(probe.source), parseAddress(probe.vip), payload]);
}

/**
 * Who came in by the link from the clients, before our rules; who got as far as IPVS with a mark on it; and what left by
 * the other link, as it left.
 */
const WITNESS = `table inet witness {
  set came4 { type ipv4_addr . inet_proto . inet_service; size 1024; flags dynamic; }
  set came6 { type ipv6_addr . inet_proto . inet_service; size 1024; flags dynamic; }
  set reached4 { type ipv4_addr . inet_proto . inet_service; size 1024; flags dynamic; }
  set reached6 { type ipv6_addr . inet_proto . inet_service; size 1024; flags dynamic; }
  set left4 { type ipv4_addr . ipv4_addr; size 1024; flags dynamic; }
  chain before {
    type filter hook prerouting priority mangle + 9;
    iifname "uplink" update @came4 { ip saddr . meta l4proto . th dport }
    iifname "uplink" update @came6 { ip6 saddr . meta l4proto . th dport }
  }
  chain leaving {
    type filter hook postrouting priority srcnat + 10;
    oifname "eth0" update @left4 { ip saddr . ip daddr }
  }
  chain behind {
    type filter hook input priority 95;
    iifname "uplink" meta mark != 0 update @reached4 { ip saddr . meta l4proto . th dport }
    iifname "uplink" meta mark != 0 update @reached6 { ip6 saddr . meta l4proto . th dport }
  }
}`;

export const probeText = ({ source, protocol, port }: Probe): string =>
  `${source} ${protocol.toLowerCase()} ${port}`;

function elementsOf(set: string): string[] {
  const { nftables } = JSON.parse(run("nft", "-j", "list", "set", "inet", "witness", set));
  const { elem = [] } = nftables[1].set as { elem?: { concat: unknown[] }[] };
  return elem.map(({ concat }) => concat.join(" "));
}

const witnessed = (set: "came" | "reached"): string[] =>
  ["4", "6"].flatMap((digit) => elementsOf(set + digit));

/** The network where clients are, at the other end of the link `uplink`. */
export class Clients implements Disposable {
  readonly #socket: PacketSocket;
  readonly #uplink: Buffer;

  constructor() {
    ip(`link add clients type veth peer name uplink
      link set clients up
      link set uplink up
      addr add 172.16.255.1/16 dev uplink
      -6 addr add fd16::ffff:1/64 dev uplink nodad`);
    const link = (name: string): { ifindex: number; address: string } =>
      JSON.parse(run("ip", "-j", "link", "show", name))[0];
    this.#uplink = Buffer.from(link("uplink").address.replaceAll(":", ""), "hex");
    this.#socket = new PacketSocket({
      linkIndex: link("clients").ifindex,
      receive: "arp",
      onFrames: () => undefined,
      onError: () => undefined,
    });
    run("nft", WITNESS);
  }

  /** Sends the packets and says which of them got as far as IPVS. */
  async reached(...probes: readonly Probe[]): Promise<string[]> {
    await this.#send(probes);
    return witnessed("reached").sort();
  }

  /** Sends the packets and says what left the node for them: `source destination` (IPv4). */
  async left(...probes: readonly Probe[]): Promise<string[]> {
    await this.#send(probes);
    return elementsOf("left4").sort();
  }

  async #send(probes: readonly Probe[]): Promise<void> {
    const sets = ["came4", "came6", "reached4", "reached6", "left4"];
    run("nft", sets.map((set) => `flush set inet witness ${set}`).join(";"));
    assert.equal(this.#socket.send(probes.map((probe) => this.#frame(probe))), probes.length);
    await until(
      "all packets to come in",
      () => {
        const came = witnessed("came");
        return probes.every((one) => came.includes(probeText(one)));
      },
      { deadlineMs: 60_000 },
    );
  }

  #frame(probe: Probe): Buffer {
    const ethernet = Buffer.concat([this.#uplink, Buffer.alloc(6, 2)]);
    return probe.vip.includes(":")
      ? Buffer.concat([ethernet, Buffer.from("86dd", "hex"), packet6(probe)])
      : Buffer.concat([ethernet, Buffer.from("0800", "hex"), packet4(probe)]);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    run("nft", "delete table inet witness");
    ip("link del clients");
  }
}
