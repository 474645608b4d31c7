/**
 * Which nodes are on a link of this one, so that a frame with a packet for a pod of theirs goes straight to them
 * (spec.forwarding.tunnel none). Pure: the kernel's ways are an argument.
 */
import { addressesOn } from "./links.ts";
import type { NodeView, SpeakerState } from "./view.ts";

/** The kernel's way to an address. */
export interface Way {
  /** Index of the link. */
  readonly link: number;
  /** Absent: the address itself is asked for on the link. */
  readonly gateway?: string;
}

/** In the order of the addresses; undefined: there is none. */
export type WaysTo = (addresses: readonly string[]) => readonly (Way | undefined)[];

export interface Surrounded {
  /** This node. */
  readonly node: string;
  readonly nodes: ReadonlyMap<string, Pick<NodeView, "addresses" | "own" | "tunnelSources">>;
  readonly states: ReadonlyMap<string, SpeakerState>;
  /** Indexes of links that find their neighbours by ARP and NDP. */
  readonly links: ReadonlySet<number>;
}

/**
 * Names, sorted. A node is on the link if the kernel goes to its own address straight, and to its pods by an address of
 * it. Where its pods are is known by its podCIDRs; of a node without any nothing can be said.
 */
export function nodesOnLink({ node, nodes, states, links }: Surrounded, waysTo: WaysTo): string[] {
  const asked: { readonly name: string; readonly address: string; readonly isNode: boolean }[] = [];
  for (const [name, { addresses, tunnelSources = [] }] of nodes) {
    if (name === node || tunnelSources.length === 0) continue;
    for (const address of Object.values(addresses)) asked.push({ name, address, isNode: true });
    for (const address of tunnelSources) asked.push({ name, address, isNode: false });
  }
  if (asked.length === 0) return [];
  const ways = waysTo(asked.map(({ address }) => address));
  const isNear = new Map<string, boolean>();
  for (const [at, { name, address, isNode }] of asked.entries()) {
    const way = ways[at];
    const next = way?.gateway ?? (isNode ? address : undefined);
    const isStraight = way !== undefined && next !== undefined && links.has(way.link) && isOf(name, next);
    isNear.set(name, (isNear.get(name) ?? true) && isStraight);
  }
  return [...isNear].flatMap(([name, near]) => (near ? [name] : [])).sort();

  function isOf(name: string, address: string): boolean {
    const { own = [], tunnelSources = [] } = nodes.get(name) ?? {};
    const ofLinks = (): string[] => (states.get(name)?.links ?? []).flatMap(addressesOn);
    return own.includes(address) || tunnelSources.includes(address) || ofLinks().includes(address);
  }
}
