/**
 * A root file system of nothing but what runs: programs with the shared libraries that they link, and our files.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readlink, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Paths of the shared libraries and the loader that `program` links, as `ldd` prints them. */
function parseLdd(output: string): string[] {
  const paths: string[] = [];
  for (const line of output.split("\n")) {
    const found = /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line);
    if (found?.[1] !== undefined) paths.push(found[1]);
    const absent = /^\s*(\S+) => not found/.exec(line);
    if (absent?.[1] !== undefined) throw new Error(`shared library ${absent[1]} is not on this machine`);
  }
  return paths;
}

async function place(root: string, from: string, to: string): Promise<void> {
  const target = join(root, to);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(await realpath(from), target);
  await chmod(target, 0o755);
}

/** Makes `root` anew: `programs` maps a file of this machine to its place. */
export async function makeRootfs(
  root: string,
  {
    programs,
    files,
  }: { programs: Readonly<Record<string, string>>; files: Readonly<Record<string, string>> },
): Promise<void> {
  await rm(root, { recursive: true, force: true });
  for (const directory of ["etc", "tmp", "proc", "sys", "dev", "run", "usr/bin", "usr/lib", "usr/lib64"]) {
    await mkdir(join(root, directory), { recursive: true });
  }
  // The loader's path is fixed in every binary; on Debian both folders are links into /usr.
  await symlink("usr/lib", join(root, "lib"));
  await symlink("usr/lib64", join(root, "lib64"));
  await writeFile(join(root, "etc/passwd"), "root:x:0:0::/:/none\ngenkan:x:65532:65532::/:/none\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\ngenkan:x:65532:\n");
  // `localhost` and the cluster's names go by files first, as on any Debian.
  await writeFile(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
  const libraries = new Set<string>();
  for (const [from, to] of Object.entries(programs)) {
    await place(root, from, to);
    const { stdout } = await run("ldd", [from]);
    for (const library of parseLdd(stdout)) libraries.add(library);
  }
  for (const library of libraries) {
    await place(root, library, library.startsWith("/usr/") ? library : `/usr${library}`);
  }
  for (const [from, to] of Object.entries(files)) await place(root, from, to);
}

/** Strips a copy of the running node: 116 MB instead of 150. Addons still load (exported symbols stay). */
export async function strippedNode(to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  const self = await readlink("/proc/self/exe");
  await run("strip", ["-o", to, self]);
}
