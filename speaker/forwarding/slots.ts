/**
 * Slots: by which number a packet of tier 2 says for which pod it is. The node that sent it by a tunnel chose a pod, and sent
 * the tunnel to that pod's address; the slot is made of this address, so every node makes the same one (docs/dataplane.md,
 * "Which pod a tunnel is for"). Pure, but that it remembers a few answers.
 */
import { addressKey } from "#speaker/forwarding/elements.ts";
import { MAX_SLOT, NO_SLOT } from "#speaker/forwarding/mark.ts";
import type { ForwardedEndpoint, ForwardedPort } from "#speaker/forwarding/types.ts";

export interface Keyed {
  readonly endpoint: ForwardedEndpoint;
  /** Its address as an element's key. */
  readonly key: string;
}

/** Endpoints of a port, in one order on every node: by bytes of the address, then by port. */
export interface Slots {
  readonly sorted: readonly Keyed[];
  readonly bySlot: ReadonlyMap<number, readonly Keyed[]>;
  /** Two pods of the port that are on one node have one slot. */
  readonly areShared: boolean;
}

/** The last hexadecimal digits of an address that a slot is made of. */
const DIGITS = 4;

/**
 * 1 to MAX_SLOT. `key`: an address as an element's key. Pods of a node have addresses of one range, as a rule: of a range of 512
 * addresses no two have one slot, but for its first and its last address, which are seldom pods.
 */
export const slotOfAddress = (key: string): number =>
  NO_SLOT + 1 + ((Number.parseInt(key.slice(-DIGITS), 16) & MAX_SLOT) % MAX_SLOT);

function byAddress({ key: left, endpoint: a }: Keyed, { key: right, endpoint: b }: Keyed): number {
  return left < right ? -1 : left > right ? 1 : a.port - b.port;
}

/** Throws for an address that is none. */
function slotsOf({ endpoints }: ForwardedPort): Slots {
  const sorted = endpoints
    .map((endpoint): Keyed => ({ endpoint, key: addressKey(endpoint.address) }))
    .sort(byAddress);
  const bySlot = new Map<number, Keyed[]>();
  for (const keyed of sorted) {
    const slot = slotOfAddress(keyed.key);
    const others = bySlot.get(slot);
    if (others === undefined) bySlot.set(slot, [keyed]);
    else others.push(keyed);
  }
  return { sorted, bySlot, areShared: [...bySlot.values()].some(areOfOneNode) };
}

const areOfOneNode = (some: readonly Keyed[]): boolean =>
  some.length > 1 && new Set(some.map(({ endpoint }) => endpoint.node)).size < some.length;

/** A port is asked for all its virtual servers one after the other, and beside its successor. */
const REMEMBERED = 8;

/** `slotsOf`, of the ports that were asked for last. */
export class RememberedSlots {
  readonly #known = new Map<ForwardedPort, Slots>();

  of(port: ForwardedPort): Slots {
    const known = this.#known.get(port);
    if (known !== undefined) return known;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const slots = slotsOf(port);
    this.#known.set(port, slots);
    return slots;
  }
}
