/**
 * TCP as a BGP speaker needs it and Node has it not: signatures (RFC 2385, 5925), hop limits both ways (GTSM, RFC 5082),
 * a device and a source to bind to. What comes out is an ordinary net.Socket.
 */
import { Socket } from "node:net";
import type { Family } from "#api/address.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import type { Password } from "../known/password.ts";
import { ADDRESS_BYTES, endpointOf, int, sockaddr } from "./sockaddr.ts";
import { type Addon, addon, attempt, SocketError } from "./socket.ts";
import { type KeyPeer, type SegmentKey, signWith } from "./tcp-key.ts";
import {
  acknowledgedOf,
  bindToLink,
  IPPROTO,
  limitHops,
  OPTION,
  type SetOption,
  SOL_SOCKET,
  type TcpOptions,
} from "./tcp-option.ts";

export interface ConnectOptions extends TcpOptions {
  readonly family: "IPv4" | "IPv6";
  /** Without a zone: the link of a link-local address is `link`. */
  readonly address: string;
  readonly port: number;
  readonly sourceAddress?: string;
  /** Name of the link that the socket is bound to, and the scope of a link-local address. */
  readonly link?: string;
  readonly key?: SegmentKey;
  readonly timeoutMs: number;
  /** Gives up at once: the promise is rejected with code ECANCELED. */
  readonly signal?: AbortSignal;
}

export interface ListenOptions extends TcpOptions {
  readonly family: "IPv4" | "IPv6";
  /** Every address of the family when not given. */
  readonly address?: string;
  /** 0: the kernel chooses, see TcpListener.port. */
  readonly port: number;
  /** Only what comes in by this link. */
  readonly link?: string;
  onConnection(connection: AcceptedConnection): void;
  /** Accepting failed (EMFILE); the listener goes on after a moment. */
  onError(error: Error): void;
}

export interface AcceptedConnection {
  readonly socket: Socket;
  /** Canonical text, without a zone. */
  readonly address: string;
  readonly port: number;
  /** Name of the link, for a link-local peer. */
  readonly link?: string;
}

export interface TcpListener {
  readonly port: number;
  /**
   * Segments from this address must be signed with the key from now on; undefined: must not be signed. `before` is the
   * key that it has until then. Throws SocketError: the key before is there no more, then, if one of them is of TCP-AO.
   */
  sign(peer: KeyPeer, key: SegmentKey | undefined, before?: SegmentKey): void;
  close(): void;
}

const SOCK_STREAM = 1;
const BACKLOG = 128;
/** Accepted in one go before others get their turn. */
const ACCEPT_BATCH = 64;
/** What could not be accepted waits, and so would the descriptor be ready again at once. */
const PAUSE_MS = 1_000;

function refusal(code: string, errno: number, message: string): SocketError {
  return new SocketError({ syscall: "connect", code, errno, message });
}

/** Descriptors of sockets that were handed over, as long as they are open. */
const descriptors = new WeakMap<Socket, number>();

/** Makes a net.Socket of a connected descriptor; from now on it alone closes it. */
function handOver(native: Addon, descriptor: number): Socket {
  attempt(() => native.release(descriptor));
  const socket = new Socket({ fd: descriptor, readable: true, writable: true });
  descriptors.set(socket, descriptor);
  return socket;
}

function optionSetter(native: Addon, descriptor: number): SetOption {
  return (level, name, value) => attempt(() => native.setTcpOption(descriptor, level, name, value));
}

/** A socket with everything set that must hold from the first packet on; closes it when something is refused. */
function prepare(
  native: Addon,
  family: Family,
  configure: (set: SetOption, descriptor: number) => void,
): number {
  const descriptor = attempt(() => native.open(domainOf(family), SOCK_STREAM, IPPROTO.tcp));
  try {
    configure(optionSetter(native, descriptor), descriptor);
    return descriptor;
  } catch (error) {
    native.close(descriptor);
    throw error;
  }
}

function dial(native: Addon, options: ConnectOptions): { descriptor: number; isConnected: boolean } {
  let isConnected = false;
  const descriptor = prepare(native, options.family, (set, opened) => {
    const { family, address, port, link, sourceAddress } = options;
    bindToLink(set, link);
    limitHops(set, family, options);
    set(IPPROTO.tcp, OPTION.noDelay, int(1));
    if (options.key !== undefined)
      signWith(set, { family, address, ...(link !== undefined && { link }) }, options.key);
    if (sourceAddress !== undefined) {
      attempt(() => native.bind(opened, sockaddr({ family, address: sourceAddress, link })));
    }
    isConnected = attempt(() => native.connect(opened, sockaddr({ family, address, port, link })));
  });
  return { descriptor, isConnected };
}

/**
 * Connects. Rejected with SocketError: ECONNREFUSED, ETIMEDOUT (also a wrong password: the kernels drop such segments
 * silently), EHOSTUNREACH, EADDRNOTAVAIL, ENODEV, ECANCELED, EPERM (a device without CAP_NET_RAW), ENOPROTOOPT (a key
 * of a kind that the kernel has not).
 */
