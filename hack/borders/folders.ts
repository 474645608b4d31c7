/** Borders between the folders at the top: who may import whom, and what belongs into common/. Pure. */
import { folderOf, type SourceFile } from "#hack/borders/source.ts";

export const ROLES: readonly string[] = ["operator", "controller", "speaker", "cli", "console"];

/** Folder -> folders that its files may import, beside their own. Tests beside the code may import test/ and hack/, too. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  api: [],
  common: ["api"],
  operator: ["api", "common"],
  // Of console/ it starts what serves it, in main.ts; what that shows comes from cli/, whose decisions are the roles' own.
  controller: ["api", "common", "console"],
  speaker: ["api", "common"],
  // What it says of a cluster has to be what the processes there do: it runs their own decisions (BORROWED).
  cli: ["api", "common", "controller", "speaker"],
  console: ["api", "common", "cli"],
  hack: ["api", "common", ...ROLES, "test"],
  test: ["api", "common", ...ROLES, "hack"],
};

export const CODE = Object.keys(FOLDERS);

/**
 * What cli/ may take of a role when it runs: what reads objects and decides, and never a shell. rooms.ts holds all of
 * these to reach no socket, file or process.
 */
export const BORROWED: readonly RegExp[] = [
  /^controller\/allocation\//,
  /^controller\/status\/plan\.ts$/,
  /^speaker\/plan\//,
  /^speaker\/known\/(accepted-peers|accepted-pools|links|password|pools|project|project-bgp|usable)\.ts$/,
  /^speaker\/membership\/(lease-record|silence)\.ts$/,
  /^speaker\/bgp\/plan\.ts$/,
  /^speaker\/forwarding\/(digest|plan-port|types)\.ts$/,
];

/** What console/ may take of cli/ when it runs: what finds out, and nothing that reads files or prints. */
export const LENT: readonly RegExp[] = [
  /^cli\/(answer|ours|read|speakers|table|world|prefixes)\.ts$/,
  /^cli\/(explain|history|list|maglev|status)\//,
];

/** Values that console/ takes of cli/ and that are not lent; and who of controller/ takes any of console/. */
export function lendingFaults(files: readonly SourceFile[]): string[] {
  const own = files.filter(({ isTest }) => !isTest);
  const taken = own
    .filter(({ path }) => folderOf(path) === "console")
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isOurs, values }) => isOurs && values.length > 0 && folderOf(target) === "cli")
        .filter(({ target }) => !LENT.some((pattern) => pattern.test(target)))
        .map(({ target }) => `${path}: imports ${target}; console/ runs of cli/ only what finds out (LENT)`),
    );
  const started = own
    .filter(({ path }) => folderOf(path) === "controller" && path !== "controller/main.ts")
    .filter(({ imports }) => imports.some(({ target, isOurs }) => isOurs && folderOf(target) === "console"))
    .map(({ path }) => `${path}: imports console/; controller/main.ts alone starts it`);
  return [...taken, ...started];
}

/** Roles of which cli/ takes values that are not lent; types may come from anywhere there. */
export function borrowingFaults(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path, isTest }) => folderOf(path) === "cli" && !isTest)
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isOurs, values }) => isOurs && values.length > 0 && isOfRole(target))
        .filter(({ target }) => !BORROWED.some((pattern) => pattern.test(target)))
        .map(({ target }) => `${path}: imports ${target}; cli/ runs of a role only what decides (BORROWED)`),
    );
}

const isOfRole = (path: string): boolean => ROLES.includes(folderOf(path)) && folderOf(path) !== "cli";

export function folderFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const folder = folderOf(file.path);
    const allowed = [folder, ...(FOLDERS[folder] ?? []), ...(file.isTest ? ["test", "hack"] : [])];
    return file.imports
      .filter(({ target, isOurs }) => isOurs && !allowed.includes(folderOf(target)))
      .map(({ target }) => `${file.path}: imports ${target}; ${folder}/ may not import ${folderOf(target)}/`);
  });
}

/** A file in common/ is used by two roles at least, by itself or by what it is imported by. */
export function sharingFaults(files: readonly SourceFile[]): string[] {
  const users = usersOf(files);
  return files
    .filter((file) => folderOf(file.path) === "common" && !file.isTest)
    .filter((file) => (users.get(file.path)?.size ?? 0) < 2)
    .map((file) => {
      const who = [...(users.get(file.path) ?? ["nobody"])].join();
      return `${file.path}: only ${who} uses it; it belongs there`;
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
    for (const { target, isOurs } of byPath.get(path)?.imports ?? []) if (isOurs) visit(target, role);
  };
  for (const file of files) {
    const folder = folderOf(file.path);
    if (file.isTest || !ROLES.includes(folder)) continue;
    for (const { target } of file.imports) if (folderOf(target) === "common") visit(target, folder);
  }
  return users;
}
