/** What `-f` names: a file, a folder (all below it), standard input. */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Documents, type Found, MAX_TEXT, readDocuments, type Unreadable } from "#cli/documents.ts";

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
  const found: Found[] = [];
  const unreadable: Unreadable[] = [];
  const strangers: Unreadable[] = [];
  for (const path of paths) {
    const files = path === "-" ? ["-"] : await filesOf(path, unreadable);
    for (const file of files) {
      const text = await textOf(file, input).catch((error: unknown) => {
        unreadable.push({ file, line: 0, message: reasonOf(error) });
        return undefined;
      });
      if (text === undefined) continue;
      const read = readDocuments(file === "-" ? "stdin" : file, text);
      found.push(...read.found);
      unreadable.push(...read.unreadable);
      // A file that the user names is meant to be read; a folder may hold other files, too.
      (file === path ? unreadable : strangers).push(...read.strangers);
    }
  }
  return { found, unreadable, strangers };
}

async function filesOf(path: string, unreadable: Unreadable[]): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const files: string[] = [];
    await collect(path, files);
    return files;
  } catch (error) {
    unreadable.push({ file: path, line: 0, message: reasonOf(error) });
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
