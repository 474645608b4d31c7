/** MetalLB's objects as they were found, and the notes about them. */
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";
import type { Found, Manifest } from "#cli/documents.ts";

export type Spec = Record<string, unknown>;

/** One object of metallb.io. */
export interface Source {
  readonly found: Found;
  readonly kind: string;
  /** v1beta1 of `metallb.io/v1beta1`. */
  readonly version: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
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

  add(source: Pick<Source, "found" | "kind" | "name">, message: string): void {
    const { file, line } = source.found;
    this.list.push({ file, line, object: `${source.kind} "${source.name}"`, message });
  }

  /** A note about a manifest as a whole. */
  addFound(found: Found, message: string): void {
    const { name = "" } = metadataOf(found.object);
    this.add({ found, kind: found.object.kind, name }, message);
  }
}

/** As it is written: a name may be missing. */
export function metadataOf({ metadata }: Manifest): Partial<ObjectMeta> {
  return isMap(metadata) ? (metadata as Partial<ObjectMeta>) : {};
}

export function sourceOf(found: Found): Source {
  const { kind, apiVersion, spec } = found.object;
  const { name = "", labels = {} } = metadataOf(found.object);
  return {
    found,
    kind,
    version: apiVersion.slice(apiVersion.indexOf("/") + 1),
    name,
    labels,
    spec: isMap(spec) ? structuredClone(spec) : {},
  };
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The list of that name; empty where there is none. */
export function listOf<T = unknown>(spec: Spec, name: string): readonly T[] {
  const value = spec[name];
  return Array.isArray(value) ? (value as T[]) : [];
}

/** Empty texts and zeros that older versions write where nothing is set. */
export function dropUnset(spec: Spec, names: readonly string[]): void {
  for (const name of names) {
    const value = spec[name];
    if (value === "" || value === 0 || value === null || value === false) delete spec[name];
    if (isMap(value) && Object.values(value).every((inner) => inner === "")) delete spec[name];
  }
}
