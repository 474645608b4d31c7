/**
 * YAML or JSON text -> the objects in it, with the line of each. Pure. Whatever the text is, it ends in bounded work.
 */
import { type Document, isMap, isSeq, LineCounter, parseAllDocuments, type ScalarTag } from "yaml";

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
}

export interface Unreadable {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface Documents {
  readonly found: readonly Found[];
  readonly unreadable: readonly Unreadable[];
  /** Documents that do not look like manifests at all: values of a chart, a patch of kustomize. */
  readonly strangers: readonly Unreadable[];
}

/** Nothing but one message about the whole text. */
const failed = (file: string, message: string): Documents => ({
  found: [],
  unreadable: [{ file, line: 1, message }],
  strangers: [],
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

/**
 * All objects of `text`, with the items of lists as objects of their own. Everything else is reported with its line.
 */
export function readDocuments(file: string, text: string): Documents {
  if (text.length > MAX_TEXT) {
    return failed(file, `is longer than ${MAX_TEXT} characters`);
  }
  const lines = new LineCounter();
  let documents: readonly Document[];
  try {
    documents = parseAllDocuments(text, {
      lineCounter: lines,
      merge: true,
      customTags: (tags) => [...BOOLEANS, ...tags],
    }) as readonly Document[];
  } catch (error) {
    // Nested so deeply that the reader's own stack ends.
    return failed(file, wordsOf(error));
  }
  const parts = documents.map((document) => readDocument(document, file, lines));
  const found = parts.flatMap((part) => part.found);
  if (found.length > MAX_OBJECTS) return failed(file, `holds more than ${MAX_OBJECTS} objects`);
  return {
    found,
    unreadable: parts.flatMap((part) => part.unreadable),
    strangers: parts.flatMap((part) => part.strangers),
  };
}

function readDocument(document: Document, file: string, lines: LineCounter): Documents {
  const lineOf = (node: unknown): number => {
    const [start] = (node as { range?: readonly number[] | null } | null)?.range ?? [];
    return start === undefined ? 1 : lines.linePos(start).line;
  };
  const line = lineOf(document.contents);
  const unreadable: Unreadable[] = [];
  const none = { found: [], unreadable, strangers: [] };
  const [error] = document.errors;
  if (error !== undefined) {
    const message = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? error.code;
    unreadable.push({ file, line: error.linePos?.[0].line ?? line, message });
    return none;
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    unreadable.push({ file, line, message: wordsOf(cause) });
    return none;
  }
  if (value === null || value === undefined) return none;
  if (isStranger(value)) return { ...none, strangers: [{ file, line, message: NO_MANIFEST }] };
  const parts = spread({ value, node: document.contents, depth: 0 }, lineOf, (at, message) =>
    unreadable.push({ file, line: at, message }),
  );
  return { ...none, found: parts.map((part) => ({ file, line: part.line, object: part.object })) };
}

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
  tell: (line: number, message: string) => void,
): { object: Manifest; line: number }[] {
  const line = lineOf(part.node);
  const object = manifestOf(part);
  if (object === undefined) {
    tell(line, NO_MANIFEST);
    return [];
  }
  const { items } = object;
  if (!object.kind.endsWith("List") || !Array.isArray(items)) return [{ object, line }];
  if (part.depth >= MAX_DEPTH) {
    tell(line, `lists lie more than ${MAX_DEPTH} deep in each other`);
    return [];
  }
  const nodes = isMap(part.node) ? part.node.get("items", true) : undefined;
  const kind = object.kind.slice(0, -"List".length);
  return items.flatMap((value: unknown, at) => {
    const node = isSeq(nodes) ? nodes.items[at] : undefined;
    const of = kind === "" ? {} : { of: { apiVersion: object.apiVersion, kind } };
    return spread({ value, node: node ?? part.node, depth: part.depth + 1, ...of }, lineOf, tell);
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
