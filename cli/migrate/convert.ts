/**
 * MetalLB's configuration -> ours. Nothing is dropped silently: whatever is not carried over as it was has a note, and
 * what comes out is judged as `genkan check` does, so that it is admitted.
 */

import { API_VERSION, LOADBALANCER_NAME } from "#api/names.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
import type { Documents, Found, Manifest } from "#cli/documents.ts";
import { convertBalancers, convertProfiles } from "#cli/migrate/balancer.ts";
import { Aliases } from "#cli/migrate/communities.ts";
import { convertPeers } from "#cli/migrate/peers.ts";
import { type Converted, convertPools } from "#cli/migrate/pools.ts";
import { pruneSpec } from "#cli/migrate/prune.ts";
import { isMap, metadataOf, type Note, Notes, type Source, sourceOf } from "#cli/migrate/source.ts";

export interface MigrateOptions {
  /** Ours, that Genkan is installed in. */
  readonly namespace: string;
  readonly prefer: "layer2" | "bgp";
}

export interface Migration {
  /** In the order in which they are to be applied. */
  readonly objects: readonly Manifest[];
  readonly notes: readonly Note[];
  /** Manifests that are not MetalLB's. */
  readonly passedOver: number;
}

const METALLB = /^metallb\.io\//;
/** Written by MetalLB itself. */
const STATUS_KINDS = ["ServiceL2Status", "ServiceBGPStatus", "BGPSessionStatus", "ConfigurationState"];
const KINDS = [
  ...["AddressPool", "IPAddressPool", "L2Advertisement", "BGPAdvertisement", "Community"],
  ...["BGPPeer", "BFDProfile", "MetalLB"],
];

export function migrate(documents: Documents, options: MigrateOptions): Migration {
  const notes = new Notes();
  const sources: Source[] = [];
  let passedOver = 0;
  for (const found of documents.found) {
    const isOne = METALLB.test(found.object.apiVersion) && KINDS.includes(found.object.kind);
    if (isOne) sources.push(sourceOf(found));
    else if (!noteOther(found, notes)) passedOver += 1;
  }
  const of = (...kinds: readonly string[]): Source[] => sources.filter(({ kind }) => kinds.includes(kind));
  const aliases = new Aliases(of("Community"), notes);
  // A cluster gives them by name: files shall come to the same.
  const byName = (a: Source, b: Source): number => (a.name < b.name ? -1 : 1);
  const layer2 = of("L2Advertisement").sort(byName);
  const bgp = of("BGPAdvertisement").sort(byName);
  const pools = { pools: of("AddressPool", "IPAddressPool"), layer2, bgp, aliases };
  const converted: (readonly [string, readonly Converted[]])[] = [
    ["LoadBalancer", convertBalancers(of("MetalLB"), notes)],
    ["BFDProfile", convertProfiles(of("BFDProfile"))],
    ["BGPPeer", convertPeers(of("BGPPeer"), options.namespace, notes)],
    ["AddressPool", convertPools({ ...pools, prefer: options.prefer }, notes)],
  ];
  aliases.noteUnused();
  const made = converted.flatMap(([kind, list]) => list.map((each) => madeOf(kind, each, options, notes)));
  const objects = admitted(made, options, notes);
  return { objects, notes: inOrder(notes.list, documents.found), passedOver };
}

/** As the objects stand in the files. */
function inOrder(notes: readonly Note[], found: readonly Found[]): Note[] {
  const files = [...new Set(found.map(({ file }) => file))];
  return notes.toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line);
}

/** False: it is nothing that has to do with MetalLB. */
function noteOther(found: Found, notes: Notes): boolean {
  const { apiVersion, kind, data } = found.object;
  if (kind === "ConfigMap" && isMap(data) && /^address-pools:|^peers:/m.test(String(data.config))) {
    notes.addFound(found, "is not carried over: the ConfigMap of MetalLB before 0.13 is not read");
    return true;
  }
  if (!/^(frrk8s\.)?metallb\.io\//.test(apiVersion)) return false;
  const isStatus = STATUS_KINDS.includes(kind);
  notes.addFound(
    found,
    isStatus
      ? "is not carried over: MetalLB wrote it about itself"
      : "is not carried over: nothing of ours corresponds to it",
  );
  return true;
}

interface Made {
  readonly source: Source;
  readonly object: Manifest;
}

/** Labels and annotations of machines. */
const MACHINES = /^(kubectl\.kubernetes\.io\/|meta\.helm\.sh\/|helm\.sh\/|app\.kubernetes\.io\/managed-by$)/;

function madeOf(kind: string, { source, spec }: Converted, options: MigrateOptions, notes: Notes): Made {
  const { value, dropped } = pruneSpec(kind, spec);
  for (const each of dropped) {
    notes.add(source, `${each.path}: ${each.value} is not carried over: ours has no such field`);
  }
  const written = metadataOf(source.found.object);
  if ((written.ownerReferences ?? []).length > 0) {
    const owners = written.ownerReferences?.map((owner) => `${owner.kind} "${owner.name}"`).join(", ");
    notes.add(source, `metadata.ownerReferences: ${owners} is not carried over: ours is nobody's`);
  }
  const metadata: ObjectMeta = {
    name: kind === "LoadBalancer" ? LOADBALANCER_NAME : source.name,
    namespace: options.namespace,
    ...people("labels", written.labels),
    ...people("annotations", written.annotations),
  };
  return { source, object: { apiVersion: API_VERSION, kind, metadata, spec: value } };
}

function people(name: "labels" | "annotations", map: Readonly<Record<string, string>> | undefined): object {
  const kept = Object.entries(map ?? {}).filter(([key]) => !MACHINES.test(key));
  return kept.length === 0 ? {} : { [name]: Object.fromEntries(kept) };
}

/** Those that `genkan check` admits as a set; of the others it is said why not. */
function admitted(made: readonly Made[], { namespace }: MigrateOptions, notes: Notes): Manifest[] {
  const found = made.map(({ source, object }) => ({ ...source.found, object }));
  const documents = { found, unreadable: [], strangers: [] };
  const { objects } = checkDocuments(documents, { namespace, isNamespaceGiven: true });
  return made.flatMap(({ source, object }, at) => {
    const faults = objects[at]?.faults ?? [];
    for (const fault of faults) notes.add(source, `is not carried over: ${faultText(fault)}`);
    return faults.length === 0 ? [object] : [];
  });
}
