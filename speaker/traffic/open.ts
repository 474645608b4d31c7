/** A socket of its own: a list of the kernel's may be half read while forwarding goes on. */
import { walkTraffic } from "#speaker/netlink/ipvs-traffic.ts";
import { NetlinkSocket, PROTOCOL } from "#speaker/netlink/socket.ts";
import type { Source } from "./traffic-watch.ts";

/** Throws SocketError. */
export function openTraffic(): Source {
  const socket = new NetlinkSocket(PROTOCOL.generic);
  return { walk: () => walkTraffic(socket), [Symbol.dispose]: () => socket.close() };
}
