/** What `-f` names: a file, a folder (all below it), standard input. */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Documents, joined, MAX_TEXT, NO_DOCUMENTS, readDocuments } from "#cli/documents.ts";

const MANIFEST = /\.(ya?ml|json)$/;
/** Folders that hold no manifests of the repository. */
const PASSED_BY = /^(node_modules$|\.)/;
const MAX_FILES = 20_000;

export interface Input {
  /** Standard input, read to its end. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
}

/** Everything that the `paths` hold, in their order; files of a folder by name, as kubectl takes them. */
export async function readInputs(paths: readonly string[], input: Input): Promise<Documents> {
  const parts: Documents[] = [];
  for (const path of paths) {
    const failed = (file: string, error: unknown): void => {
      parts.push({ ...NO_DOCUMENTS, unreadable: [{ file, line: 0, message: reasonOf(error) }] });
    };
    const files = path === "-" ? ["-"] : await filesOf(path, failed);
    for (const file of files) {
      const text = await textOf(file, input).catch((error: unknown) => {
        failed(file, error);
        return undefined;
      });
      if (text === undefined) continue;
      const read = readDocuments(file === "-" ? "stdin" : file, text);
      // A file that the user names is meant to be read; a folder may hold other files, too.
      parts.push(file === path ? named(read) : read);
    }
  }
  return joined(parts);
}

/** Its documents know that the user named them. */
const named = (read: Documents): Documents => ({
  ...read,
  found: read.found.map((each) => ({ ...each, isNamed: true })),
  strangers: read.strangers.map((each) => ({ ...each, isNamed: true })),
  templates: read.templates.map((each) => ({ ...each, isNamed: true })),
});

async function filesOf(
  path: string,
  failed: (file: string, error: unknown) => void,
): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const files: string[] = [];
    await collect(path, files);
    return files;
  } catch (error) {
    failed(path, error);
    return [];
  }
}

/** Links to folders are not followed: they may lead round in a circle. */
async function collect(folder: string, files: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!PASSED_BY.test(entry.name)) await collect(path, files);
    } else if (MANIFEST.test(entry.name)) {
      files.push(path);
      if (files.length > MAX_FILES) throw new Error(`holds more than ${MAX_FILES} manifests`);
    }
  }
}

async function textOf(file: string, input: Input): Promise<string> {
  if (file === "-") return join8(input.stdin());
  const handle = await open(file);
  try {
    return await join8(handle.createReadStream({ autoClose: false }));
  } finally {
    await handle.close();
  }
}

/** UTF-8, at most MAX_TEXT bytes. */
async function join8(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_TEXT) throw new Error(`is longer than ${MAX_TEXT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? "there is no such file" : message;
}