export async function connectTcp(options: ConnectOptions): Promise<Socket> {
  const native = addon();
  const to = `${options.address} port ${options.port}`;
  const { descriptor, isConnected } = dial(native, options);
  if (isConnected) return handOver(native, descriptor);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const limit = AbortSignal.timeout(options.timeoutMs);
  const late = (): void =>
    reject(refusal("ETIMEDOUT", 110, `connect: no answer from ${to} in ${options.timeoutMs} ms`));
  const cancel = (): void => reject(refusal("ECANCELED", 125, `connect: to ${to} was given up`));
  limit.addEventListener("abort", late);
  options.signal?.addEventListener("abort", cancel);
  try {
    if (options.signal?.aborted === true) cancel();
    native.watch(descriptor, true, () => resolve());
    await promise;
    attempt(() => native.connectError(descriptor));
  } catch (error) {
    native.close(descriptor);
    throw error;
  } finally {
    limit.removeEventListener("abort", late);
    options.signal?.removeEventListener("abort", cancel);
  }
  return handOver(native, descriptor);
}

/** Accepts what waits; the rest in the next turn of the loop. */
function acceptWaiting(native: Addon, descriptor: number, options: ListenOptions): void {
  for (let round = 0; round < ACCEPT_BATCH; round++) {
    const from = Buffer.alloc(ADDRESS_BYTES);
    const accepted = attempt(() => native.accept(descriptor, from));
    if (accepted < 0) return;
    optionSetter(native, accepted)(IPPROTO.tcp, OPTION.noDelay, int(1));
    options.onConnection({
      socket: handOver(native, accepted),
      ...endpointOf(from),
    });
  }
}

/**
 * Listens. A connection has the listener's hop limits and the key of its peer from its first packet on.
 * Throws SocketError: EADDRINUSE, EACCES (a port below 1024 without CAP_NET_BIND_SERVICE), ENODEV.
 */
export function listenTcp(options: ListenOptions): TcpListener {
  const native = addon();
  const { family, link } = options;
  let isOpen = true;
  const watch = (opened: number): void =>
    native.watch(opened, false, () => {
      try {
        acceptWaiting(native, opened, options);
      } catch (error) {
        native.unwatch(opened);
        AbortSignal.timeout(PAUSE_MS).addEventListener("abort", () => {
          if (isOpen) watch(opened);
        });
        options.onError(error instanceof Error ? error : new Error(String(error)));
      }
    });
  const descriptor = prepare(native, family, (set, opened) => {
    set(SOL_SOCKET, OPTION.reuseAddress, int(1));
    if (family === "IPv6") set(IPPROTO.ipv6, OPTION.ipv6Only, int(1));
    bindToLink(set, link);
    limitHops(set, family, options);
    attempt(() => native.bind(opened, sockaddr(options)));
    attempt(() => native.listen(opened, BACKLOG));
    watch(opened);
  });
  const { port } = endpointOf(attempt(() => native.name(descriptor)));
  return {
    port,
    sign: (peer, key, before) => {
      if (!isOpen) throw refusal("EBADF", 9, "the listener is closed");
      signWith(optionSetter(native, descriptor), peer, key, before);
    },
    close: () => {
      if (isOpen) native.close(descriptor);
      isOpen = false;
    },
  };
}

/**
 * Changes the password of a live connection, accepted or made here (Linux 5.8 and later; EINVAL before). Nothing is
 * lost when the peer changes its own within the hold time: segments signed otherwise are dropped and sent again.
 */
export function setMd5(socket: Socket, peer: KeyPeer, password: Password): void {
  signWith(optionSetter(addon(), descriptorOf(socket)), peer, { password });
}

/**
 * Changes the hop limits of a live connection: those of an accepted one, once it is known who the peer is. What had
 * come before is not judged again; what follows is. The family is the connection's own: IPv4's limits are taken by an
 * IPv6 connection, too, and limit nothing there.
 */
export function setHopLimits(socket: Socket, limits: TcpOptions): void {
  const { remoteFamily } = socket;
  if (remoteFamily !== "IPv4" && remoteFamily !== "IPv6") throw closed();
  limitHops(optionSetter(addon(), descriptorOf(socket)), remoteFamily, limits);
}

/**
 * Bytes of ours that the peer's kernel has confirmed since the connection began: they stand still where the peer's
 * program does not read and its buffers are full, however much our own kernel still takes.
 */
export function acknowledgedBytes(socket: Socket): number {
  const [native, descriptor] = [addon(), descriptorOf(socket)];
  return acknowledgedOf((level, name, into) =>
    attempt(() => native.getTcpOption(descriptor, level, name, into)),
  );
}

function descriptorOf(socket: Socket): number {
  const descriptor = descriptors.get(socket);
  // A destroyed socket's number may already be another's.
  if (descriptor === undefined || socket.destroyed) throw closed();
  return descriptor;
}

const closed = (): SocketError => refusal("EBADF", 9, "the connection is closed");
