/** MetalLB's objects as they were found, or as others' were made into them; and the notes about them. */
import { GROUP } from "#api/names.ts";
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";
import { ownOf } from "#cli/check/unknown.ts";
import type { Found, Manifest } from "#cli/documents.ts";

/** A selector that matches no node: the pool gives addresses, and no node announces them. */
export const NOWHERE = [{ matchExpressions: [{ key: `${GROUP}/nowhere`, operator: "Exists" }] }];

export type Spec = Record<string, unknown>;

/** One object of metallb.io. */
export interface Source {
  readonly found: Found;
  readonly kind: string;
  /** v1beta1 of `metallb.io/v1beta1`. */
  readonly version: string;
  readonly name: string;
  /** "" where the manifest says none. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What notes call it, where it is no object of its own: `ConfigMap "config", peer "peer1"`. */
  readonly label?: string;
  /** A copy, to be changed at will. */
  readonly spec: Spec;
}

/** A line for people: what the conversion changed or left out, and where it stood. */
export interface Note {
  readonly file: string;
  readonly line: number;
  /** `BGPPeer "router"` */
  readonly object: string;
  readonly message: string;
}

/** Collects the notes of one conversion. */
export class Notes {
  readonly list: Note[] = [];

  add(source: Pick<Source, "found" | "kind" | "name" | "label">, message: string): void {
    const { file, line } = source.found;
    this.list.push({ file, line, object: source.label ?? `${source.kind} "${source.name}"`, message });
  }

  /** Somebody is reached, or told of, who was not before. */
  grows(source: Pick<Source, "found" | "kind" | "name" | "label">, message: string): void {
    this.add(source, `${EXPOSURE}${message}`);
  }

  growsFound(found: Found, message: string): void {
    this.addFound(found, `${EXPOSURE}${message}`);
  }

  /** One for each of these fields, which stand below `path` ("" or "spec."). */
  unmatched(found: Found, path: string, fields: Spec): void {
    for (const [name, value] of Object.entries(fields)) {
      const words = `${path}${name}: ${JSON.stringify(value)}`;
      this.addFound(found, `${words} is not carried over: nothing of ours corresponds to it`);
    }
  }

  /** A note about a manifest as a whole. */
  addFound(found: Found, message: string): void {
    const { name = "" } = metadataOf(found.object);
    this.add({ found, kind: found.object.kind, name, label: labelOf(found.object.kind, name, "") }, message);
  }
}

const EXPOSURE = "EXPOSURE GROWS: ";
export const isExposure = ({ message }: Note): boolean => message.startsWith(EXPOSURE);

/** As it is written: a name may be missing. */
export function metadataOf({ metadata }: Manifest): Partial<ObjectMeta> {
  return isMap(metadata) ? (metadata as Partial<ObjectMeta>) : {};
}

export function sourceOf(found: Found): Source {
  const { kind, apiVersion, spec } = found.object;
  const { name = "", namespace = "", labels = {} } = metadataOf(found.object);
  return {
    found,
    kind,
    version: apiVersion.slice(apiVersion.indexOf("/") + 1),
    name: nameIn(name),
    namespace: nameIn(namespace),
    labels,
    spec: isMap(spec) ? structuredClone(spec) : {},
  };
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Its spec; an empty one where there is none. */
export const specOf = ({ object: { spec } }: Found): Spec => (isMap(spec) ? spec : {});

export const ofKind = (founds: readonly Found[], kind: string): readonly Found[] =>
  founds.filter(({ object }) => object.kind === kind);

/** What an object of another origin holds, as if MetalLB had it as an object: `part` names it within that object. */
export function partOf(
  found: Found,
  kind: string,
  { name, part, spec, namespace }: { name: string; part: string; spec: Spec; namespace?: string | undefined },
): Source {
  const written = metadataOf(found.object);
  return {
    found,
    kind,
    version: "v1beta1",
    name: nameIn(name),
    namespace: nameIn(namespace ?? written.namespace ?? ""),
    labels: {},
    label: labelOf(found.object.kind, written.name, part),
    spec: structuredClone(spec),
  };
}

/** A file that is no manifest has no name to be called by. */
function labelOf(kind: string, name: string | undefined, part: string): string {
  if (kind === "file") return part === "" ? "configuration" : part;
  return `${kind} "${inText(name ?? "")}"${part === "" ? "" : `, ${part}`}`;
}

/** The value under nested keys, where all of them are there. */
export function deep(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((inner, key) => (isMap(inner) ? ownOf(inner, key) : undefined), value);
}

/** Any value as words: an object may have a `toString` of its user's, which is no function. */
export const inText = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);

const nameIn = (name: unknown): string => (typeof name === "object" ? inText(name) : (name as string));

export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The list of that name; empty where there is none. */
export function listOf<T = unknown>(spec: Spec, name: string): readonly T[] {
  const value = spec[name];
  return Array.isArray(value) ? (value as T[]) : [];
}

/** Those of its entries that are maps. */
export const mapsOf = (value: unknown, name: string): readonly Spec[] =>
  isMap(value) ? listOf(value, name).filter(isMap) : [];

/** Empty texts and zeros that older versions write where nothing is set. */
export function dropUnset(spec: Spec, names: readonly string[]): void {
  for (const name of names) {
    const value = spec[name];
    if (value === "" || value === 0 || value === null || value === false) delete spec[name];
    if (isMap(value) && Object.values(value).every((inner) => inner === "")) delete spec[name];
  }
}
