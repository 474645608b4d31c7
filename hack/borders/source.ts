/** The source files of the checkout, and what each of them imports. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

export interface Import {
  /** Of ours: the path from the root. Of others: the module's name. */
  readonly target: string;
  readonly isOurs: boolean;
  /** Names of the values that are imported; empty if all are types. `*` stands for a whole module. */
  readonly values: readonly string[];
}

export interface SourceFile {
  /** From the root: `speaker/plan/plan.ts`. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  readonly imports: readonly Import[];
}

/** Not ours, or not written by hand. */
const SKIPPED = ["generated", "node_modules", "programs"];

export async function readSources(root: string, folders: readonly string[]): Promise<SourceFile[]> {
  const paths = (await Promise.all(folders.map((folder) => walk(root, folder)))).flat().sort();
  return Promise.all(paths.map(async (path) => sourceOf(path, await readFile(join(root, path), "utf8"))));
}

async function walk(root: string, directory: string): Promise<string[]> {
  const entries = await readdir(join(root, directory), { withFileTypes: true });
  const nested = await Promise.all(
    entries.map((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return SKIPPED.includes(entry.name) ? [] : walk(root, path);
      return entry.name.endsWith(".ts") ? [path] : [];
    }),
  );
  return nested.flat();
}

export const sourceOf = (path: string, text: string): SourceFile => ({
  path,
  text,
  isTest: path.endsWith(".test.ts"),
  imports: importsOf(path, text),
});

/** `import ... from "x"`, `export ... from "x"`, `import "x"` and `import("x")`. */
const STATEMENT =
  /^(?:import|export)\s+([^"';]*?)\s*from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;

function importsOf(path: string, text: string): Import[] {
  return [...text.matchAll(STATEMENT)].map(([, names, from, bare, dynamic]) => {
    const name = from ?? bare ?? dynamic ?? "";
    const isOurs = name.startsWith("#") || name.startsWith(".");
    const target = name.startsWith("#")
      ? name.slice(1)
      : isOurs
        ? normalize(join(dirname(path), name))
        : name;
    return { target, isOurs, values: names === undefined ? ["*"] : valuesOf(names) };
  });
}

/** `type A`, `{ type A, b }`, `A`, `* as a`: the names that are there when the program runs. */
function valuesOf(names: string): string[] {
  if (/^type\s/.test(names)) return [];
  const listed = /\{([^}]*)\}/.exec(names)?.[1] ?? names;
  return listed
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && !/^type\s/.test(name))
    .map((name) => (name.startsWith("*") ? "*" : (name.split(/\s+as\s+/)[0] ?? name)));
}

/** Folder at the top: `speaker` of `speaker/plan/plan.ts`. */
export const folderOf = (path: string): string => path.split("/")[0] ?? "";

/** Room: `speaker/plan` of `speaker/plan/plan.ts`, `speaker` of `speaker/main.ts`. */
export const roomOf = (path: string): string => dirname(path);

/** What a file of ours needs of ours when it runs. */
export const ourValues = (file: SourceFile): string[] =>
  file.imports.filter(({ isOurs, values }) => isOurs && values.length > 0).map(({ target }) => target);
