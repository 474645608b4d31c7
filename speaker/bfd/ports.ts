/** The engine's sockets: ports 3784 and 4784, a source port of its own for each session, echo. Runs in the worker. */
import { readFileSync } from "node:fs";
import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";
import { familyOf } from "#api/address.ts";
import type { Random } from "#common/random.ts";
import { type Datagram, DatagramReceiver, DatagramSender } from "#speaker/native/datagram.ts";
import { endpointOf, sockaddr } from "#speaker/native/sockaddr.ts";
import { addon, attempt, SOCK } from "#speaker/native/socket.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { type Admitted, admission } from "./admission.ts";
import { EchoSocket, linkName, neighborHardware } from "./echo.ts";
import type { ListenerKind } from "./engine.ts";
import type { PathPeer } from "./entry.ts";
import type { EchoWire, Wire } from "./session.ts";

/** RFC 5881 section 4, RFC 5883 section 5. */
const BFD_PORT = { single: 3784, multi: 4784 } as const;
/** RFC 5881 section 4: unique for each session. */
const SOURCE_PORTS = { first: 49_152, count: 16_384 } as const;
const TRIES = 64;
const HOPS = 255;
/** Reads of one socket before others get their turn. */
const READS_MAX = 8;

export interface PortsOptions {
  readonly random: Pick<Random, "number">;
  receive(isMultihop: boolean, datagram: Datagram): void;
  receiveEcho(discriminator: number): void;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Ports {
  readonly #options: PortsOptions;
  readonly #receivers = new Map<ListenerKind, DatagramReceiver>();
  /** The programs that they have. */
  readonly #filters = new Map<ListenerKind, Buffer>();

  constructor(options: PortsOptions) {
    this.#options = options;
  }

  listen(kinds: ReadonlySet<ListenerKind>): ReadonlyMap<ListenerKind, string> {
    for (const [kind, receiver] of this.#receivers) {
      if (kinds.has(kind)) continue;
      receiver.close();
      this.#receivers.delete(kind);
      this.#filters.delete(kind);
    }
    const problems = new Map<ListenerKind, string>();
    for (const kind of kinds) {
      if (this.#receivers.has(kind)) continue;
      const port = kind.startsWith("multi") ? BFD_PORT.multi : BFD_PORT.single;
      try {
        this.#receivers.set(kind, this.#receiver(kind, port));
      } catch (error) {
        problems.set(kind, `UDP port ${port} cannot be had: ${textOf(error)}`);
      }
    }
    return problems;
  }

  admit(admitted: ReadonlyMap<ListenerKind, Admitted>): void {
    for (const [kind, who] of admitted) {
      const program = admission(kind, who);
      if (this.#filters.get(kind)?.equals(program) === true) continue;
      const receiver = this.#receivers.get(kind);
      if (receiver === undefined) continue;
      // Kernels before 6.8 take no program for some 200 IPv6 peers (net.core.optmem_max): a shorter one spares the most, too.
      if (!attaches(receiver, program)) attaches(receiver, admission(kind, { ...who, addresses: undefined }));
      this.#filters.set(kind, program);
    }
  }

  /** Everything that waits, up to a bound. */
  drain(): void {
    for (const [kind, receiver] of this.#receivers) this.#read(kind.startsWith("multi"), receiver);
  }

  /** Throws SocketError. */
  openWire(peer: PathPeer): Wire {
    const first = Math.floor(this.#options.random.number() * SOURCE_PORTS.count);
    const ports = Array.from({ length: TRIES }, (_, at) => {
      return SOURCE_PORTS.first + ((first + at) % SOURCE_PORTS.count);
    });
    const sender = new DatagramSender({
      family: familyOf(peer.address),
      address: peer.sourceAddress,
      ports,
      link: peer.link,
      to: { address: peer.address, port: peer.multihop ? BFD_PORT.multi : BFD_PORT.single },
      hops: HOPS,
    });
    return {
      send(packet) {
        try {
          sender.send(packet);
          return true;
        } catch {
          // No route or no link yet, or a full queue: counted by the session, whose next packet is due soon.
          return false;
        }
      },
      close: () => sender.close(),
    };
  }

  /** Undefined: the neighbour is not resolved. Throws SocketError. */
  openEcho(peer: PathPeer, link: number, discriminator: number): (EchoWire & { close(): void }) | undefined {
    const name = linkName(link);
    const hardware = name === undefined ? undefined : neighborHardware(peer.address, name);
    if (hardware === undefined) return undefined;
    const localAddress = parseAddress(peer.sourceAddress ?? localAddressTo(peer.address));
    const onEcho = (which: number): void => this.#options.receiveEcho(which);
    return new EchoSocket({ link, hardware, localAddress, discriminator, onEcho });
  }

  #receiver(kind: ListenerKind, port: number): DatagramReceiver {
    const family = kind.endsWith("IPv4") ? "IPv4" : "IPv6";
    const isMultihop = kind.startsWith("multi");
    const receiver = new DatagramReceiver({ family, ports: [port] }, () => this.#read(isMultihop, receiver));
    return receiver;
  }

  #read(isMultihop: boolean, receiver: DatagramReceiver): void {
    for (let round = 0; round < READS_MAX; round++) {
      const count = readSome(receiver);
      for (let at = 0; at < count; at++) {
        const datagram = receiver.datagrams[at];
        if (datagram !== undefined) this.#options.receive(isMultihop, datagram);
      }
      if (count < receiver.datagrams.length) return;
    }
  }
}

/** False: the kernel does not take it, and what it had before stays. */
function attaches(receiver: DatagramReceiver, program: Buffer): boolean {
  try {
    receiver.attachFilter(program);
    return true;
  } catch {
    return false;
  }
}

function readSome(receiver: DatagramReceiver): number {
  try {
    return receiver.read();
  } catch {
    // A pending error of the network (ENETDOWN): reading it has cleared it.
    return 0;
  }
}

/** The address that the kernel would send from. */
function localAddressTo(address: string): string {
  const native = addon();
  const descriptor = attempt(() => native.open(2, SOCK.dgram, 0));
  try {
    attempt(() => native.connect(descriptor, sockaddr({ family: "IPv4", address, port: BFD_PORT.single })));
    return endpointOf(attempt(() => native.name(descriptor))).address;
  } finally {
    native.close(descriptor);
  }
}

export function linkIndex(link: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${link}/ifindex`, "utf8"));
  } catch {
    // Not there yet: it is looked up again every few seconds.
    return undefined;
  }
}

/** This node forwards IPv4. */
export function forwardsIpv4(): boolean {
  try {
    return readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1";
  } catch {
    // Not readable: promise nothing.
    return false;
  }
}

/** The address is on a network of one of this node's links: its own length says how large the network is. */
export function isConnected(address: string): boolean {
  const networks = new BlockList();
  for (const { cidr, family } of Object.values(networkInterfaces()).flatMap((own) => own ?? [])) {
    const [base = "", length = ""] = (cidr ?? "").split("/");
    if (base !== "") networks.addSubnet(base, Number(length), family === "IPv4" ? "ipv4" : "ipv6");
  }
  return networks.check(address, familyOf(address) === "IPv6" ? "ipv6" : "ipv4");
}
