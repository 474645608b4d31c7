/** Documents -> what there is to convert: objects of MetalLB, and what other forms and other origins have of the same. Pure. */
import { type Documents, type Found, readValue, type Stranger, type Unreadable } from "#cli/documents.ts";
import { peoplesMarks } from "#cli/migrate/marks.ts";
import {
  isOldConfig,
  looksLikeOldConfig,
  oldConfigsOf,
  sourcesOfOldConfig,
} from "#cli/migrate/origins/configmap.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import { ORIGINS } from "#cli/migrate/origins/others.ts";
import {
  helmfileValues,
  isValuesFile,
  metallbValues,
  sourcesOfValues,
  type Values,
  valuesOf,
} from "#cli/migrate/origins/values.ts";
import { roleOf, specOfWorkload } from "#cli/migrate/origins/workloads.ts";
import { isMap, type Notes, partOf, type Source, type Spec, sourceOf } from "#cli/migrate/source.ts";
import { markIn, markInValue } from "#cli/templates.ts";

export interface Gathered {
  readonly sources: readonly Source[];
  /** What says how the whole is installed, of the kind that counts most: an object of MetalLB, values, workloads. */
  readonly installs: readonly Source[];
  readonly services: readonly Found[];
  readonly unreadable: readonly Unreadable[];
  readonly passedOver: number;
}

const METALLB = /^metallb\.io\//;
/** Written by MetalLB itself. */
const STATUS_KINDS = ["ServiceL2Status", "ServiceBGPStatus", "BGPSessionStatus", "ConfigurationState"];
const KINDS = [
  ...["AddressPool", "IPAddressPool", "L2Advertisement", "BGPAdvertisement", "Community"],
  ...["BGPPeer", "BFDProfile"],
];
/** A template that is about something else is left alone. */
const ABOUT_METALLB = /metallb|address-pools|IPAddressPool|BGPPeer|configInline/i;

export function gather(documents: Documents, notes: Notes): Gathered {
  const all = new Collected();
  for (const found of documents.found) read(found, all, notes);
  for (const stranger of documents.strangers) readStranger(stranger, all, notes);
  const unreadable = [...documents.unreadable, ...all.unreadable];
  for (const template of documents.templates) {
    if (template.isNamed === true || ABOUT_METALLB.test(template.text)) unreadable.push(template);
    else all.passedOver += 1;
  }
  for (const [origin, founds] of all.others) {
    const { sources, installs } = origin.convert(founds, notes);
    all.sources.push(...sources);
    all.rank(3).push(...installs);
  }
  const sources = [...all.sources, ...all.ranks.flat()];
  for (const source of sources) {
    const mark = markInValue([source.name, source.namespace, peoplesMarks(source), source.spec]);
    const { file, line } = source.found;
    if (mark !== undefined)
      unreadable.push({ file, line, message: `${sourceWords(source)}: ${mark.message}` });
  }
  return {
    sources: all.sources,
    installs: all.ranks.find((rank) => rank.length > 0) ?? [],
    services: all.services,
    unreadable,
    passedOver: all.passedOver,
  };
}

const sourceWords = ({ label, kind, name }: Source): string => label ?? `${kind} "${name}"`;

class Collected {
  readonly sources: Source[] = [];
  readonly services: Found[] = [];
  readonly unreadable: Unreadable[] = [];
  readonly others = new Map<Origin, Found[]>();
  /** MetalLB objects, values, workloads, other origins. */
  readonly ranks: readonly Source[][] = [[], [], [], []];
  passedOver = 0;

  rank(at: 0 | 1 | 2 | 3): Source[] {
    return this.ranks[at] as Source[];
  }

  add(sources: readonly Source[]): void {
    for (const source of sources) (source.kind === "MetalLB" ? this.rank(1) : this.sources).push(source);
  }

  addOther(origin: Origin, found: Found): void {
    const founds = this.others.get(origin);
    if (founds === undefined) this.others.set(origin, [found]);
    else founds.push(found);
  }
}

