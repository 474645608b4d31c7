/** Neighbors that the kernel knows (struct ndmsg). */
import { attributes } from "./attribute.ts";
import { address, DecodeError, readU32 } from "./bytes.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_GETNEIGH = 30;
const HEADER = 12;
/** Said by its router advertisements (linux/neighbour.h). */
const NTF_ROUTER = 0x80;

const fields = attributes({ destination: [1, address] });

export interface Neighbor {
  readonly link: number;
  readonly address: string;
  readonly isRouter: boolean;
}

/** Throws DecodeError. */
export function decodeNeighbor(payload: Buffer): Neighbor {
  if (payload.length < HEADER) throw new DecodeError(`a neighbor of ${payload.length} bytes`);
  const { destination } = fields.decode(payload.subarray(HEADER));
  if (destination === undefined) throw new DecodeError("a neighbor without an address");
  return {
    link: readU32(payload, 4),
    address: destination,
    isRouter: (payload.readUInt8(10) & NTF_ROUTER) !== 0,
  };
}

/** Those of IPv6. */
export function listNeighbors6(socket: NetlinkSocket): Neighbor[] {
  const payload = Buffer.alloc(HEADER);
  payload.writeUInt8(10, 0);
  return socket
    .dump({ type: RTM_GETNEIGH, payload, attempt: "list neighbors" })
    .map((message) => decodeNeighbor(message.payload));
}
