/**
 * YAML or JSON text -> the objects in it, with the line of each. Pure. Whatever the text is, it ends in bounded work.
 */
import {
  type Document,
  isCollection,
  isMap,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type ScalarTag,
  visit,
} from "yaml";
import { type Place, placeOf, placeOfField } from "#cli/places.ts";
import { markIn } from "#cli/templates.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: unknown;
  readonly [field: string]: unknown;
}

export interface Found {
  readonly file: string;
  /** Of its first key, counted from 1. */
  readonly line: number;
  readonly object: Manifest;
  /** Of a field of it, such as `spec.addresses[0]`; not there for what was read from a cluster. */
  readonly placeOf?: (field: string) => Place;
  /** The user named its file, so it is meant to be read; a folder may hold other files, too. */
  readonly isNamed?: boolean;
}

export interface Unreadable {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** A document that reads well and is no manifest. */
export interface Stranger extends Unreadable {
  /** Of keepalived.conf its text. */
  readonly value: unknown;
  readonly isNamed?: boolean;
}

/** A document that is no YAML before a tool has filled it in. */
export interface Template extends Unreadable {
  readonly text: string;
  readonly isNamed?: boolean;
}

export interface Documents {
  readonly found: readonly Found[];
  readonly unreadable: readonly Unreadable[];
  /** Documents that do not look like manifests at all: values of a chart, a patch of kustomize. */
  readonly strangers: readonly Stranger[];
  readonly templates: readonly Template[];
}

export const NO_DOCUMENTS: Documents = { found: [], unreadable: [], strangers: [], templates: [] };

/** All that several texts hold. */
export function joined(parts: readonly Documents[]): Documents {
  return {
    found: parts.flatMap(({ found }) => found),
    unreadable: parts.flatMap(({ unreadable }) => unreadable),
    strangers: parts.flatMap(({ strangers }) => strangers),
    templates: parts.flatMap(({ templates }) => templates),
  };
}

/** Nothing but one message about the whole text. */
const failed = (file: string, message: string): Documents => ({
  ...NO_DOCUMENTS,
  unreadable: [{ file, line: 1, message }],
});

/** Larger than any bundle of manifests; the API server itself takes 1.5 MiB for one object. */
export const MAX_TEXT = 16 * 1024 * 1024;
/** Of one text. */
const MAX_OBJECTS = 50_000;
/** How often anchors may be repeated: a bomb of aliases grows beyond it, manifests do not come near. */
const MAX_ALIASES = 1_000;
/** Lists in lists. */
const MAX_DEPTH = 4;

/**
 * kubectl reads booleans as YAML 1.1 has them, and nothing else of 1.1 that matters: 65000:30 is no number in base 60.
 */
const booleanTag = (value: boolean, test: RegExp): ScalarTag => ({
  tag: "tag:yaml.org,2002:bool",
  default: true,
  test,
  resolve: () => value,
  identify: () => false,
});
const BOOLEANS = [
  booleanTag(true, /^(?:y|Y|yes|Yes|YES|on|On|ON)$/),
  booleanTag(false, /^(?:n|N|no|No|NO|off|Off|OFF)$/),
];

function parsed(text: string, lines: LineCounter): readonly Document[] {
  return parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    customTags: (tags) => [...BOOLEANS, ...tags],
  }) as readonly Document[];
}

/**
 * All objects of `text`, with the items of lists as objects of their own. Everything else is reported with its line.
 */
export function readDocuments(file: string, text: string): Documents {
  if (text.length > MAX_TEXT) {
    return failed(file, `is longer than ${MAX_TEXT} characters`);
  }
  if (KEEPALIVED.test(text) && !/^\s*apiVersion:/m.test(text)) {
    return { ...NO_DOCUMENTS, strangers: [{ file, line: 1, message: NO_MANIFEST, value: text }] };
  }
  const lines = new LineCounter();
  let documents: readonly Document[];
  try {
    documents = parsed(text, lines);
  } catch (error) {
    // Nested so deeply that the reader's own stack ends.
    return failed(file, wordsOf(error));
  }
  const read = joined(documents.map((document) => readDocument(document, { file, text, lines })));
  if (read.found.length > MAX_OBJECTS) return failed(file, `holds more than ${MAX_OBJECTS} objects`);
  return read;
}

interface Context {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
}