function read(found: Found, all: Collected, notes: Notes): void {
  const { apiVersion, kind, data } = found.object;
  if (METALLB.test(apiVersion) && kind === "MetalLB") all.rank(0).push(sourceOf(found));
  else if (METALLB.test(apiVersion) && KINDS.includes(kind)) all.sources.push(sourceOf(found));
  else if (kind === "Service" && apiVersion === "v1") all.services.push(found);
  else if (/^(frrk8s\.)?metallb\.io\//.test(apiVersion)) noteForeign(found, notes);
  else if (kind === "ConfigMap" && readConfigMap(found, data, all, notes)) return;
  else if (readRelease(found, all, notes) || readWorkload(found, all)) return;
  else {
    const origin = ORIGINS.find((each) => each.reads(found));
    if (origin === undefined) all.passedOver += 1;
    else all.addOther(origin, found);
  }
}

function noteForeign(found: Found, notes: Notes): void {
  const isStatus = STATUS_KINDS.includes(found.object.kind);
  const why = isStatus ? "MetalLB wrote it about itself" : "nothing of ours corresponds to it";
  notes.addFound(found, `is not carried over: ${why}`);
}

function readConfigMap(found: Found, data: unknown, all: Collected, notes: Notes): boolean {
  const configs = oldConfigsOf(data);
  if (configs !== undefined) {
    for (const config of configs) all.add(sourcesOfOldConfig(found, config, notes));
    return true;
  }
  if (!looksLikeOldConfig(found)) return false;
  const texts = Object.values(data as Spec).filter((text) => typeof text === "string");
  const mark = texts.map(markIn).find((each) => each !== undefined);
  const { file, line } = found;
  const message = mark?.message ?? "holds MetalLB's configuration, which is no YAML";
  all.unreadable.push({ file, line, message: `ConfigMap: ${message}` });
  return true;
}

function readRelease(found: Found, all: Collected, notes: Notes): boolean {
  const inner = innerManifests(found);
  for (const object of inner) read(object, all, notes);
  const values = valuesOf(found);
  for (const each of values ?? []) all.add(sourcesOfValues(found, each, notes));
  return inner.length > 0 || values !== undefined;
}

function readWorkload(found: Found, all: Collected): boolean {
  const role = roleOf(found);
  if (role === undefined) return false;
  const spec = specOfWorkload(found, role);
  const [first] = all.rank(2);
  // Controller and speaker are one installation.
  if (first === undefined) all.rank(2).push(partOf(found, "MetalLB", { name: "workloads", part: "", spec }));
  else for (const [name, value] of Object.entries(spec)) first.spec[name] ??= value;
  return true;
}

const RELEASE_KINDS = ["HelmRelease", "Application", "ApplicationSet", "HelmChart"];
const MAX_DEPTH = 20;

/** Charts for any object have whole manifests among their values. */
function innerManifests(found: Found): Found[] {
  if (!RELEASE_KINDS.includes(found.object.kind)) return [];
  const inner: Found[] = [];
  const walk = (value: unknown, depth: number): void => {
    // Argo CD keeps values as text.
    if (typeof value === "string" && value.includes("metallb.io/")) walk(readValue(value), depth + 1);
    if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return;
    const { apiVersion, kind } = value as Spec;
    if (typeof apiVersion === "string" && METALLB.test(apiVersion) && typeof kind === "string") {
      inner.push({ ...found, object: { ...value, apiVersion, kind } });
    } else for (const each of Object.values(value)) walk(each, depth + 1);
  };
  walk(found.object.spec, 0);
  return inner;
}

function readStranger(stranger: Stranger, all: Collected, notes: Notes): void {
  const { file, line, value } = stranger;
  const found: Found = { file, line, object: { apiVersion: "", kind: "file", metadata: { name: "" } } };
  const origin = ORIGINS.find((each) => each.readsText?.(value) === true);
  if (origin !== undefined) {
    const whole = { ...found, object: { ...found.object, data: value } };
    all.addOther(origin, whole);
  } else if (isOldConfig(value)) {
    all.add(sourcesOfOldConfig(found, value, notes));
  } else {
    const sets = valueSets(value);
    for (const set of sets) all.add(sourcesOfValues(found, set, notes));
    if (sets.length > 0) return;
    if (stranger.isNamed === true) all.unreadable.push(stranger);
    else all.passedOver += 1;
  }
}

function valueSets(value: unknown): Values[] {
  if (!isMap(value)) return [];
  if (!isValuesFile(value)) return helmfileValues(value);
  return [{ values: metallbValues(value, false) ?? value, namespace: undefined, elsewhere: [] }];
}
