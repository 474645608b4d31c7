/** With whom this node shares its connections, and by which link. Pure. */
import { familyOf } from "#api/address.ts";
import { hasLabels, type Labels } from "#common/kube/selector.ts";
import { DEFAULT_SETTINGS, type ForwardingInput, type SyncPeer } from "../forwarding/types.ts";
import { addressesOn } from "../known/links.ts";
import type { NodeLink } from "../known/node-links.ts";
import type { NodeView } from "../known/view.ts";

export interface SharingNodes {
  get(name: string): Pick<NodeView, "addresses"> | undefined;
  entries(): Iterable<readonly [name: string, node: Pick<NodeView, "labels">]>;
}

export interface SharingParts {
  readonly node: string;
  readonly knowledge: { readonly nodes: SharingNodes };
  readonly members: { readonly judgement: { readonly live: readonly string[] } };
  readonly monitor: { links(): readonly NodeLink[] };
}

type OwnNode = Pick<SharingParts, "node" | "knowledge">;

const SETTINGS = { ...DEFAULT_SETTINGS, sharesConnections: true };

/**
 * Whether no other node may have a speaker. Who lives is not asked: a list that goes and comes back breaks flows that were
 * bound to it.
 */
export function isAlone({ node, knowledge }: SharingParts, nodeSelector: Labels): boolean {
  for (const [name, { labels }] of knowledge.nodes.entries())
    if (name !== node && hasLabels(labels, nodeSelector)) return false;
  return true;
}

/** By which of its addresses others tell this node of connections: IPv4 where it has it. */
function sharedAddress({ node, knowledge }: OwnNode): string | undefined {
  const { IPv4, IPv6 } = knowledge.nodes.get(node)?.addresses ?? {};
  return IPv4 ?? IPv6;
}

/** Others tell this node of connections by one of these links. */
export function isSharedBy(links: readonly NodeLink[], own: OwnNode): boolean {
  const address = sharedAddress(own);
  return address !== undefined && links.some((link) => addressesOn(link).includes(address));
}

/**
 * By the link that has this node's own address, over IPv4 where the node has it: all nodes of a cluster have the same
 * families. Without such a link the lists are as for sharing, and nothing is shared.
 */
export function sharing({
  node,
  knowledge,
  members,
  monitor,
}: SharingParts): Pick<ForwardingInput, "settings" | "sync"> {
  const address = sharedAddress({ node, knowledge });
  if (address === undefined) return { settings: SETTINGS };
  const link = monitor.links().find((one) => addressesOn(one).includes(address));
  if (link === undefined) return { settings: SETTINGS };
  const peers = members.judgement.live.flatMap((name): SyncPeer[] => {
    const theirs = name === node ? undefined : knowledge.nodes.get(name)?.addresses?.[familyOf(address)];
    return theirs === undefined ? [] : [{ node: name, address: theirs }];
  });
  const { name, index } = link;
  return { settings: SETTINGS, sync: { link: { name, index }, address, peers } };
}