function readDocument(document: Document, context: Context): Documents {
  const { file, text, lines } = context;
  const { line } = placeOf(document.contents, lines);
  const [error] = document.errors;
  if (error !== undefined || (text.includes("{{") && hasTemplateKey(document))) {
    const template = templateOf(document, context);
    if (template !== undefined) return { ...NO_DOCUMENTS, templates: [template] };
  }
  const failure = (at: number, message: string): Documents => ({
    ...NO_DOCUMENTS,
    unreadable: [{ file, line: at, message }],
  });
  if (error !== undefined) {
    const message = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? error.code;
    return failure(error.linePos?.[0].line ?? line, message);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    return failure(line, wordsOf(cause));
  }
  if (value === null || value === undefined) return NO_DOCUMENTS;
  if (isStranger(value)) {
    return { ...NO_DOCUMENTS, strangers: [{ file, line, message: NO_MANIFEST, value }] };
  }
  const unreadable: Unreadable[] = [];
  const note = (at: number, message: string): void => {
    unreadable.push({ file, line: at, message });
  };
  const lineOf = (node: unknown): number => placeOf(node, lines).line;
  const parts = spread({ value, node: document.contents, depth: 0 }, lineOf, note);
  const found = parts.map(({ object, node }) => ({
    file,
    line: lineOf(node),
    object,
    placeOf: (field: string) => placeOfField(node, field, lines),
  }));
  return { ...NO_DOCUMENTS, found, unreadable };
}

/** `name: {{ .Values.name }}` is YAML: a map whose key is a map, which no manifest has. */
function hasTemplateKey(document: Document): boolean {
  let found = false;
  visit(document, {
    Pair(_at, { key }) {
      if (!isCollection(key)) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

function templateOf(document: Document, { file, text, lines }: Context): Template | undefined {
  const [start = 0, , end = text.length] = document.range ?? [];
  const part = text.slice(start, end);
  const mark = markIn(part);
  if (mark === undefined) return undefined;
  return { file, line: lines.linePos(start + mark.at).line, message: mark.message, text: part };
}

/** One YAML or JSON text that stands within a manifest; undefined where it cannot be read. */
export function readValue(text: string): unknown {
  const [document] = parsed(text, new LineCounter());
  if (document === undefined || document.errors.length > 0) return undefined;
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    return undefined;
  }
}

/** A block of keepalived.conf: the only other language that is read. */
const KEEPALIVED = /^[ \t]*(?:vrrp_instance|virtual_server(?:_group)?)[ \t][^\n{]{0,200}\{/m;
const NO_MANIFEST = "is no manifest: apiVersion and kind are not both there";

/** Nothing in it says that it was meant for Kubernetes. */
function isStranger(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return true;
  const { apiVersion, kind, metadata, spec } = value as Record<string, unknown>;
  return apiVersion === undefined && kind === undefined && (metadata === undefined || spec === undefined);
}

interface Part {
  readonly value: unknown;
  readonly node: unknown;
  readonly depth: number;
  /** What a typed list says about items that do not say it themselves. */
  readonly of?: { readonly apiVersion: string; readonly kind: string };
}

function spread(
  part: Part,
  lineOf: (node: unknown) => number,
  note: (line: number, message: string) => void,
): { object: Manifest; node: unknown }[] {
  const line = lineOf(part.node);
  const object = manifestOf(part);
  if (object === undefined) {
    note(line, NO_MANIFEST);
    return [];
  }
  const { items } = object;
  if (!object.kind.endsWith("List") || !Array.isArray(items)) return [{ object, node: part.node }];
  if (part.depth >= MAX_DEPTH) {
    note(line, `lists lie more than ${MAX_DEPTH} deep in each other`);
    return [];
  }
  const nodes = isMap(part.node) ? part.node.get("items", true) : undefined;
  const kind = object.kind.slice(0, -"List".length);
  return items.flatMap((value: unknown, at) => {
    const node = isSeq(nodes) ? nodes.items[at] : undefined;
    const of = kind === "" ? {} : { of: { apiVersion: object.apiVersion, kind } };
    return spread({ value, node: node ?? part.node, depth: part.depth + 1, ...of }, lineOf, note);
  });
}

function manifestOf({ value, of }: Part): Manifest | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { apiVersion = of?.apiVersion, kind = of?.kind } = value as Record<string, unknown>;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
  return { ...value, apiVersion, kind };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? `cannot be read: ${error.message}` : "cannot be read";
}
