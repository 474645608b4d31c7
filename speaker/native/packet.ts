/** Packet sockets (AF_PACKET, packet(7)): whole frames on one link, filtered in the kernel. */
import { arp, neighborDiscovery } from "./filter.ts";
import { AF, SOCK, SOL, Socket, type SocketError } from "./socket.ts";

const ETHERTYPE = { arp: 0x0806, ipv6: 0x86dd } as const;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_ALLMULTI = 2;
const SO_RCVBUF = 8;
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** ARP is 60 bytes; a solicitation with options stays far below. */
const FRAME_BYTES = 256;

export interface PacketSocketOptions {
  /** Index of the link to listen on. */
  linkIndex: number;
  /** What to receive; sending is free in either case. */
  receive: "arp" | "neighborDiscovery";
  /** Frames of one wakeup, with the Ethernet header; valid until the callback returns. */
  onFrames(frames: readonly Buffer[]): void;
  /** ENETDOWN when the link goes down, among others; the socket stays usable when it comes up again. */
  onError(error: SocketError): void;
}

/** struct sockaddr_ll: family, protocol (network order), link index, hardware type, packet type, address. */
function linkAddress(linkIndex: number, protocol: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF.packet, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(linkIndex, 4);
  return address;
}

/** One link's frames of one kind. Throws SocketError (EPERM without NET_RAW, ENODEV for a link that is gone). */
export class PacketSocket {
  readonly #socket: Socket;

  constructor(options: PacketSocketOptions) {
    const isArp = options.receive === "arp";
    const { linkIndex } = options;
    // Protocol 0: nothing arrives before the filter and the link are set.
    this.#socket = new Socket(AF.packet, SOCK.raw, 0);
    try {
      this.#socket.attachFilter(isArp ? arp(linkIndex) : neighborDiscovery(linkIndex));
      this.#socket.setOption(SOL.packet, PACKET_IGNORE_OUTGOING, 1);
      this.#socket.setOption(SOL.socket, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      this.#socket.bind(linkAddress(linkIndex, isArp ? ETHERTYPE.arp : ETHERTYPE.ipv6));
      if (!isArp) this.#joinAllMulticast(linkIndex);
      this.#socket.startReceiving({
        messageBytes: FRAME_BYTES,
        onMessages: (messages) => options.onFrames(messages.map((message) => message.bytes)),
        onError: options.onError,
      });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Sends whole frames; how many left. */
  send(frames: readonly Buffer[]): number {
    return this.#socket.send(frames);
  }

  close(): void {
    this.#socket.close();
  }

  /** Waiting for frames alone shall not keep the process alive. */
  unref(): void {
    this.#socket.unref();
  }

  /** Solicitations go to a multicast group for each address, and one socket joins 2,340 of them at most. */
  #joinAllMulticast(linkIndex: number): void {
    const membership = Buffer.alloc(16);
    membership.writeInt32LE(linkIndex, 0);
    membership.writeUInt16LE(PACKET_MR_ALLMULTI, 4);
    this.#socket.setOption(SOL.packet, PACKET_ADD_MEMBERSHIP, membership);
  }
}
