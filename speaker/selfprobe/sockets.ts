/** The sockets that see a probe on its way: on any link, when its outer header was accepted, and when it was delivered. */
import type { Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import type { Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { TUNNELS } from "#speaker/forwarding/tunnels.ts";
import { accept, LOAD_BYTE, LOAD_HALF, type Match } from "#speaker/native/filter.ts";
import { endpointOf, sockaddr } from "#speaker/native/sockaddr.ts";
import { AF, SOCK, SOL, Socket, SocketError } from "#speaker/native/socket.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import { IP_HEADER_BYTES } from "../ip-header.ts";
import { carrierMatches, innerAt, protocolOf } from "./carrier.ts";
import { decodeProbe, decodeUdp, type Probe } from "./packet.ts";

const ETHERTYPE = { IPv4: 0x0800, IPv6: 0x86dd } as const;
const UDP = 17;
const PACKET_IGNORE_OUTGOING = 23;
/** Two IPv6 headers, a tunnel's, UDP's and the probe. */
const PACKET_BYTES = 256;

const isProtocol = (family: Family, at: number, value: number): Match => ({
  load: LOAD_BYTE,
  offset: at + (family === "IPv4" ? 9 : 6),
  value,
});
/** A header without options, at `at`: everything behind it is where it is expected. */
const isPlain = (family: Family, at: number): Match[] =>
  family === "IPv4" ? [{ load: LOAD_BYTE, offset: at, value: 0x45 }] : [];
const isToProbe = (at: number): Match => ({ load: LOAD_HALF, offset: at + 2, value: PORT.probe });
/** An inner packet at `at`. */
const isInner = (family: Family, at: number): Match[] => [
  ...isPlain(family, at),
  isProtocol(family, at, UDP),
  isToProbe(at + IP_HEADER_BYTES[family]),
];
const NOTHING: readonly Match[] = [
  { load: LOAD_BYTE, offset: 0, value: 0 },
  { load: LOAD_BYTE, offset: 0, value: 1 },
];

export interface Receivers {
  /** To send with: the kernel makes the outer header. */
  readonly sender: Socket;
  close(): void;
}

/** Both are behind the input hook. Throws SocketError (EPERM without NET_RAW). */
export function openReceivers(
  { family, address, kind }: { family: Family; address: string; kind: Encapsulation },
  onProbe: (probe: Probe, place: "outer" | "inner") => void,
): Receivers {
  const opened: Socket[] = [];
  const close = (): void => {
    for (const socket of opened) socket.close();
  };
  const open = (type: number, protocol: number, matches: readonly Match[]): Socket => {
    const socket = new Socket(domainOf(family), type, protocol);
    opened.push(socket);
    socket.attachFilter(accept(matches));
    return socket;
  };
  const isFour = family === "IPv4";
  // The kernel gives a raw socket the packet's header with IPv4, and without it with IPv6.
  const header = isFour ? IP_HEADER_BYTES.IPv4 : 0;
  const [protocol, inside] = [protocolOf(family, kind), header + innerAt(kind)];
  try {
    const sender = open(SOCK.raw, protocol, NOTHING);
    sender.bind(sockaddr({ family, address }));
    const outer = open(SOCK.raw, protocol, [
      ...(isFour ? isPlain(family, 0) : []),
      ...carrierMatches(family, kind, header),
      ...isInner(family, inside),
    ]);
    // Our rules write this address into what comes for a tunnel of ours, a probe among it (forwarding/probe-rules.ts).
    outer.bind(sockaddr({ family, address: TUNNELS[family].local }));
    receive(outer, (bytes) => {
      const probe = decodeProbe(family, bytes.subarray(inside));
      if (probe !== undefined) onProbe(probe, "outer");
    });
    const inner = open(SOCK.raw, UDP, isFour ? isInner(family, 0) : [isToProbe(0)]);
    inner.bind(sockaddr({ family, address }));
    receive(inner, (bytes, from) => {
      const probe = isFour ? decodeProbe(family, bytes) : decodeUdp(family, endpointOf(from).address, bytes);
      if (probe !== undefined) onProbe(probe, "inner");
    });
    takePort(family, address, open);
    return { sender, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Without a socket of the port the kernel would answer each probe that it is unreachable. Nothing is kept in it. */
function takePort(
  family: Family,
  address: string,
  open: (type: number, protocol: number, matches: readonly Match[]) => Socket,
): void {
  try {
    open(SOCK.dgram, 0, NOTHING).bind(sockaddr({ family, address, port: PORT.probe }));
  } catch (error) {
    // Somebody else's port: his socket takes what is for him, and the kernel answers nothing.
    if (!(error instanceof SocketError) || error.code !== "EADDRINUSE") throw error;
  }
}

function receive(socket: Socket, onPacket: (bytes: Buffer, from: Buffer) => void): void {
  socket.startReceiving({
    messageBytes: PACKET_BYTES,
    batch: 16,
    onMessages: (messages) => {
      for (const { bytes, from } of messages) onPacket(bytes, from);
    },
    // ENETDOWN among others: what is not received is missed by nobody but this probe.
    onError() {},
  });
  socket.unref();
}

/** Probes on every link, before any firewall. Throws SocketError. */
export class LinkWatch {
  readonly #sockets: Socket[] = [];

  constructor(kind: Encapsulation, onProbe: (probe: Probe, linkIndex: number) => void) {
    try {
      for (const family of ["IPv4", "IPv6"] as const) this.#listen(family, kind, onProbe);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #listen(family: Family, kind: Encapsulation, onProbe: (probe: Probe, linkIndex: number) => void): void {
    // Without link headers, which differ. Protocol 0: nothing arrives before the filter is set.
    const socket = new Socket(AF.packet, SOCK.dgram, 0);
    this.#sockets.push(socket);
    const header = IP_HEADER_BYTES[family];
    const at = header + innerAt(kind);
    socket.attachFilter(
      accept([
        ...isPlain(family, 0),
        isProtocol(family, 0, protocolOf(family, kind)),
        ...carrierMatches(family, kind, header),
        ...isInner(family, at),
      ]),
    );
    socket.setOption(SOL.packet, PACKET_IGNORE_OUTGOING, 1);
    // struct sockaddr_ll: family, protocol, link (0: all).
    const everywhere = Buffer.alloc(20);
    everywhere.writeUInt16LE(AF.packet, 0);
    everywhere.writeUInt16BE(ETHERTYPE[family], 2);
    socket.bind(everywhere);
    receive(socket, (bytes, from) => {
      const probe = decodeProbe(family, bytes.subarray(at));
      if (probe !== undefined) onProbe(probe, from.readInt32LE(4));
    });
  }
}
