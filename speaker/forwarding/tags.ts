/**
 * Tags: by which number a packet of tier 2 says for which pod it is. The node that sent it by a tunnel chose a pod, and sent
 * the tunnel to that pod's address; the tag is made of this address, so every node makes the same one (docs/dataplane.md,
 * "Which pod a tunnel is for"). Pure, but that it remembers a few answers.
 */
import { addressKey } from "#speaker/forwarding/elements.ts";
import { MAX_TAG, NO_TAG } from "#speaker/forwarding/mark.ts";
import type { ForwardedEndpoint, ForwardedPort } from "#speaker/forwarding/types.ts";

export interface Keyed {
  readonly endpoint: ForwardedEndpoint;
  /** Its address as an element's key. */
  readonly key: string;
}

/** Endpoints of a port, in one order on every node: by bytes of the address, then by port. */
export interface Tags {
  readonly sorted: readonly Keyed[];
  readonly byTag: ReadonlyMap<number, readonly Keyed[]>;
  /** Two pods of the port that are on one node have one tag. */
  readonly areShared: boolean;
}

const ZERO = "0".charCodeAt(0);

/** A decimal number in a text, up to the end or to what is no digit. */
function numberAt(text: string, from: number): number {
  let number = 0;
  for (let at = from; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    number = 10 * number + digit;
  }
  return number;
}

/**
 * The last 16 bits of an address in canonical text. They are read from the text, because to make its bytes takes ten times as
 * long, and the audit asks for the tags of all pods every few seconds.
 */
function lastBits(address: string): number {
  const dot = address.lastIndexOf(".");
  if (dot >= 0)
    return (numberAt(address, address.lastIndexOf(".", dot - 1) + 1) << 8) | numberAt(address, dot + 1);
  const last = address.slice(address.lastIndexOf(":") + 1);
  return last === "" ? 0 : Number.parseInt(last, 16);
}

/**
 * 1 to MAX_TAG. Pods of a node have addresses of one range, as a rule: of a range of 512 addresses no two have one tag, but for
 * its first and its last address, which are seldom pods.
 */
export const tagOfAddress = (address: string): number =>
  NO_TAG + 1 + ((lastBits(address) & MAX_TAG) % MAX_TAG);

function byAddress({ key: left, endpoint: a }: Keyed, { key: right, endpoint: b }: Keyed): number {
  return left < right ? -1 : left > right ? 1 : a.port - b.port;
}

/** Throws for an address that is none. */
function tagsOf({ endpoints }: ForwardedPort): Tags {
  const sorted = endpoints
    .map((endpoint): Keyed => ({ endpoint, key: addressKey(endpoint.address) }))
    .sort(byAddress);
  const byTag = new Map<number, Keyed[]>();
  for (const keyed of sorted) {
    const tag = tagOfAddress(keyed.endpoint.address);
    const others = byTag.get(tag);
    if (others === undefined) byTag.set(tag, [keyed]);
    else others.push(keyed);
  }
  return { sorted, byTag, areShared: [...byTag.values()].some(areOfOneNode) };
}

const areOfOneNode = (some: readonly Keyed[]): boolean =>
  some.length > 1 && new Set(some.map(({ endpoint }) => endpoint.node)).size < some.length;

/** A port is asked for all its virtual servers one after the other, and beside its successor. */
const REMEMBERED = 8;

/** `tagsOf`, of the ports that were asked for last. */
export class RememberedTags {
  readonly #known = new Map<ForwardedPort, Tags>();

  of(port: ForwardedPort): Tags {
    const known = this.#known.get(port);
    if (known !== undefined) return known;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const tags = tagsOf(port);
    this.#known.set(port, tags);
    return tags;
  }
}
