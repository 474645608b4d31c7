/** What `-f` names: a file, a folder (all below it), standard input. */
import { open, readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { type Documents, joined, MAX_TEXT, NO_DOCUMENTS, readDocuments } from "#cli/documents.ts";
import { excluder } from "#cli/exclude.ts";
import { skim } from "#cli/skim.ts";

const MANIFEST = /\.(ya?ml|json)$/;
/** Folders that hold no manifests of the repository. */
const PASSED_BY = /^(node_modules$|\.)/;
const MAX_FILES = 20_000;

export interface Input {
  /** Standard input, read to its end. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
}

export interface Choice {
  /** Patterns of files that are left out. */
  readonly exclude?: readonly string[];
  /** API group without which a file of a folder is only counted. */
  readonly group?: string;
}

/** Files that are read at the same time. */
const AT_ONCE = 32;

/** Everything that the `paths` hold, in their order; files of a folder by name, as kubectl takes them. */
export async function readInputs(
  paths: readonly string[],
  input: Input,
  { exclude = [], group }: Choice = {},
): Promise<Documents> {
  const isExcluded = excluder(exclude);
  const parts: Documents[] = [];
  const failure = (file: string, error: unknown): Documents => ({
    ...NO_DOCUMENTS,
    unreadable: [{ file, line: 0, message: reasonOf(error) }],
  });
  const read = async (file: string, isNamed: boolean): Promise<Documents> => {
    try {
      const text = await textOf(file, input);
      const name = file === "-" ? "stdin" : file;
      // A file that the user names is meant to be read; a folder may hold other files, too.
      if (isNamed) return named(readDocuments(name, text));
      return (group === undefined ? undefined : skim(name, text, group)) ?? readDocuments(name, text);
    } catch (error) {
      return failure(file, error);
    }
  };
  for (const path of paths) {
    const files =
      path === "-" ? ["-"] : await filesOf(path, (file, error) => parts.push(failure(file, error)));
    const wanted = files.filter((file) => !isExcluded(file === path ? [file] : [file, relative(path, file)]));
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      const portion = wanted.slice(at, at + AT_ONCE);
      parts.push(...(await Promise.all(portion.map((file) => read(file, file === path)))));
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
  failed: (file: string, error: unknown) => unknown,
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
    const { size } = await handle.stat();
    // Devices and pipes have no size, and may have no end.
    if (size > 0 && size <= MAX_TEXT) return await handle.readFile("utf8");
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
