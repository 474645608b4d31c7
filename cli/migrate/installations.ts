/** Several MetalLBs, told apart by their namespaces: none of them knows the advertisements and peers of another. Pure. */
import type { Converted } from "#cli/migrate/pools.ts";
import { listOf, NOWHERE, type Notes, type Source, type Spec } from "#cli/migrate/source.ts";

export interface Installation {
  readonly namespace: string;
  readonly sources: readonly Source[];
}

/** Objects that name no namespace belong to the only one that is named. */
export function installationsOf(
  sources: readonly Source[],
  only: string | undefined,
  notes: Notes,
): Installation[] {
  const chosen =
    only === undefined ? sources : sources.filter(({ namespace }) => namespace === only || namespace === "");
  for (const source of sources) {
    if (!chosen.includes(source))
      notes.add(source, `is not carried over: it is of namespace "${source.namespace}", not of "${only}"`);
  }
  const named = [...new Set(chosen.map(({ namespace }) => namespace))].filter(
    (namespace) => namespace !== "",
  );
  if (named.length < 2) return [{ namespace: named[0] ?? "", sources: chosen }];
  const all = [...new Set(chosen.map(({ namespace }) => namespace))];
  const installations = all.map((namespace) => ({
    namespace,
    sources: chosen.filter((source) => source.namespace === namespace),
  }));
  for (const { namespace, sources: own } of installations.slice(1)) {
    const [first] = own;
    const others = all.filter((each) => each !== namespace).map((each) => `"${each}"`);
    if (first !== undefined) {
      notes.add(
        first,
        `namespace "${namespace}" has an installation of its own beside ${others.join(", ")}; ours is one: all of it is carried over into that (--from-namespace chooses one)`,
      );
    }
  }
  return installations;
}

/** Peers and pools of several installations live in one: a route that was for all peers is for all of its own. */
export function scopedTo(
  installations: readonly Installation[],
  peers: readonly Converted[],
  pools: readonly Converted[],
): readonly Converted[] {
  if (installations.length < 2) return pools;
  return pools.map(({ source, spec }) => {
    if (spec.protocol !== "bgp") return { source, spec };
    const own = peers
      .filter((peer) => peer.source.namespace === source.namespace)
      .map((peer) => peer.source.name);
    const entries = listOf<Spec>(spec, "bgpAdvertisements");
    const scoped = (entries.length === 0 ? [{}] : entries).map((entry) => {
      if (listOf(entry, "peers").length > 0) return entry;
      return own.length > 0 ? { ...entry, peers: own } : { ...entry, nodeSelectors: NOWHERE };
    });
    return { source, spec: { ...spec, bgpAdvertisements: scoped } };
  });
}
