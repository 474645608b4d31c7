/** What the fake API server keeps: objects with versions, generations, finalizers, and the history that watches read. */
import type { KubeObject } from "#common/kube/wire.ts";

/** Any object, as JSON. */
export type Json = Record<string, unknown>;
export type StoredObject = KubeObject & Json;

export interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly collection: string;
  readonly object: StoredObject;
}

/** The status code and reason that the API server would answer. */
export class Refused extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export class Objects {
  readonly #objects = new Map<string, StoredObject>();
  readonly #history: Change[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  #version = 1;
  #compacted = 0;
  #uids = 0;

  get version(): number {
    return this.#version;
  }

  /** Watches and continue tokens of this version or an older one get 410 from now on. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history.length = 0;
    // The next change must be newer than what was compacted, as in etcd.
    this.#version += 1;
  }

  isCompacted(version: number): boolean {
    return version <= this.#compacted && this.#compacted > 0;
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  since(version: number): Change[] {
    return this.#history.filter((change) => change.version > version);
  }

  get(collection: string, key: string): StoredObject | undefined {
    return this.#objects.get(`${collection} ${key}`);
  }

  /** Sorted by key, as etcd does. */
  list(collection: string): [key: string, object: StoredObject][] {
    const prefix = `${collection} `;
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, object]): [string, StoredObject] => [key.slice(prefix.length), object])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  create(collection: string, key: string, object: Json): StoredObject {
    if (this.get(collection, key) !== undefined)
      throw new Refused(409, "AlreadyExists", `${key} already exists`);
    this.#uids += 1;
    const metadata = {
      ...(object.metadata as Json),
      uid: `uid-${this.#uids}`,
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
    };
    return this.#store(collection, key, { type: "ADDED", object: { ...object, metadata } });
  }

  /** Replaces; 404 if it is not there, 409 if `object` carries an old resourceVersion. */
  replace(collection: string, key: string, object: Json): StoredObject {
    const before = this.get(collection, key);
    if (before === undefined) throw new Refused(404, "NotFound", `${key} not found`);
    const metadata = object.metadata as Json;
    const given = metadata.resourceVersion;
    if (given !== undefined && given !== before.metadata.resourceVersion) {
      throw new Refused(409, "Conflict", `${key} has been modified`);
    }
    const isSpecSame = JSON.stringify(before.spec) === JSON.stringify(object.spec);
    const next = {
      ...object,
      metadata: {
        ...metadata,
        uid: before.metadata.uid,
        creationTimestamp: before.metadata.creationTimestamp,
        ...(before.metadata.deletionTimestamp === undefined
          ? {}
          : { deletionTimestamp: before.metadata.deletionTimestamp }),
        generation: (before.metadata.generation ?? 0) + (isSpecSame ? 0 : 1),
        resourceVersion: before.metadata.resourceVersion,
      },
    };
    // A write that changes nothing makes no version and no event.
    if (JSON.stringify(sorted(before)) === JSON.stringify(sorted(next))) return before;
    const isFinal = before.metadata.deletionTimestamp !== undefined && !hasFinalizers(next);
    return this.#store(collection, key, { type: isFinal ? "DELETED" : "MODIFIED", object: next });
  }

  /** False if it was not there. With finalizers it is only marked. */
  remove(collection: string, key: string, uid?: string): boolean {
    const before = this.get(collection, key);
    if (before === undefined) return false;
    if (uid !== undefined && uid !== before.metadata.uid)
      throw new Refused(409, "Conflict", "the UID differs");
    if (!hasFinalizers(before)) {
      this.#store(collection, key, { type: "DELETED", object: before });
    } else if (before.metadata.deletionTimestamp === undefined) {
      const metadata = { ...before.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" };
      this.#store(collection, key, { type: "MODIFIED", object: { ...before, metadata } });
    }
    return true;
  }

  #store(collection: string, key: string, next: { type: Change["type"]; object: Json }): StoredObject {
    this.#version += 1;
    const metadata = { ...(next.object.metadata as Json), resourceVersion: String(this.#version) };
    const object = { ...next.object, metadata } as unknown as StoredObject;
    if (next.type === "DELETED") this.#objects.delete(`${collection} ${key}`);
    else this.#objects.set(`${collection} ${key}`, object);
    const change = { version: this.#version, type: next.type, collection, object };
    this.#history.push(change);
    for (const listener of this.#listeners) listener(change);
    return object;
  }
}

/** RFC 7386: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Json =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** `a=b,c!=d,e,!f` on labels; fields metadata.name and metadata.namespace, and other paths by their text. */
export function matches(object: StoredObject, query: URLSearchParams): boolean {
  const labels = object.metadata.labels ?? {};
  const field = (path: string): string | undefined => {
    const value = path.split(".").reduce<unknown>((at, name) => (at as Json | undefined)?.[name], object);
    return value === undefined ? undefined : String(value);
  };
  return (
    terms(query.get("labelSelector")).every((term) => holds(term, (name) => labels[name])) &&
    terms(query.get("fieldSelector")).every((term) => holds(term, field))
  );
}

function terms(selector: string | null): string[] {
  return (selector ?? "").split(",").filter((term) => term !== "");
}

function holds(term: string, read: (name: string) => string | undefined): boolean {
  const unequal = term.split("!=");
  if (unequal.length === 2) return read(unequal[0] ?? "") !== unequal[1];
  const equal = term.split(/==?/);
  if (equal.length === 2) return read(equal[0] ?? "") === equal[1];
  return term.startsWith("!") ? read(term.slice(1)) === undefined : read(term) !== undefined;
}

function hasFinalizers(object: Json): boolean {
  return ((object.metadata as { finalizers?: string[] }).finalizers ?? []).length > 0;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

/** What a path names. */
export interface Target {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** `/api/v1/...` and `/apis/GROUP/VERSION/...`, with or without a namespace. */
export function targetOf(path: string): Target {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  const group = parts.splice(0, parts[0] === "api" ? 2 : 3).join("/");
  const isNamespaced = parts[0] === "namespaces" && parts.length > 2;
  const namespace = isNamespaced ? parts.splice(0, 2)[1] : undefined;
  const [plural = "", name, subresource] = parts;
  return { collection: `${group}/${plural}`, namespace, name, subresource };
}
