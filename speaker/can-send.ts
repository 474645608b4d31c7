/** Whether this process may send frames at all. */
import type { Trouble } from "./apply.ts";
import { PacketSocket } from "./native/packet.ts";
import { SocketError } from "./native/socket.ts";

const LOOPBACK_INDEX = 1;

/** Why this process cannot: packet sockets need NET_RAW. It is tried on loopback, so that no link has to be there. */
export function cannotSend(): Trouble | undefined {
  try {
    const receive = "arp";
    new PacketSocket({ linkIndex: LOOPBACK_INDEX, receive, onFrames() {}, onError() {} }).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const reason = error.code === "EPERM" ? "NotPermitted" : "NoPacketSocket";
    return { reason, message: `packet socket: ${error.message} (the right NET_RAW is needed)` };
  }
}
