/** What is otherwise in one outcome than in another. Pure. */
import type { Given, Outcome } from "#cli/plan/outcome.ts";

export interface Difference {
  readonly services: readonly {
    readonly service: string;
    readonly given: readonly string[];
    readonly lost: readonly string[];
    /** Why it has not got all that it asks for, afterwards. */
    readonly refusal?: string;
  }[];
  /** Addresses that are there before and after, and are attracted by other nodes. */
  readonly moves: readonly {
    readonly address: string;
    readonly from: readonly string[];
    readonly to: readonly string[];
  }[];
  readonly prefixes: readonly {
    readonly node: string;
    readonly peer: string;
    readonly advertised: readonly string[];
    readonly withdrawn: readonly string[];
  }[];
}

export function difference(before: Outcome, after: Outcome): Difference {
  return {
    services: keysOf(before.services, after.services).flatMap((service) => {
      const [old, now] = [before.services.get(service) ?? NOTHING, after.services.get(service) ?? NOTHING];
      const given = without(now.addresses, old.addresses);
      const lost = without(old.addresses, now.addresses);
      const isRefusedAnew = now.refusal !== undefined && now.refusal !== old.refusal;
      if (given.length + lost.length === 0 && !isRefusedAnew) return [];
      return [{ service, given, lost, ...(now.refusal !== undefined && { refusal: now.refusal }) }];
    }),
    moves: keysOf(before.nodes, after.nodes).flatMap((address) => {
      const [from, to] = [before.nodes.get(address), after.nodes.get(address)];
      // One that is given or lost is told above.
      if (from === undefined || to === undefined || from.join() === to.join()) return [];
      return [{ address, from, to }];
    }),
    prefixes: keysOf(before.prefixes, after.prefixes).flatMap((key) => {
      const [node = "", peer = ""] = key.split(" ");
      const [old, now] = [before.prefixes.get(key) ?? [], after.prefixes.get(key) ?? []];
      const [advertised, withdrawn] = [without(now, old), without(old, now)];
      return advertised.length + withdrawn.length === 0 ? [] : [{ node, peer, advertised, withdrawn }];
    }),
  };
}

const NOTHING: Given = { addresses: [] };

const keysOf = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].sort();

function without(list: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other);
  return list.filter((one) => !known.has(one));
}
