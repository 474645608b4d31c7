/** What IPVS has counted for services found by mark, by generic netlink (linux/ip_vs.h). */
import { attributes } from "./attribute.ts";
import { type Codec, DecodeError, u16, u32 } from "./bytes.ts";
import { AF_INET } from "./domain.ts";
import { decodeGeneric, encodeGeneric, familyIfThere } from "./genl.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const GET_SERVICE = 4;
const VERSION = 1;

/** The machine's own order; past 2^53 it is not exact. */
const u64: Codec<number> = {
  encode(value) {
    return Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
  },
  decode(bytes) {
    if (bytes.length < 8) throw new DecodeError(`${bytes.length} bytes where 8 are needed`);
    const [low = 0, high = 0] = [u32.decode(bytes), u32.decode(bytes.subarray(4))];
    return IS_LITTLE ? high * 2 ** 32 + low : low * 2 ** 32 + high;
  },
};
const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** IPVS_STATS_ATTR_*, of which those of what comes in: what pods answer goes past the node that forwards. */
const statistics = attributes({ connections: [1, u64], packets: [2, u64], bytes: [4, u64] });
/** IPVS_SVC_ATTR_STATS64, since Linux 4.1. */
const service = attributes({ family: [1, u16], mark: [5, u32], statistics: [12, statistics] });
export const message = attributes({ service: [1, service] });

/** Counts since the service was made. */
export interface MarkTraffic {
  readonly family: number;
  readonly mark: number;
  readonly connections: number;
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Of all services that are found by mark, part by part; nothing where the kernel has no ip_vs at present. The socket can
 * do nothing else meanwhile. Throws NetlinkError, DecodeError.
 */
export function* walkTraffic(
  socket: Pick<NetlinkSocket, "dump" | "walk">,
): Generator<readonly MarkTraffic[], void> {
  const type = familyIfThere(socket, "IPVS");
  if (type === undefined) return;
  const payload = encodeGeneric(GET_SERVICE, VERSION, Buffer.alloc(0));
  const request: Request = { type, payload, attempt: "list what services have counted" };
  for (const part of socket.walk(request)) yield part.flatMap((one) => decodeTraffic(one.payload) ?? []);
}

/** Undefined: it is found by address, and none of ours, or this kernel does not say. */
export function decodeTraffic(payload: Buffer): MarkTraffic | undefined {
  const {
    family = AF_INET,
    mark,
    statistics: counts,
  } = message.decode(decodeGeneric(payload).body).service ?? {};
  if (!mark || counts === undefined) return undefined;
  const { connections = 0, packets = 0, bytes = 0 } = counts;
  return { family, mark, connections, packets, bytes };
}
