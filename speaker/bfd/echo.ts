/**
 * Echo over IPv4 (RFC 5881 section 4, RFC 5880 section 6.4): an IP packet from us to ourselves, handed to the peer's
 * hardware address; the peer forwards it back like any other. Our own kernel drops what comes from outside with its own
 * address, so both ways go through a packet socket.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { accept, LOAD_BYTE, LOAD_HALF } from "#speaker/native/filter.ts";
import { AF, SOCK, SOL, Socket } from "#speaker/native/socket.ts";
import { encodeEcho, readEcho } from "./echo-packet.ts";

const PACKET_IGNORE_OUTGOING = 23;
const ETHERTYPE_IPV4 = 0x0800;
const ECHO_BYTES_MAX = 128;
const ECHO_PORT = 3785;

/** struct sockaddr_ll */
function linkAddress(link: number, protocol: number, hardware: Buffer): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF.packet, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(link, 4);
  address[11] = hardware.length;
  hardware.copy(address, 12);
  return address;
}

/** UDP to the echo port on this link; offsets from the IP header, which has no options. */
const echoPackets = (): Buffer =>
  accept([
    { load: LOAD_BYTE, offset: 0, value: 0x45 },
    { load: LOAD_BYTE, offset: 9, value: 17 },
    { load: LOAD_HALF, offset: 22, value: ECHO_PORT },
  ]);

/** Name of the link with this index. */
export function linkName(index: number): string | undefined {
  return readdirSync("/sys/class/net").find((name) => {
    const path = `/sys/class/net/${name}/ifindex`;
    return existsSync(path) && Number(readFileSync(path, "utf8")) === index;
  });
}

/** The hardware address that the kernel knows for a neighbour; undefined: not resolved. */
export function neighborHardware(address: string, link: string): Buffer | undefined {
  for (const line of readFileSync("/proc/net/arp", "utf8").split("\n").slice(1)) {
    const [ip, , flags, hardware, , device] = line.split(/\s+/);
    const isComplete = (Number(flags) & 0x2) !== 0;
    if (ip === address && device === link && isComplete) {
      return Buffer.from((hardware ?? "").replaceAll(":", ""), "hex");
    }
  }
  return undefined;
}

export interface EchoOptions {
  readonly link: number;
  /** Of this node, towards the peer. */
  readonly localAddress: Buffer;
  readonly hardware: Buffer;
  readonly discriminator: number;
  onEcho(discriminator: number): void;
}

/** One session's echo packets. Throws SocketError: EPERM without NET_RAW, ENODEV. */
export class EchoSocket {
  readonly #socket: Socket;
  readonly #messages: readonly Buffer[];
  readonly #addresses: readonly Buffer[];

  constructor(options: EchoOptions) {
    const { link, hardware, localAddress, discriminator } = options;
    this.#messages = [encodeEcho(localAddress, discriminator)];
    this.#addresses = [linkAddress(link, ETHERTYPE_IPV4, hardware)];
    // Protocol 0: nothing arrives before the filter and the link are set.
    this.#socket = new Socket(AF.packet, SOCK.dgram, 0);
    try {
      this.#socket.attachFilter(echoPackets());
      this.#socket.setOption(SOL.packet, PACKET_IGNORE_OUTGOING, 1);
      this.#socket.bind(linkAddress(link, ETHERTYPE_IPV4, Buffer.alloc(0)));
      this.#socket.startReceiving({
        messageBytes: ECHO_BYTES_MAX,
        onMessages: (messages) => {
          for (const { bytes } of messages) {
            if (readEcho(bytes, localAddress) === discriminator) options.onEcho(discriminator);
          }
        },
        // A link that goes down says so here; the session notices by itself.
        onError: () => {},
      });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  send(): boolean {
    try {
      return this.#socket.send(this.#messages, this.#addresses) === 1;
    } catch {
      // Counted by the caller: no route, no link; the next one is due soon.
      return false;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
