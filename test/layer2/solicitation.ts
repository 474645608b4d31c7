/** The question of a host that has an address of its own and wants to reach another one (RFC 4861 section 4.3). */
import { ETHER_TYPE, ETHERNET_HEADER, frameFor } from "#speaker/layer2/frame.ts";
import { checksum, HOP_LIMIT, solicitedNode } from "#speaker/layer2/ndp.ts";

const IPV6_HEADER = 40;
const ICMPV6 = 58;
const SOLICITATION = 135;
const SOURCE_LINK_LAYER = 1;

export interface Solicitation {
  /** IPv6 addresses, 16 bytes. */
  readonly target: Uint8Array;
  readonly source: Uint8Array;
  readonly hardware: Uint8Array;
}

/** 86 bytes. */
export function solicitation({ target, source, hardware }: Solicitation): Buffer {
  const destination = solicitedNode(target);
  const message = Buffer.alloc(32);
  message[0] = SOLICITATION;
  message.set(target, 8);
  message.set([SOURCE_LINK_LAYER, 1, ...hardware], 24);
  const to = Uint8Array.of(0x33, 0x33, ...destination.subarray(12));
  const header = { destination: to, source: hardware, type: ETHER_TYPE.ipv6 };
  const frame = frameFor(header, IPV6_HEADER + message.length);
  const packet = frame.subarray(ETHERNET_HEADER);
  packet[0] = 0x60;
  packet.writeUInt16BE(message.length, 4);
  packet[6] = ICMPV6;
  packet[7] = HOP_LIMIT;
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(message, IPV6_HEADER);
  packet.writeUInt16BE(checksum(source, destination, message), IPV6_HEADER + 2);
  return frame;
}
