/** All that is wanted in the kernel for an input, as plain JSON: sorted, printable, comparable. Pure. */
import { elementKey } from "#speaker/forwarding/elements.ts";
import type { Element, ForwardingInput, ForwardingPlan } from "#speaker/forwarding/types.ts";
import { Wanted } from "#speaker/forwarding/wanted.ts";

/** A port that no kernel would take is left out alone. If two ports claim the same, the later one is left out. */
export function planForwarding(input: ForwardingInput): ForwardingPlan {
  const wanted = new Wanted();
  wanted.update(input);
  return planOf(wanted);
}

export function planOf(wanted: Wanted): ForwardingPlan {
  const { settings, leftOut, nodeAddresses, knowsMembers } = wanted;
  const sorted = [...wanted.elements].map(([set, elements]): [string, Element[]] => [
    set,
    elements.list().sort((a, b) => (elementKey(a) < elementKey(b) ? -1 : 1)),
  ]);
  return {
    settings,
    leftOut,
    nodeAddresses,
    knowsMembers,
    virtualServers: [...wanted.servers.keys()]
      .flatMap((key) => wanted.servers.get(key) ?? [])
      .sort((a, b) => a.mark - b.mark),
    routes: [...wanted.routes].sort(),
    elements: Object.fromEntries(sorted.sort(([a], [b]) => (a < b ? -1 : 1))),
    remoteEndpoints: wanted.sampleRemotes(),
  };
}
