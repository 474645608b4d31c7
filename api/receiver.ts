/**
 * Where a LoadBalancer may have speakers send calls (spec.layer2.ownerChangedURL). Speakers are in the network of their
 * nodes, so whoever writes the URL could else reach what listens to the node alone, or take what a cloud's metadata
 * service tells the node. Pure.
 */
import { type Address, overlaps, parseAddress, parsePrefix, rangeOf } from "#api/address.ts";
import { specialRangeOf } from "#api/special.ts";

const LONGEST_URL = 1_024;

/** Services that a cloud offers to its machines alone, at addresses that are not link-local. */
const OF_CLOUDS: readonly (readonly [prefix: string, name: string])[] = [
  ["100.100.100.200/32", "metadata of Alibaba Cloud"],
  ["168.63.129.16/32", "the host of Azure"],
  ["192.0.0.192/32", "metadata of Oracle Cloud"],
  ["fd00:ec2::/32", "services of AWS for instances"],
  ["fd20:ce::254/128", "metadata of Google Cloud"],
];
/** The last four octets are an IPv4 address, which a translator reaches (RFC 6052). */
const TRANSLATED = rangeOf(parsePrefix("64:ff9b::/96"));

/** Why no speaker calls this address; undefined: it may. */
export function whyNotCalled(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return "is no address";
  const special = specialRangeOf(inner(address));
  if (special !== undefined) return `is in ${special}`;
  const { family, value } = inner(address);
  const found = OF_CLOUDS.find(([prefix]) =>
    overlaps(rangeOf(parsePrefix(prefix)), { family, first: value, last: value }),
  );
  return found === undefined ? undefined : `is in ${found[0]} (${found[1]})`;
}

function inner(address: Address): Address {
  const { family, value } = address;
  const isTranslated = family === "IPv6" && TRANSLATED.first <= value && value <= TRANSLATED.last;
  return isTranslated ? { family: "IPv4", value: value & 0xffff_ffffn } : address;
}

/** Why a URL is none that speakers call; undefined: they do. Which addresses a name has is looked at with each call. */
export function whyNoReceiver(text: string): string | undefined {
  if (text.length > LONGEST_URL) return `has more than ${LONGEST_URL} characters`;
  const url = URL.parse(text);
  if (url === null) return "is no URL";
  if (url.protocol !== "https:") return "is not https: an answer that anybody can forge tells nothing";
  if (url.username !== "" || url.password !== "") return "has a user or a password: calls are signed instead";
  if (url.hash !== "") return "has a fragment, which is not sent";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  // A name has no colon; what has one and is no address to us is one that is dressed as another.
  if (parseAddress(host) === undefined && !host.includes(":")) return undefined;
  const why = whyNotCalled(host);
  return why === undefined ? undefined : `names ${host}, which ${why}`;
}

/** The URL for people: its query may have a secret in it. */
export function receiverText(text: string): string {
  const url = URL.parse(text);
  return url === null ? "the receiver" : `${url.origin}${url.pathname}`;
}
