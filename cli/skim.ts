/**
 * A text in a folder that does not even name the group that is looked for holds nothing to judge: what it is, is counted
 * without reading it as YAML, which takes most of a check's time. Pure.
 */
import { type Documents, type Found, NO_DOCUMENTS } from "#cli/documents.ts";

/** At the beginning of a line, or of an object of JSON. */
const VERSION = /(?:^|\{\s*)["']?apiVersion["']?\s*:\s*["']?([\w./-]+)/gm;
/** Its items would have to be counted one by one. */
const LIST = /["']?kind["']?\s*:\s*["']?\w*List\b/;

/** undefined: it has to be read. */
export function skim(file: string, text: string, group: string): Documents | undefined {
  if (text.includes(group) || LIST.test(text)) return undefined;
  const found: Found[] = [...text.matchAll(VERSION)].map(([, apiVersion = ""]) => ({
    file,
    line: 1,
    object: { apiVersion, kind: "" },
  }));
  if (found.length > 0 || text.trim() === "") return { ...NO_DOCUMENTS, found };
  return { ...NO_DOCUMENTS, strangers: [{ file, line: 1, message: "is no manifest", value: undefined }] };
}
