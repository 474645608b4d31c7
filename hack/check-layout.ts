/**
 * What the linter cannot hold: folder borders by relative paths, no clock, chance or environment in pure files, a file
 * in common/ only while two roles import it, no file too long to read. Ends with 1 and one line for each fault.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;
const ROLES = ["operator", "controller", "speaker", "cli"] as const;
const CODE = ["api", "common", ...ROLES, "hack", "test"];
/** Lines; a file beyond this is two files. */
const LONGEST = 450;
/** A table of cases may be longer. */
const LONGEST_TEST = 500;
const limitOf = (file: SourceFile): number => (file.isTest ? LONGEST_TEST : LONGEST);
/** Lines from which a file is pointed out. */
const LONG = 300;

/** Folder -> folders that its files may import, beside their own. */
const BORDERS: Readonly<Record<string, readonly string[]>> = {
  api: [],
  common: ["api"],
  operator: ["api", "common"],
  controller: ["api", "common"],
  speaker: ["api", "common"],
  cli: ["api", "common"],
  hack: ["api", "common", "controller", "speaker", "operator", "cli", "test"],
  test: CODE,
};

/** Words that bring in time, chance or the environment, and the files that may hold them. */
const IMPURE =
  /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomBytes|process\.env)\b/;
const SHELLS = [
  /^common\/(clock|random|process|log)\.ts$/,
  /^(operator|controller|speaker|cli)\/(main|options)\.ts$/,
  /^speaker\/(layer2|bfd)\/worker\.ts$/,
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  readonly imports: readonly string[];
}

async function walk(directory: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, directory), { withFileTypes: true }).catch(() => []);
  const nested = await Promise.all(
    entries.map((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory())
        return ["generated", "node_modules", "programs"].includes(entry.name) ? [] : walk(path);
      return entry.name.endsWith(".ts") ? [path] : [];
    }),
  );
  return nested.flat();
}

/** Paths from the root of what a file imports of ours. */
function importsOf(path: string, text: string): string[] {
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"([#.][^"]+)"/g)].map((match) => match[1] ?? "");
  return found.map((name) =>
    name.startsWith("#") ? name.slice(1) : relative(ROOT, join(ROOT, dirname(path), name)),
  );
}

const folderOf = (path: string): string => path.split("/")[0] ?? "";

function borderFaults(file: SourceFile): string[] {
  const folder = folderOf(file.path);
  return file.imports.flatMap((imported) => {
    const target = folderOf(imported);
    if (target === folder || (file.isTest && (target === "test" || target === "hack"))) return [];
    return BORDERS[folder]?.includes(target) === true
      ? []
      : [`${file.path}: imports ${imported}; ${folder}/ may not import ${target}/`];
  });
}

function purityFaults(file: SourceFile): string[] {
  if (file.isTest || !["api", "common", ...ROLES].includes(folderOf(file.path))) return [];
  if (SHELLS.some((shell) => shell.test(file.path))) return [];
  return file.text.split("\n").flatMap((line, at) => {
    const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, "").replace(/\/\/ .*$/, "");
    const word = IMPURE.exec(code)?.[1];
    return word === undefined
      ? []
      : [`${file.path}:${at + 1}: ${word} comes in by an argument, not by itself`];
  });
}

/** Follows imports: a role uses what it imports, and what that imports. */
function usersOf(files: readonly SourceFile[]): Map<string, Set<string>> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const users = new Map<string, Set<string>>();
  const visit = (path: string, role: string): void => {
    const known = users.get(path) ?? new Set();
    if (known.has(role)) return;
    users.set(path, known.add(role));
    for (const imported of byPath.get(path)?.imports ?? []) visit(imported, role);
  };
  for (const file of files) {
    const folder = folderOf(file.path);
    if (!file.isTest && (ROLES as readonly string[]).includes(folder)) {
      for (const imported of file.imports) if (folderOf(imported) === "common") visit(imported, folder);
    }
  }
  return users;
}

function sharingFaults(files: readonly SourceFile[]): string[] {
  const users = usersOf(files);
  return files
    .filter((file) => folderOf(file.path) === "common" && !file.isTest)
    .filter((file) => (users.get(file.path)?.size ?? 0) < 2)
    .map(
      (file) =>
        `${file.path}: only ${[...(users.get(file.path) ?? ["nobody"])].join()} uses it; it belongs there`,
    );
}

const paths = (await Promise.all(CODE.map(walk))).flat().sort();
const files: SourceFile[] = await Promise.all(
  paths.map(async (path) => {
    const text = await readFile(join(ROOT, path), "utf8");
    return { path, text, isTest: path.endsWith(".test.ts"), imports: importsOf(path, text) };
  }),
);
const tooLong = files
  .filter((file) => file.text.split("\n").length > limitOf(file))
  .map((file) => `${file.path}: ${file.text.split("\n").length} lines, ${limitOf(file)} at most`);
const faults = [
  ...files.flatMap(borderFaults),
  ...files.flatMap(purityFaults),
  ...sharingFaults(files),
  ...tooLong,
];
for (const { path, text } of files) {
  const lines = text.split("\n").length;
  if (lines > LONG && lines <= LONGEST)
    process.stdout.write(`note: ${path}: ${lines} lines, aim at ${LONG}\n`);
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
