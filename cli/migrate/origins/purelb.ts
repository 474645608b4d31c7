/** PureLB: ServiceGroup -> AddressPool; of the LBNodeAgent the link of local addresses. Pure. */
import type { Found } from "#cli/documents.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import {
  deep,
  inText,
  isMap,
  listOf,
  metadataOf,
  type Notes,
  ofKind,
  partOf,
  type Source,
  type Spec,
  textOf,
} from "#cli/migrate/source.ts";

const GROUP = /^purelb\.io\//;
/** The group of Services that name none. */
const DEFAULT = "default";
const POOLS = ["v4pool", "v6pool"] as const;

export const pureLb: Origin = {
  reads: ({ object }) => GROUP.test(object.apiVersion),
  convert: (founds, notes) => {
    const agents = ofKind(founds, "LBNodeAgent");
    const links = agents.flatMap((agent) => linksOf(agent, notes));
    const groups = ofKind(founds, "ServiceGroup");
    for (const found of founds) {
      if (!agents.includes(found) && !groups.includes(found)) {
        notes.addFound(found, "is not carried over: nothing of ours corresponds to it");
      }
    }
    return { sources: groups.flatMap((group) => poolOf(group, links, notes)), installs: [] };
  },
};

function linksOf(agent: Found, notes: Notes): string[] {
  const local = deep(agent.object, "spec", "local");
  const { localint, ...rest } = isMap(local) ? local : {};
  notes.unmatched(agent, "spec.local.", rest);
  const name = textOf(localint) ?? DEFAULT;
  if (name === DEFAULT) return [];
  if (/^[\w.-]{1,15}$/.test(name)) return [name];
  notes.addFound(
    agent,
    `spec.local.localint: "${name}" is not carried over: spec.interfaces of an AddressPool has names, not patterns`,
  );
  return [];
}

function poolOf(group: Found, links: readonly string[], notes: Notes): Source[] {
  const { name = "" } = metadataOf(group.object);
  const way = (["local", "remote"] as const).find((each) => isMap(deep(group.object, "spec", each)));
  if (way === undefined) {
    notes.addFound(group, `is not carried over: only spec.local and spec.remote have addresses of their own`);
    return [];
  }
  const given = deep(group.object, "spec", way) as Spec;
  const parts = [
    ...(given.pool === undefined ? [] : [given]),
    ...POOLS.flatMap((pool) => [given[pool], ...listOf(given, `${pool}s`)]),
  ].filter(isMap);
  const aggregations = parts
    .map(({ aggregation }) => textOf(aggregation))
    .filter((each) => each !== undefined && each !== DEFAULT);
  // Local addresses of the nodes' own network are answered for; all others were routed to by a daemon beside PureLB.
  const isRouted = way === "remote" || aggregations.length > 0;
  if (isRouted) {
    notes.addFound(
      group,
      "its addresses were advertised by a routing daemon on the nodes: the pool has protocol bgp, and needs BGPPeers for your routers",
    );
  }
  const spec: Spec = {
    protocol: isRouted ? "bgp" : "layer2",
    addresses: parts.map(({ pool }) => inText(pool)),
    ...(name === DEFAULT ? {} : { autoAssign: false }),
    ...(isRouted || links.length === 0 ? {} : { interfaces: links }),
    ...(isRouted ? advertisement(parts) : {}),
  };
  return [partOf(group, "AddressPool", { name, part: "", spec })];
}

/** `/24` of a pool is the length of its routes. */
function advertisement(parts: readonly Spec[]): Spec {
  const lengths: Spec = {};
  for (const { pool, aggregation } of parts) {
    const length = Number(/^\/(\d+)$/.exec(inText(aggregation))?.[1]);
    if (!Number.isInteger(length)) continue;
    lengths[inText(pool).includes(":") ? "aggregationLengthV6" : "aggregationLength"] ??= length;
  }
  return Object.keys(lengths).length === 0 ? {} : { bgpAdvertisements: [lengths] };
}
