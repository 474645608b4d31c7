/** Addresses of links (struct ifaddrmsg). */
import { attributes } from "./attribute.ts";
import { address, type Codec, DecodeError, raw, readU32, u32, writeU32 } from "./bytes.ts";
import { domainOfAddress } from "./domain.ts";
import { FLAG } from "./header.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const HEADER = 8;
export const ADDRESS_GROUPS: readonly number[] = [5, 9];

const fields = attributes({
  address: [1, address],
  local: [2, address],
  lifetimes: [6, raw],
  flags: [8, u32],
});
/** struct ifa_cacheinfo: preferred and valid seconds (all ones: for ever), and two times that only the kernel sets. */
const DEPRECATED = Buffer.from("00000000ffffffff0000000000000000", "hex");

export interface LinkAddress {
  link: number;
  address: string;
  prefixLength: number;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  scope: number;
  /** Only written: never the source of a packet unless asked for (RFC 6724 section 5, rule 3). */
  isDeprecated?: boolean;
}

export const addressCodec: Codec<LinkAddress> = {
  encode(value) {
    const header = Buffer.alloc(HEADER);
    header.writeUInt8(domainOfAddress(value.address), 0);
    header.writeUInt8(value.prefixLength, 1);
    header.writeUInt8(value.scope, 3);
    writeU32(header, value.link, 4);
    const lifetimes = value.isDeprecated ? { lifetimes: DEPRECATED } : {};
    return Buffer.concat([
      header,
      fields.encode({ address: value.address, local: value.address, ...lifetimes }),
    ]);
  },
  decode(payload) {
    if (payload.length < HEADER) throw new DecodeError(`an address of ${payload.length} bytes`);
    const decoded = fields.decode(payload.subarray(HEADER));
    const own = decoded.local ?? decoded.address;
    if (own === undefined) throw new DecodeError("an address message without an address");
    return {
      link: readU32(payload, 4),
      address: own,
      prefixLength: payload.readUInt8(1),
      scope: payload.readUInt8(3),
    };
  },
};

export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  return socket
    .dump({ type: RTM_GETADDR, payload: Buffer.alloc(HEADER), attempt: "list addresses" })
    .map((message) => addressCodec.decode(message.payload));
}

export const addAddress = (value: LinkAddress): Request => ({
  type: RTM_NEWADDR,
  flags: FLAG.create | FLAG.replace,
  payload: addressCodec.encode(value),
  attempt: `add address ${value.address}/${value.prefixLength} to link ${value.link}`,
});

export const removeAddress = (value: LinkAddress): Request => ({
  type: RTM_DELADDR,
  payload: addressCodec.encode(value),
  attempt: `remove address ${value.address}/${value.prefixLength} from link ${value.link}`,
});
