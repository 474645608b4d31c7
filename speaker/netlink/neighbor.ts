/** Neighbors that the kernel knows or asks for (struct ndmsg). */
import { attributes } from "./attribute.ts";
import { address, DecodeError, readU16, readU32, writeU32 } from "./bytes.ts";
import { domainOfAddress } from "./domain.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const HEADER = 12;
/** It was asked for, and has not answered (linux/neighbour.h). */
const NUD_INCOMPLETE = 0x01;
/** Said by its router advertisements (linux/neighbour.h). */
const NTF_ROUTER = 0x80;

const fields = attributes({ destination: [1, address] });

export interface Neighbor {
  /** Index of the link. */
  readonly link: number;
  readonly address: string;
  readonly isUnanswered: boolean;
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
    isUnanswered: (readU16(payload, 8) & NUD_INCOMPLETE) !== 0,
    isRouter: (payload.readUInt8(10) & NTF_ROUTER) !== 0,
  };
}

/** Those of one family (AF_INET, AF_INET6). Throws NetlinkError. */
export function listNeighbors(socket: Pick<NetlinkSocket, "dump">, family: number): Neighbor[] {
  const payload = Buffer.alloc(HEADER);
  payload.writeUInt8(family, 0);
  return socket
    .dump({ type: RTM_GETNEIGH, payload, attempt: "list neighbors" })
    .map((message) => decodeNeighbor(message.payload));
}

/** Whatever waits for its answer is dropped, and the next packet asks for it. ENOENT: there is no such neighbor. */
export function removeNeighbor({ link, address }: Pick<Neighbor, "link" | "address">): Request {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(domainOfAddress(address), 0);
  writeU32(header, link, 4);
  return {
    type: RTM_DELNEIGH,
    payload: Buffer.concat([header, fields.encode({ destination: address })]),
    attempt: `remove neighbor ${address} of link ${link}`,
  };
}
