/**
 * What a guest under qemu is made of, made once and kept in .lab/guest: Debian's generic kernel with its modules
 * (unpacked, not installed), an initrd of static busybox and the few modules that reach the host's root, and the agent.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "#hack/common/command.ts";
import { CACHE, digestOf, ensureAgent } from "#hack/guest/cache.ts";

/** Paths on the host (and, through the shared root, in the guest). */
export interface QemuFiles {
  kernel: string;
  initrd: string;
  agent: string;
  /** A directory with lib/modules/<release>. */
  modules: string;
  /** `6.1.0-53-amd64` */
  release: string;
}

/** What the initrd must load to reach the host's root and the control channel, dependencies first. */
const EARLY_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"];

/** Downloads, unpacks and builds whatever is missing. */
export async function ensureQemuFiles(progress: (line: string) => void): Promise<QemuFiles> {
  await mkdir(CACHE, { recursive: true });
  const modules = join(CACHE, "kernel");
  if (!existsSync(join(modules, "complete"))) await unpackKernel(modules, progress);
  const release = (await readdir(join(modules, "lib", "modules")))[0];
  if (release === undefined) throw new Error(`${modules} holds no modules: remove it and try again`);
  return {
    kernel: join(modules, "boot", `vmlinuz-${release}`),
    initrd: await ensureInitrd(modules, release),
    agent: await ensureAgent(),
    modules,
    release,
  };
}

async function unpackKernel(target: string, progress: (line: string) => void): Promise<void> {
  progress("guest: downloading Debian's generic kernel (67 MB, once)");
  const scratch = `${target}.${process.pid}`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(join(scratch, "tree"), { recursive: true });
  const name = (await kernelPackage()) ?? (await refreshed());
  await run(["apt-get", "download", name], { cwd: scratch });
  const archive = (await readdir(scratch)).find((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new Error(`apt-get download ${name} left no package in ${scratch}`);
  await run(["dpkg", "-x", join(scratch, archive), join(scratch, "tree")]);
  const release = (await readdir(join(scratch, "tree", "lib", "modules")))[0] ?? "";
  await run(["/sbin/depmod", "-b", join(scratch, "tree"), release]);
  await writeFile(join(scratch, "tree", "complete"), `${name}\n`);
  await rm(target, { recursive: true, force: true });
  await rename(join(scratch, "tree"), target);
  await rm(scratch, { recursive: true, force: true });
}

async function kernelPackage(): Promise<string | undefined> {
  const output = await run(["apt-cache", "depends", "linux-image-amd64"]).catch(() => "");
  return /Depends: (linux-image-\S+)/.exec(output)?.[1];
}

async function refreshed(): Promise<string> {
  await run(["apt-get", "update"]);
  const name = await kernelPackage();
  if (name === undefined)
    throw new Error("apt-cache knows no linux-image-amd64: the guest needs Debian's generic kernel");
  return name;
}

async function ensureInitrd(modules: string, release: string): Promise<string> {
  const init = join(import.meta.dirname, "init.sh");
  const digest = digestOf(release, EARLY_MODULES.join(), await readFile(init));
  const target = join(CACHE, `initrd-${digest}`);
  if (existsSync(target)) return target;
  const tree = `${target}.${process.pid}.tree`;
  await rm(tree, { recursive: true, force: true });
  for (const name of ["bin", "modules", "proc", "sys", "dev", "host", "memory", "root"]) {
    await mkdir(join(tree, name), { recursive: true });
  }
  await copyFile(init, join(tree, "init"));
  await copyFile("/bin/busybox", join(tree, "bin", "busybox"));
  const order = await moduleOrder(join(modules, "lib", "modules", release));
  for (const path of order) await copyFile(path, join(tree, "modules", basename(path)));
  await writeFile(join(tree, "modules", "order"), `${order.map((path) => basename(path)).join("\n")}\n`);
  const script = `chmod 755 init && for applet in $(bin/busybox --list); do [ -e bin/$applet ] || ln -s busybox bin/$applet; done
    find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > ${target}.${process.pid}`;
  await run(["sh", "-ec", script], { cwd: tree });
  await rename(`${target}.${process.pid}`, target);
  await rm(tree, { recursive: true, force: true });
  return target;
}

/** Absolute paths of the early modules and all that they need, in the order in which they load. */
async function moduleOrder(directory: string): Promise<string[]> {
  const needs = new Map<string, string[]>();
  for (const line of (await readFile(join(directory, "modules.dep"), "utf8")).split("\n")) {
    const [path, rest] = line.split(":");
    if (path !== undefined && rest !== undefined) needs.set(path, rest.trim().split(" ").filter(Boolean));
  }
  const order = new Set<string>();
  const visit = (path: string): void => {
    for (const other of needs.get(path) ?? []) visit(other);
    order.add(path);
  };
  for (const module of EARLY_MODULES) {
    const path = [...needs.keys()].find((candidate) => candidate.endsWith(`/${module}.ko`));
    // Absent from the list of modules means built into the kernel.
    if (path !== undefined) visit(path);
  }
  return [...order].map((path) => join(directory, path));
}
