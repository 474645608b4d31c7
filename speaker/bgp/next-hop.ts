/**
 * Which next hops prefixes are advertised with: this node, on the link towards the peer, since a router may know no way
 * to the node's other addresses (RFC 4271 section 5.1.3, RFC 4760 section 3, RFC 2545 section 3); or what the BGPPeer
 * says. Pure.
 */
import { FAMILIES, type Family, familyOf } from "#api/address.ts";
import { prefixContains } from "#speaker/known/links.ts";
import type { ChosenNextHops } from "./types.ts";

/** The first one is used; the second one, where there is one, is link-local. A family without any is not advertised. */
export type NextHops = Readonly<Partial<Record<Family, readonly string[]>>>;

/** An address of this node. */
export interface LinkAddress {
  readonly link: string;
  readonly address: string;
  /** `address/length`. */
  readonly prefix: string;
}

export interface NextHopInput {
  /** This node's end of the connection. */
  readonly local: string;
  /** The peer's end. */
  readonly peer: string;
  /** Where a link-local connection is. */
  readonly link: string | undefined;
  /** All of this node. */
  readonly addresses: readonly LinkAddress[];
  /** The node's InternalIPs: what is used where its links say nothing. */
  readonly node: Readonly<Partial<Record<Family, string>>>;
  /** Of families whose next hop the BGPPeer says: null where the node has none of the kind. */
  readonly chosen?: ChosenNextHops | undefined;
  /** The peer takes IPv4 prefixes with IPv6 next hops (RFC 8950). */
  readonly takesExtended: boolean;
}

const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);
const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

export function nextHopsOf(input: NextHopInput): NextHops {
  const own = ownNextHops(input);
  const hops = FAMILIES.flatMap((family): [Family, readonly string[]][] => {
    const choice = input.chosen?.[family];
    const list = choice === undefined ? own[family] : chosenOf(choice, input);
    return list === undefined ? [] : [[family, list]];
  });
  return Object.fromEntries(hops);
}

function chosenOf(choice: string | null, input: NextHopInput): readonly string[] | undefined {
  // RFC 4271 section 5.1.3: never the peer's own address, which a gateway or a router of a range may turn out to have.
  if (choice === null || choice === input.peer) return undefined;
  const own = onLinkOf(input);
  // RFC 2545 section 3: a link-local address goes with one that is this node's on the link that it shares with the peer.
  const isThere = own.some(({ address }) => address === choice) && isPeerOnLink(input, own);
  const linkLocal = familyOf(choice) === "IPv6" && isThere ? linkLocalOf(input, own) : undefined;
  return linkLocal === undefined ? [choice] : [choice, linkLocal];
}

function ownNextHops(input: NextHopInput): NextHops {
  // The router's BGP runs on this node: what it tells others is the node's own address.
  if (isLoopback(input.local)) return nextHopsOnNode(input.node);
  const own = onLinkOf(input);
  const ipv6 = ipv6Of(input, own);
  const ipv4 = ipv4Of(input, own, ipv6);
  return { ...(ipv4 !== undefined && { IPv4: ipv4 }), ...(ipv6 !== undefined && { IPv6: ipv6 }) };
}

function nextHopsOnNode({ IPv4, IPv6 }: NextHopInput["node"]): NextHops {
  return { ...(IPv4 !== undefined && { IPv4: [IPv4] }), ...(IPv6 !== undefined && { IPv6: [IPv6] }) };
}

/** The addresses of the link that has this end of the connection. */
function onLinkOf({ local, link, addresses }: NextHopInput): readonly LinkAddress[] {
  const found = addresses.find((one) => one.address === local && (link === undefined || one.link === link));
  return found === undefined ? [] : addresses.filter((one) => one.link === found.link);
}

function ipv4Of(
  { local, node, takesExtended }: NextHopInput,
  own: readonly LinkAddress[],
  ipv6: readonly string[] | undefined,
): readonly string[] | undefined {
  if (familyOf(local) === "IPv4") return [local];
  return takesExtended ? ipv6 : listOf(globalOf("IPv4", own, node) ?? node.IPv4);
}

const isPeerOnLink = ({ peer }: NextHopInput, own: readonly LinkAddress[]): boolean =>
  isLinkLocal(peer) || own.some(({ prefix }) => prefixContains(prefix, peer));

const linkLocalOf = ({ local }: NextHopInput, own: readonly LinkAddress[]): string | undefined =>
  isLinkLocal(local) ? local : own.find(({ address }) => isLinkLocal(address))?.address;

function ipv6Of(input: NextHopInput, own: readonly LinkAddress[]): readonly string[] | undefined {
  const { local, node } = input;
  const linkLocal = linkLocalOf(input, own);
  const own6 = familyOf(local) === "IPv6" && !isLinkLocal(local) ? local : globalOf("IPv6", own, node);
  // RFC 2545 section 3: the link-local one goes with it if and only if the peer shares the link.
  if (!isPeerOnLink(input, own) || linkLocal === undefined) return listOf(own6 ?? node.IPv6);
  // A global one of another link would be no neighbour of the peer's: it is left out then.
  return own6 === undefined ? [linkLocal] : [own6, linkLocal];
}

/** The link's address of that family: the node's InternalIP if the link has it, else the first one. */
function globalOf(
  family: Family,
  own: readonly LinkAddress[],
  node: NextHopInput["node"],
): string | undefined {
  const candidates = own
    .map(({ address }) => address)
    .filter((address) => familyOf(address) === family && !isLinkLocal(address) && !isLoopback(address));
  return candidates.find((address) => address === node[family]) ?? candidates[0];
}

function listOf(address: string | undefined): readonly string[] | undefined {
  return address === undefined ? undefined : [address];
}
