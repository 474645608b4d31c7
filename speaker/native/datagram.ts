/**
 * UDP sockets for a thread that keeps time, and its timer: nothing is made new for a packet, neither way. Readiness is
 * told by a callback, reading is the caller's, so that he can look into the socket whenever he wants to know.
 */
import type { Family } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import { int, sockaddr } from "./sockaddr.ts";
import { type Addon, addon, attempt, SOCK, SocketError } from "./socket.ts";
import { bindToLink, CLASS_CS6, IPPROTO, limitHops, OPTION, type SetOption } from "./tcp-option.ts";

/** ip(7), ipv6(7), linux/in6.h. */
const DATAGRAM_OPTION = {
  ipPktInfo: 8,
  ipMulticastTtl: 33,
  ipv6MulticastHops: 18,
  ipRecvTtl: 12,
  ipv6RecvPktInfo: 49,
  ipv6RecvHopLimit: 51,
} as const;
/** timer.c, SLOT_BYTES and so on. */
const SLOT = { payload: 64, bytes: 96, meta: 3 } as const;
const SLOTS = 32;
const EADDRINUSE = "EADDRINUSE";

/** One datagram in place; valid until the next `read`. */
export interface Datagram {
  readonly payload: Buffer;
  /** struct sockaddr_in or sockaddr_in6. */
  readonly from: Buffer;
  /** Full length; more than the payload holds: cut. */
  length: number;
  /** TTL or hop limit that it had left; -1: not told. */
  hops: number;
  /** Index of the link that it came by; -1: not told. */
  link: number;
}

export interface DatagramOptions {
  readonly family: Family;
  /** Every address when not given. */
  readonly address?: string | undefined;
  /** One, or any of these in order until one is free. */
  readonly ports: readonly number[];
  readonly link?: string | undefined;
}

function open(options: DatagramOptions, configure: (set: SetOption) => void): number {
  const native = addon();
  const { family } = options;
  const descriptor = attempt(() => native.open(domainOf(family), SOCK.dgram, 0));
  const set: SetOption = (level, name, value) =>
    attempt(() => native.setOption(descriptor, level, name, value));
  try {
    if (family === "IPv6") set(IPPROTO.ipv6, OPTION.ipv6Only, int(1));
    bindToLink(set, options.link);
    configure(set);
    bindToFirst(native, descriptor, options);
    return descriptor;
  } catch (error) {
    native.close(descriptor);
    throw error;
  }
}

function bindToFirst(
  native: Addon,
  descriptor: number,
  { family, address, ports, link }: DatagramOptions,
): void {
  const last = ports.length - 1;
  for (const [at, port] of ports.entries()) {
    try {
      attempt(() => native.bind(descriptor, sockaddr({ family, address, port, link })));
      return;
    } catch (error) {
      const isTaken = error instanceof SocketError && error.code === EADDRINUSE;
      if (!isTaken || at === last) throw error;
    }
  }
}

/** Receives. Throws SocketError: EADDRINUSE when another program has the port. */
export class DatagramReceiver {
  readonly #native = addon();
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(SLOTS * SLOT.bytes);
  readonly #meta = new Int32Array(SLOTS * SLOT.meta);
  /** The places that `read` fills, from the first on. */
  readonly datagrams: readonly Datagram[];

