/**
 * Whether what was parsed has the shape that its type promises. Types say nothing about bytes: a proxy, a server of
 * another kind or a broken one answers 200 with whatever it has.
 */
import { ConnectionError } from "#common/kube/error.ts";
import type { KubeObject } from "#common/kube/wire.ts";

/** An object that can be kept and compared: name and resourceVersion are texts. ConnectionError if it is none. */
export function keptObject<T extends KubeObject>(what: string, value: unknown): T {
  const { metadata } = anyObject<T>(what, value);
  for (const field of ["name", "resourceVersion"] as const) {
    if (!isText(metadata[field])) throw wrong(what, `an object without metadata.${field}`);
  }
  if (metadata.namespace !== undefined && typeof metadata.namespace !== "string") {
    throw wrong(what, "an object whose metadata.namespace is no text");
  }
  return value as T;
}

/** An object with metadata: what a read or a write is answered with, reviews (which have no name) included. */
export function anyObject<T extends KubeObject>(what: string, value: unknown): T {
  if (!isMap(value)) throw wrong(what, "the answer is no object");
  if (!isMap(value.metadata)) throw wrong(what, "an object without metadata");
  return value as unknown as T;
}

/** What stands around the items of a list. */
export function listMeta(
  what: string,
  value: unknown,
): { readonly resourceVersion: string; readonly continueToken?: string } {
  if (!isMap(value) || !isMap(value.metadata) || !isText(value.metadata.resourceVersion)) {
    throw wrong(what, "the answer is no list: metadata.resourceVersion is missing");
  }
  // The API server sends [] for an empty list. An answer without it may mean something else, and taking it for an
  // empty list would remove everything.
  if (!Array.isArray(value.items)) throw wrong(what, "the answer is no list: items are missing");
  // They were taken out one by one before; what is left has hidden its name from the splitter.
  if (value.items.length > 0) throw wrong(what, "the answer is no list: items are not where they belong");
  // The last page has none, or an empty one.
  const token = value.metadata.continue ?? "";
  if (typeof token !== "string") throw wrong(what, "the answer is no list: metadata.continue is no text");
  return {
    resourceVersion: value.metadata.resourceVersion,
    ...(token === "" ? {} : { continueToken: token }),
  };
}

function wrong(what: string, detail: string): ConnectionError {
  return new ConnectionError("MALFORMED", what, detail);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
