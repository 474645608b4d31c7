/** A node's uplink whose other end is in our hand, and a table of its own that sees how far packets get. */
import { PacketSocket } from "#speaker/native/packet.ts";
import { ip, run } from "#test/network/namespace.ts";

const BROADCAST = Buffer.alloc(6, 0xff);

/** By family's digit: set -> its type. */
const SETS = {
  /** Left for a pod: source, destination, protocol, port. */
  pod: (address: string) => `${address} . ${address} . inet_proto . inet_service`,
  /** Left by the uplink: source, destination. */
  out: (address: string) => `${address} . ${address}`,
  /** Came out of tunl0 or ip6tnl0, whoever has them: source, destination. */
  foreign: (address: string) => `${address} . ${address}`,
  /** Reached a process of the node out of a tunnel of ours: source, destination. */
  host: (address: string) => `${address} . ${address}`,
  /** Got as far as IPVS with a mark: source, destination. */
  marked: (address: string) => `${address} . ${address}`,
  /** A client was sent a reset: client. */
  reset: (address: string) => address,
} as const;

function witness(): string {
  const lines = (["4", "6"] as const).flatMap((digit) => {
    const [family, icmp] = digit === "4" ? ["ip", "icmp"] : ["ip6", "icmpv6"];
    const ends = `${family} saddr . ${family} daddr`;
    const isClients = 'iifname "clients"';
    return [
      ...Object.entries(SETS).map(
        ([name, type]) =>
          `set ${name}${digit} { type ${type(`ipv${digit}_addr`)}; size 4096; flags dynamic; }`,
      ),
      `set icmp${digit} { type ipv${digit}_addr . ${icmp}_type . ${icmp}_code; size 4096; flags dynamic; }`,
      `chain early${digit} { type filter hook prerouting priority -500;`,
      `${isClients} tcp flags & rst == rst update @reset${digit} { ${family} daddr }`,
      `${isClients} update @icmp${digit} { ${family} daddr . ${icmp} type . ${icmp} code }`,
      `iifname { "tunl0", "ip6tnl0" } update @foreign${digit} { ${ends} }\n}`,
      `chain input${digit} { type filter hook input priority 95;`,
      `meta mark != 0 update @marked${digit} { ${ends} }\n}`,
      `chain late${digit} { type filter hook input priority 200;`,
      `iifname { "genkan4", "genkan6" } update @host${digit} { ${ends} }\n}`,
      `chain leave${digit} { type filter hook postrouting priority 300;`,
      `oifname "pods" update @pod${digit} { ${ends} . meta l4proto . th dport }`,
      `oifname "uplink" update @out${digit} { ${ends} }\n}`,
    ];
  });
  // What has arrived at the other end would be forwarded: both ends are in one namespace.
  lines.push('chain end { type filter hook prerouting priority -490; iifname "clients" drop; }');
  return `table inet witness {\n${lines.join("\n")}\n}`;
}

/** The uplink has 192.168.50.11 and fd50::11; everything beyond is at .1; pods are behind the link `pods`. */
export class Wire implements Disposable {
  readonly #socket: PacketSocket;
  readonly #uplink: Buffer;

  constructor() {
    ip(`link set lo up
      link add clients type veth peer name uplink
      link set clients up
      link set uplink up
      addr add 192.168.50.11/24 dev uplink
      -6 addr add fd50::11/64 dev uplink nodad
      link add pods type dummy
      link set pods up
      addr add 10.244.1.1/24 dev pods
      -6 addr add fd44:1::1/64 dev pods nodad`);
    const link = (name: string): { ifindex: number; address: string } =>
      JSON.parse(run("ip", "-j", "link", "show", name))[0];
    const clients = link("clients");
    ip(`neigh add 192.168.50.1 lladdr ${clients.address} dev uplink
      -6 neigh add fd50::1 lladdr ${clients.address} dev uplink
      neigh add 10.244.1.10 lladdr 02:00:00:00:00:10 dev pods
      -6 neigh add fd44:1::10 lladdr 02:00:00:00:00:10 dev pods
      route add default via 192.168.50.1
      -6 route add default via fd50::1`);
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    this.#uplink = Buffer.from(link("uplink").address.replaceAll(":", ""), "hex");
    this.#socket = new PacketSocket({
      linkIndex: clients.ifindex,
      receive: "arp",
      onFrames: () => undefined,
      onError: () => undefined,
    });
    run("nft", witness());
  }

  forget(): void {
    const sets = [...Object.keys(SETS), "icmp"].flatMap((name) => [`${name}4`, `${name}6`]);
    run("nft", sets.map((set) => `flush set inet witness ${set}`).join(";"));
  }

  /** Frames to the node, or to everybody. How many left. */
  send(packets: readonly Buffer[], { toEverybody = false } = {}): number {
    const target = toEverybody ? BROADCAST : this.#uplink;
    return this.#socket.send(
      packets.map((packet) => {
        const type = packet.readUInt8(0) >>> 4 === 6 ? "86dd" : "0800";
        return Buffer.concat([target, Buffer.alloc(6, 2), Buffer.from(type, "hex"), packet]);
      }),
    );
  }

  /** What was seen since `forget`: `set value value ...`, sorted. */
  seen(): string[] {
    const { nftables } = JSON.parse(run("nft", "-j", "list", "table", "inet", "witness"));
    return (nftables as { set?: { name: string; elem?: unknown[] } }[])
      .flatMap(({ set }) =>
        (set?.elem ?? []).map((elem) => [set?.name.slice(0, -1), ...valuesOf(elem)].join(" ")),
      )
      .sort();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function valuesOf(elem: unknown): unknown[] {
  if (typeof elem === "object" && elem !== null && "concat" in elem)
    return (elem as { concat: unknown[] }).concat;
  return [elem];
}
