/** The question of a host that has an address of its own and wants to reach another one (RFC 4861 section 4.3). */
import { encodeMessage, solicitedNode } from "#speaker/layer2/ndp.ts";

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
  return encodeMessage({ to, hardware, source, destination, message });
}
