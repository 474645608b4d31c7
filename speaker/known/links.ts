/** Which links of a node carry an address. Pure; `connectedTo` is the one rule for this node and for others. */
import {
  familyOf,
  formatAddress,
  formatPrefix,
  parseAddress,
  prefixOf,
  rangeOf,
  WIDTH,
} from "#api/address.ts";
import type { PoolView, SpeakerLink, SpeakerState } from "./view.ts";

/**
 * Names of the links to announce `vip` on: those that the pool names, else those whose connected prefix has the
 * address, else those with the node's own address. Only links that are up are known here.
 */
export function linksFor(
  vip: string,
  pool: PoolView,
  state: SpeakerState,
  nodeAddresses: readonly string[],
): string[] {
  const { links } = state;
  if (pool.interfaces.length > 0) {
    return links.filter(({ name }) => pool.interfaces.includes(name)).map(({ name }) => name);
  }
  const connected = links.filter((link) => connectedTo(link, vip));
  if (connected.length > 0) return connected.map(({ name }) => name);
  const family = familyOf(vip);
  return links
    .filter((link) =>
      addressesOn(link).some((own) => familyOf(own) === family && nodeAddresses.includes(own)),
    )
    .map(({ name }) => name);
}

/** The link's own addresses: its prefixes are written with them. */
export const addressesOn = ({ prefixes }: Pick<SpeakerLink, "prefixes">): string[] =>
  prefixes.map((prefix) => prefix.slice(0, prefix.indexOf("/")));

function connectedTo(link: SpeakerLink, vip: string): boolean {
  return link.prefixes.some((prefix) => prefixContains(prefix, vip));
}

/** A link's prefix is written with the link's own address, so its host bits are set. */
export function prefixContains(prefix: string, vip: string): boolean {
  const slash = prefix.lastIndexOf("/");
  const own = bitsOf(prefix.slice(0, slash));
  const other = bitsOf(vip);
  if (own === undefined || other === undefined || own.width !== other.width) return false;
  const length = Number(prefix.slice(slash + 1));
  if (!Number.isInteger(length) || length < 0 || length > own.width) return false;
  const shift = BigInt(own.width - length);
  return own.value >> shift === other.value >> shift;
}

/**
 * IPv4 broadcast address -> its prefix, of the links' prefixes. Prefixes of 31 and 32 bits have no broadcast address
 * (RFC 3021). Only this node's own links may be given: what another node writes must not take an endpoint from anybody.
 */
export function broadcastsOf(links: readonly SpeakerLink[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const prefix of links.flatMap(({ prefixes }) => prefixes)) {
    const slash = prefix.lastIndexOf("/");
    const [address, length] = [parseAddress(prefix.slice(0, slash)), Number(prefix.slice(slash + 1))];
    if (address?.family !== "IPv4" || !(length < WIDTH.IPv4 - 1)) continue;
    const whole = prefixOf(address, length);
    found.set(formatAddress({ family: "IPv4", value: rangeOf(whole).last }), formatPrefix(whole));
  }
  return found;
}

const known = new Map<string, { width: number; value: bigint }>();
const MAX_KNOWN = 20_000;

/** Each text is parsed once, because the same few prefixes and addresses come with every pass. */
function bitsOf(text: string): { width: number; value: bigint } | undefined {
  const found = known.get(text);
  if (found !== undefined) return found;
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const bits = { width: WIDTH[address.family], value: address.value };
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, bits);
  return bits;
}