  /** @param onReadable something waits; it is called again until everything was read */
  constructor(options: DatagramOptions, onReadable: (status: number) => void) {
    const isIpv4 = options.family === "IPv4";
    this.#descriptor = open(options, (set) => {
      const level = isIpv4 ? IPPROTO.ip : IPPROTO.ipv6;
      set(level, isIpv4 ? DATAGRAM_OPTION.ipRecvTtl : DATAGRAM_OPTION.ipv6RecvHopLimit, int(1));
      set(level, isIpv4 ? DATAGRAM_OPTION.ipPktInfo : DATAGRAM_OPTION.ipv6RecvPktInfo, int(1));
    });
    this.datagrams = Array.from({ length: SLOTS }, (_, at) => ({
      payload: this.#buffer.subarray(at * SLOT.bytes, at * SLOT.bytes + SLOT.payload),
      from: this.#buffer.subarray(at * SLOT.bytes + SLOT.payload, (at + 1) * SLOT.bytes),
      length: 0,
      hops: -1,
      link: -1,
    }));
    attempt(() => this.#native.watch(this.#descriptor, false, onReadable));
  }

  /** How many of `datagrams` were filled; 0: nothing waits. Throws SocketError (a pending network error). */
  read(): number {
    const count = this.#native.receiveDatagrams(this.#descriptor, this.#buffer, this.#meta);
    for (let at = 0; at < count; at++) {
      const datagram = this.datagrams[at];
      if (datagram === undefined) break;
      datagram.length = this.#meta[at * SLOT.meta] ?? 0;
      datagram.hops = this.#meta[at * SLOT.meta + 1] ?? -1;
      datagram.link = this.#meta[at * SLOT.meta + 2] ?? -1;
    }
    return count;
  }

  /** Only what this classic BPF program takes comes in from now on (filter-program.ts). Throws SocketError ENOMEM. */
  attachFilter(program: Buffer): void {
    attempt(() => this.#native.attachFilter(this.#descriptor, program));
  }

  close(): void {
    this.#native.close(this.#descriptor);
  }
}

export interface SenderOptions extends DatagramOptions {
  readonly to: { readonly address: string; readonly port: number };
  readonly hops: number;
  /** To a group: programs of this machine alone get it. */
  readonly isKeptHere?: boolean;
}

/** Sends to one address from one port. Not connected: a peer that refuses one packet does not cost the next. */
export class DatagramSender {
  readonly #native = addon();
  readonly #descriptor: number;
  readonly #messages: Buffer[] = [];
  readonly #addresses: readonly Buffer[];

  constructor(options: SenderOptions) {
    this.#addresses = [sockaddr({ family: options.family, link: options.link, ...options.to })];
    this.#descriptor = open(options, (set) => {
      const { family, hops: ttl, isKeptHere } = options;
      limitHops(set, family, { ttl, trafficClass: CLASS_CS6 });
      if (isKeptHere !== true) return;
      if (family === "IPv4") set(IPPROTO.ip, DATAGRAM_OPTION.ipMulticastTtl, int(0));
      else set(IPPROTO.ipv6, DATAGRAM_OPTION.ipv6MulticastHops, int(0));
    });
  }

  /** Throws an Error with `code` and `errno` (ENETUNREACH, EPERM by a firewall). */
  send(packet: Buffer): void {
    this.#messages[0] = packet;
    this.#native.send(this.#descriptor, this.#messages, this.#addresses);
  }

  close(): void {
    this.#native.close(this.#descriptor);
  }
}

const MICROS = 1_000;
/** Longer waits wake up early, and are set again. */
const LONGEST_MS = 60_000;

/** One wakeup at a time, on the monotonic clock, whatever the thread's other timers do. */
export class ThreadTimer {
  readonly #native = addon();
  readonly #descriptor: number;

  /** @param onExpired has to arm again or disarm: an expired timer that is left as it is expires at once again */
  constructor(onExpired: () => void) {
    this.#descriptor = attempt(() => this.#native.openTimer());
    attempt(() => this.#native.watch(this.#descriptor, false, onExpired));
  }

  /** @param ms from now; Infinity: the longest wait */
  arm(ms: number): void {
    const micros = Math.ceil(Math.min(Math.max(ms, 0), LONGEST_MS) * MICROS);
    this.#native.armTimer(this.#descriptor, Math.max(micros, 1));
  }

  close(): void {
    this.#native.close(this.#descriptor);
  }
}

/** `reason`: why not fifo. */
export type Scheduling = { readonly class: "fifo" } | { readonly class: "normal"; readonly reason: string };

/** The lowest: before everything ordinary, behind everything else that is real-time. */
const PRIORITY = 1;

/** Puts the calling thread before all of the ordinary class. That needs CAP_SYS_NICE. */
export function scheduleFirst(): Scheduling {
  try {
    attempt(() => addon().scheduleFifo(PRIORITY));
    return { class: "fifo" };
  } catch (error) {
    return { class: "normal", reason: errorText(error) };
  }
}
