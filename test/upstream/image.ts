/**
 * The image of which pods of Kubernetes' own tests are made: agnhost, with what its published image has beside it and the
 * tests call. It is made of this machine's programs, since there is no registry.
 */
import { mkdir, readlink, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { makeRootfs } from "#hack/images/rootfs.ts";
import { writeImage } from "#hack/lab/image.ts";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";

/** As test/utils/image of Kubernetes 1.36.3 names them. */
const NAME = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";
/**
 * Not busybox's shell, which would take its own nc: the tests know the options of OpenBSD's. Nor its wget: Debian's busybox
 * is linked statically, and ends with a segmentation fault where it looks up a name. All else that scripts of the tests
 * call is busybox's.
 */
const PROGRAMS: Readonly<Record<string, string>> = {
  "/bin/dash": "/usr/bin/sh",
  "/bin/nc.openbsd": "/usr/bin/nc",
  "/usr/bin/curl": "/usr/bin/curl",
  "/usr/bin/dig": "/usr/bin/dig",
  "/usr/bin/wget": "/usr/bin/wget",
  "/bin/busybox": "/usr/bin/busybox",
};
const NOT_OF_BUSYBOX = new Set(["sh", "ash", "nc", "nslookup", "busybox", "wget"]);

/** Path of its archive; made anew when agnhost was built anew. */
export async function ensureAgnhostImage(): Promise<string> {
  const directory = join(LAB_DIRECTORY, "upstream");
  const archive = join(directory, "agnhost.tar");
  const program = join(BIN_DIRECTORY, "agnhost");
  const made = await stat(archive).catch(() => undefined);
  if (made !== undefined && made.mtimeMs > (await stat(program)).mtimeMs) return archive;
  const root = join(directory, "root");
  await makeRootfs(root, {
    programs: { ...PROGRAMS, [program]: "/usr/bin/agnhost" },
    files: {},
    platform: { root: "/", architecture: "amd64" },
  });
  await symlink("usr/bin", join(root, "bin"));
  await symlink("/usr/bin/agnhost", join(root, "agnhost"));
  await mkdir(join(root, "var/tmp"), { recursive: true });
  // As often as busybox's: the tests count on its first answer.
  await writeFile(join(root, "etc/wgetrc"), "tries = 1\n");
  const applets = (await run(["/bin/busybox", "--list"])).split("\n").filter((name) => name !== "");
  for (const applet of applets.filter((name) => !NOT_OF_BUSYBOX.has(name))) {
    const link = join(root, "usr/bin", applet);
    const there = await stat(link).catch(() => readlink(link).catch(() => undefined));
    if (there === undefined) await symlink("busybox", link);
  }
  await unlink(archive).catch(() => undefined);
  await writeImage({ name: NAME, layers: [root], entrypoint: ["/agnhost"], command: ["pause"] }, archive);
  return archive;
}
