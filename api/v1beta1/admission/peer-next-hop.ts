/** The rules of BGPPeers that are about next hops, one function each. */
import { type Family, parseAddress } from "#api/address.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { BGPPeer } from "#api/v1beta1/generated/types.ts";

const FIELDS = [
  ["nextHop", "IPv4"],
  ["nextHopV6", "IPv6"],
] as const;
const WORDS: readonly string[] = ["self", "InternalIP"];

/**
 * Of one host, wherever the router is (RFC 4271 section 5.1.3): no network that stands for this host or for many, and no
 * address of one link.
 */
export function canBeNextHop(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  const { family, value } = address;
  if (family === "IPv4") {
    const first = Number(value >> 24n);
    return first !== 0 && first !== 127 && first < 224;
  }
  return value > 1n && value >> 120n !== 0xffn && value >> 118n !== 0x3fan;
}

const isOf = (text: string, family: Family): boolean => text.includes(":") === (family === "IPv6");
/** The rule in the CRD does not take the dotted spelling of IPv6. */
const isPlain = (text: string): boolean => !(text.includes(":") && text.includes("."));

export function nextHopsAreUsable({ spec }: BGPPeer): Fault[] {
  return FIELDS.flatMap(([name, family]) => {
    const text = spec[name];
    if (text === undefined || WORDS.includes(text)) return [];
    if (isOf(text, family) && isPlain(text) && canBeNextHop(text)) return [];
    const wanted = `self, InternalIP or an ${family} address that routers send to`;
    return [fault(`spec.${name}`, `"${text}" is not ${wanted}`)];
  });
}

/** RFC 4271 section 5.1.3: a route is not told to a peer with the peer's own address as its next hop. */
export function nextHopIsNotPeer({ spec }: BGPPeer): Fault[] {
  const peer = spec.peerAddress === undefined ? undefined : parseAddress(spec.peerAddress);
  if (peer === undefined) return [];
  return FIELDS.flatMap(([name]) => {
    const text = spec[name];
    const own = text === undefined ? undefined : parseAddress(text);
    if (own === undefined || own.family !== peer.family || own.value !== peer.value) return [];
    return [fault(`spec.${name}`, `"${text}" is the router's own address`)];
  });
}

export const NEXT_HOP_RULES: readonly ((peer: BGPPeer, view: AdmissionView) => Fault[])[] = [
  nextHopsAreUsable,
  nextHopIsNotPeer,
];

/** A next hop of a family that the session does not exchange. */
export function nextHopWarnings({ spec }: BGPPeer): string[] {
  const { peerAddress, listenRange, defaultGateway, dualStackAddressFamily } = spec;
  if (dualStackAddressFamily === true) return [];
  const where = peerAddress ?? listenRange ?? (defaultGateway === "IPv6" ? ":" : defaultGateway);
  if (where === undefined || spec.interface !== undefined) return [];
  return FIELDS.flatMap(([name, family]) =>
    spec[name] === undefined || isOf(where, family)
      ? []
      : [
          `spec.${name}: has no effect without spec.dualStackAddressFamily: no ${family} prefixes are told to this router`,
        ],
  );
}
