/**
 * Spreads addresses over the nodes that may own them, when somebody asks for it: as evenly as single moves can. Where all
 * nodes may own all addresses, no node has two more than another one then. All nodes come to the same moves, because all
 * have the same plan, and each gives away what is its own. Pure.
 */
import type { AddressPlan } from "./addresses.ts";

type Address = Pick<AddressPlan, "vip" | "owner" | "candidates">;

/** What one look costs is bounded: mostly the second round finds nothing more. */
const MOST_ROUNDS = 10;

/** Address -> who is to own it, of those that move. `addresses`: all of a plan, in its order. */
export function rebalance(addresses: readonly Address[]): ReadonlyMap<string, string> {
  const owned = new Map<string, Address[]>();
  const before = new Map<string, string>();
  for (const address of addresses) {
    const { vip, owner } = address;
    if (owner === undefined) continue;
    before.set(vip, owner);
    const list = owned.get(owner);
    if (list === undefined) owned.set(owner, [address]);
    else list.push(address);
  }
  const moved = new Map<string, string>();
  for (let round = 0; round < MOST_ROUNDS && spread(owned, moved); round += 1);
  for (const [vip, owner] of moved) if (before.get(vip) === owner) moved.delete(vip);
  return moved;
}

/**
 * The node that has most gives one to the candidate that has least, over and over: so nobody gives what another one would
 * have to. False if nobody can give. A node that cannot is not asked again in this round.
 */
function spread(owned: Map<string, Address[]>, moved: Map<string, string>): boolean {
  const loadOf = (node: string): number => owned.get(node)?.length ?? 0;
  const givers = new Set(owned.keys());
  let hasMoved = false;
  while (givers.size > 0) {
    let giver = "";
    for (const node of givers) {
      const ahead = loadOf(node) - loadOf(giver);
      if (giver === "" || ahead > 0 || (ahead === 0 && node < giver)) giver = node;
    }
    const list = owned.get(giver) ?? [];
    const at = list.findIndex(({ candidates }) => candidates.some((node) => loadOf(node) < list.length - 1));
    const [address] = at < 0 ? [] : list.splice(at, 1);
    if (address === undefined) {
      givers.delete(giver);
      continue;
    }
    let least = giver;
    for (const node of address.candidates) {
      const behind = loadOf(least) - loadOf(node);
      if (behind > 0 || (behind === 0 && node < least && least !== giver)) least = node;
    }
    const others = owned.get(least);
    if (others === undefined) owned.set(least, [address]);
    else others.push(address);
    moved.set(address.vip, least);
    hasMoved = true;
  }
  return hasMoved;
}
