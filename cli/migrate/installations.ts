/** Several MetalLBs, told apart by their namespaces: none of them knows the advertisements and peers of another. Pure. */
import { uniqueEntries } from "#cli/migrate/advertisements.ts";
import type { Converted } from "#cli/migrate/pools.ts";
import { isMap, listOf, NOWHERE, type Notes, type Source, type Spec } from "#cli/migrate/source.ts";

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
        `${whose(namespace)} has an installation of its own beside ${others.join(", ")}; ours is one: all of it is carried over into that (--from-namespace chooses one)`,
      );
    }
  }
  return namedApart(installations, notes);
}

/** What bears a name of its own in one installation, and would stand beside that of another. */
const KIND_MADE: Readonly<Record<string, string>> = {
  AddressPool: "AddressPool",
  IPAddressPool: "AddressPool",
  BGPPeer: "BGPPeer",
  BFDProfile: "BFDProfile",
};

/**
 * Where an earlier installation has the name already, the later one's object gets another one, and so does whatever
 * refers to it: else a route of the one would go to the router of the other that happens to bear the same name.
 */
function namedApart(installations: readonly Installation[], notes: Notes): Installation[] {
  const taken = new Set<string>();
  const keyOf = (kind: string, name: string): string => `${KIND_MADE[kind]}/${name}`;
  return installations.map(({ namespace, sources }) => {
    const renamed = new Map<string, string>();
    const own = sources.filter(({ kind }) => KIND_MADE[kind] !== undefined);
    for (const source of own) {
      const key = keyOf(source.kind, source.name);
      if (!taken.has(key) || renamed.has(key)) continue;
      const name = freeName(`${source.name}-${namespace}`, (each) => taken.has(keyOf(source.kind, each)));
      renamed.set(key, name);
      const asked = key.startsWith("AddressPool/")
        ? "; a Service that asks for it by name needs the new one"
        : "";
      notes.add(source, `is called "${name}" now: another installation has one of this name, too${asked}`);
    }
    const nameOf = (kind: string, name: unknown): unknown =>
      typeof name === "string" ? (renamed.get(keyOf(kind, name)) ?? name) : name;
    const whole = sources.map((source) => ({
      ...source,
      name: nameOf(source.kind, source.name) as string,
      spec: withNames(source.spec, nameOf),
    }));
    for (const { kind, name } of whole) if (KIND_MADE[kind] !== undefined) taken.add(keyOf(kind, name));
    return { namespace, sources: whole };
  });
}

function freeName(wanted: string, isTaken: (name: string) => boolean): string {
  for (let at = 2, name = wanted; ; at += 1) {
    if (!isTaken(name)) return name;
    name = `${wanted}-${at}`;
  }
}

/** Whatever refers to another object by its name. */
function withNames(spec: Spec, nameOf: (kind: string, name: unknown) => unknown): Spec {
  const named = { ...spec };
  if (Array.isArray(spec.peers)) named.peers = spec.peers.map((each) => nameOf("BGPPeer", each));
  if (Array.isArray(spec.ipAddressPools)) {
    named.ipAddressPools = spec.ipAddressPools.map((each) => nameOf("AddressPool", each));
  }
  if (spec.bfdProfile !== undefined) named.bfdProfile = nameOf("BFDProfile", spec.bfdProfile);
  if (Array.isArray(spec.bgpAdvertisements)) {
    named.bgpAdvertisements = spec.bgpAdvertisements.map((each: unknown) =>
      isMap(each) ? withNames(each, nameOf) : each,
    );
  }
  return named;
}

/** Peers and pools of several installations live in one: a route goes to peers of its own installation alone. */
export function scopedTo(
  installations: readonly Installation[],
  peers: readonly Converted[],
  pools: readonly Converted[],
  notes: Notes,
): readonly Converted[] {
  if (installations.length < 2) return pools;
  return pools.map(({ source, spec }) => {
    if (spec.protocol !== "bgp") return { source, spec };
    const own = peers
      .filter((peer) => peer.source.namespace === source.namespace)
      .map((peer) => peer.source.name);
    const entries = listOf<Spec>(spec, "bgpAdvertisements");
    const scoped = (entries.length === 0 ? [{}] : entries).flatMap((entry): Spec[] => {
      const wanted = listOf(entry, "peers");
      const those = wanted.length === 0 ? own : own.filter((name) => wanted.includes(name));
      return those.length === 0 ? [] : [{ ...entry, peers: those }];
    });
    if (scoped.length === 0) {
      notes.add(
        source,
        `${whose(source.namespace)} has no BGPPeer for it: its addresses are given, and advertised to nobody, which ours does by node selectors that match no node`,
      );
      scoped.push({ nodeSelectors: NOWHERE });
    }
    return { source, spec: { ...spec, bgpAdvertisements: uniqueEntries(scoped) } };
  });
}

const whose = (namespace: string): string =>
  namespace === "" ? "what names no namespace" : `namespace "${namespace}"`;
