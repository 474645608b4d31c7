/**
 * Membership in IPv6 multicast groups of a link (ipv6(7), RFC 3493 section 5.2): the kernel reports what a socket has
 * joined to the link's switches and routers, answers their queries, and takes the report back when the socket leaves,
 * is closed, or its process ends (MLD, RFC 3810).
 */
import { domainOf } from "#speaker/netlink/domain.ts";
import { int } from "./sockaddr.ts";
import { SOCK, Socket } from "./socket.ts";
import { IPPROTO } from "./tcp-option.ts";

const OPTION = { join: 20, leave: 21 } as const;

/**
 * What this socket has joined on one link. Each membership takes option memory of the socket, which ends after some
 * hundreds of them (net.core.optmem_max): then `join` throws ENOBUFS, and another socket has to take the rest.
 */
export class GroupSocket {
  readonly #socket: Socket;
  readonly #linkIndex: number;

  /** Throws SocketError EAFNOSUPPORT where the kernel has no IPv6. */
  constructor(linkIndex: number) {
    this.#linkIndex = linkIndex;
    this.#socket = new Socket(domainOf("IPv6"), SOCK.dgram, 0);
  }

  /** Throws SocketError ENOBUFS, ENODEV (no such link, or IPv6 is not on it). */
  join(group: Uint8Array): void {
    this.#socket.setOption(IPPROTO.ipv6, OPTION.join, this.#request(group));
  }

  /** Throws SocketError EADDRNOTAVAIL for what was not joined, or went with its link. */
  leave(group: Uint8Array): void {
    this.#socket.setOption(IPPROTO.ipv6, OPTION.leave, this.#request(group));
  }

  close(): void {
    this.#socket.close();
  }

  /** struct ipv6_mreq: the group's 16 bytes, the link's index. */
  #request(group: Uint8Array): Buffer {
    return Buffer.concat([group, int(this.#linkIndex)]);
  }
}
