/**
 * A root file system of nothing but what runs: programs with the shared libraries that they link, and our files.
 */
import { chmod, copyFile, mkdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "#hack/common/command.ts";
import { librariesOf } from "#hack/images/libraries.ts";
import { type Platform, toolFor } from "#hack/images/platform.ts";

async function place(root: string, from: string, to: string): Promise<void> {
  const target = join(root, to);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(await realpath(from), target);
  await chmod(target, 0o755);
}

export interface RootfsContents {
  /** A file of this machine -> its place. What it links goes with it. */
  readonly programs: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  /** Place -> what it leads to. */
  readonly links?: Readonly<Record<string, string>>;
  readonly platform: Pick<Platform, "root" | "architecture">;
}

/** Makes `root` anew. */
export async function makeRootfs(
  root: string,
  { programs, files, links = {}, platform }: RootfsContents,
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
  for (const [from, to] of Object.entries(programs)) await place(root, from, to);
  for (const [to, from] of await librariesOf(Object.keys(programs), platform)) await place(root, from, to);
  for (const [from, to] of Object.entries(files)) await place(root, from, to);
  for (const [at, target] of Object.entries(links)) await symlink(target, join(root, at));
}

/** Strips a copy of the platform's node: 116 MB instead of 150. Addons still load (exported symbols stay). */
export async function strippedNode(to: string, { node, architecture }: Platform): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  await run([toolFor(architecture, "strip"), "-o", to, node]);
}
