/**
 * MetalLB's configuration -> ours. Nothing is dropped silently: whatever is not carried over as it was has a note, and
 * what comes out is judged as `genkan check` does, so that it is admitted.
 */

import { API_VERSION, LOADBALANCER_NAME } from "#api/names.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
import { type Documents, type Manifest, NO_DOCUMENTS, type Unreadable } from "#cli/documents.ts";
import { convertBalancers, convertProfiles } from "#cli/migrate/balancer.ts";
import { Aliases } from "#cli/migrate/communities.ts";
import { gather } from "#cli/migrate/gather.ts";
import { type Installation, installationsOf, scopedTo } from "#cli/migrate/installations.ts";
import { noteHooks, peoplesMarks } from "#cli/migrate/marks.ts";
import { convertPeers } from "#cli/migrate/peers.ts";
import { type Converted, convertPools } from "#cli/migrate/pools.ts";
import { pruneSpec } from "#cli/migrate/prune.ts";
import { judgeServices } from "#cli/migrate/services.ts";
import { isExposure, isMap, metadataOf, type Note, Notes, type Source } from "#cli/migrate/source.ts";

export interface MigrateOptions {
  /** Ours, that Genkan is installed in. */
  readonly namespace: string;
  readonly prefer: "layer2" | "bgp";
  /** Where there are several installations: the one to be carried over. */
  readonly fromNamespace?: string | undefined;
  /** Who is to forward at first, whatever the source says; without it what comes out has our default. */
  readonly forwarding?: "IPVS" | "KubeProxy" | undefined;
}

export interface Migration {
  /** In the order in which they are to be applied. */
  readonly objects: readonly Manifest[];
  readonly notes: readonly Note[];
  /** What has to be read first: then there are no objects. */
  readonly unreadable: readonly Unreadable[];
  /** Manifests that are not MetalLB's. */
  readonly passedOver: number;
}

export function migrate(documents: Documents, options: MigrateOptions): Migration {
  const notes = new Notes();
  const { sources, installs, services, unreadable, passedOver } = gather(documents, notes);
  if (unreadable.length > 0) return { objects: [], notes: [], unreadable, passedOver };
  const installations = installationsOf(sources, options.fromNamespace, notes);
  const converted: Parts[] = [];
  for (const installation of installations) {
    const earlier = converted.flatMap((each) => each.BGPPeer);
    converted.push(convertOne(installation, { options, earlier }, notes));
  }
  const of = (kind: keyof Parts): readonly Converted[] => converted.flatMap((parts) => parts[kind]);
  const parts = scopedTo(installations, of("BGPPeer"), of("AddressPool"), notes);
  const isAnything = sources.length + installs.length > 0;
  const made = [
    ...convertBalancers(installs, options.namespace, notes).map((each) =>
      madeOf("LoadBalancer", each, options, notes),
    ),
    ...of("BFDProfile").map((each) => madeOf("BFDProfile", each, options, notes)),
    ...of("BGPPeer").map((each) => madeOf("BGPPeer", each, options, notes)),
    ...parts.map((each) => madeOf("AddressPool", each, options, notes)),
  ];
  const whole = withLoadBalancer(admitted(made, options, notes), isAnything, options);
  const objects = whole.map((each) => withForwarding(each, options));
  judgeServices(services, objects, notes);
  return { objects, notes: inOrder(notes.list, documents), unreadable: [], passedOver };
}

interface Parts {
  readonly BFDProfile: readonly Converted[];
  readonly BGPPeer: readonly Converted[];
  readonly AddressPool: readonly Converted[];
}

interface Around {
  readonly options: MigrateOptions;
  /** Peers of installations before this one: all of ours agree. */
  readonly earlier: readonly Converted[];
}

function convertOne({ sources }: Installation, { options, earlier }: Around, notes: Notes): Parts {
  const of = (...kinds: readonly string[]): Source[] => sources.filter(({ kind }) => kinds.includes(kind));
  const aliases = new Aliases(of("Community"), notes);
  // A cluster gives them by name: files shall come to the same.
  const byName = (a: Source, b: Source): number => (a.name < b.name ? -1 : 1);
  const layer2 = of("L2Advertisement").sort(byName);
  const bgp = of("BGPAdvertisement").sort(byName);
  const pools = { pools: of("AddressPool", "IPAddressPool"), layer2, bgp, aliases };
  const parts = {
    BFDProfile: convertProfiles(of("BFDProfile")),
    BGPPeer: convertPeers(of("BGPPeer"), { namespace: options.namespace, earlier }, notes),
    AddressPool: convertPools({ ...pools, prefer: options.prefer }, notes),
  };
  aliases.noteUnused();
  return parts;
}

/** Nothing runs without one: where no source says anything about it, its defaults hold. */
function withLoadBalancer(
  objects: readonly Manifest[],
  isAnything: boolean,
  { namespace }: MigrateOptions,
): readonly Manifest[] {
  if (!isAnything || objects.some(({ kind }) => kind === "LoadBalancer")) return objects;
  const metadata: ObjectMeta = { name: LOADBALANCER_NAME, namespace };
  return [{ apiVersion: API_VERSION, kind: "LoadBalancer", metadata, spec: {} }, ...objects];
}

function withForwarding(object: Manifest, { forwarding: mode }: MigrateOptions): Manifest {
  if (object.kind !== "LoadBalancer" || mode === undefined) return object;
  return { ...object, spec: { ...(isMap(object.spec) ? object.spec : {}), forwarding: { mode } } };
}

/** Who is reached anew comes first; the others as the objects stand in the files. */
function inOrder(notes: readonly Note[], { found, strangers }: Documents): Note[] {
  const files = [...new Set([...found, ...strangers].map(({ file }) => file))];
  const places = new Map(files.map((file, at) => [file, at]));
  const placeOf = ({ file }: Note): number => places.get(file) ?? -1;
  return notes.toSorted(
    (a, b) => Number(isExposure(b)) - Number(isExposure(a)) || placeOf(a) - placeOf(b) || a.line - b.line,
  );
}

interface Made {
  readonly source: Source;
  readonly object: Manifest;
}

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
    ...peoplesMarks(source),
  };
  noteHooks(source, notes);
  return { source, object: { apiVersion: API_VERSION, kind, metadata, spec: value } };
}

/** Those that `genkan check` admits as a set; of the others it is said why not. */
function admitted(made: readonly Made[], { namespace }: MigrateOptions, notes: Notes): Manifest[] {
  const found = made.map(({ source, object }) => ({ ...source.found, object }));
  const documents = { ...NO_DOCUMENTS, found };
  const { objects } = checkDocuments(documents, { namespace, isNamespaceGiven: true });
  return made.flatMap(({ source, object }, at) => {
    const faults = objects[at]?.faults ?? [];
    for (const fault of faults) notes.add(source, `is not carried over: ${faultText(fault)}`);
    return faults.length === 0 ? [object] : [];
  });
}
