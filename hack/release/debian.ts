/** Which packages of Debian the programs and libraries in images come from, as dpkg knows it. */
import { mkdir, realpath, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run, runScript } from "#hack/common/command.ts";
import { librariesOf } from "#hack/images/libraries.ts";
import { type Platform, programBelow } from "#hack/images/platform.ts";
import { STAGES } from "#hack/images/stages.ts";
import type { DebianPackage } from "#hack/release/sbom.ts";

/** dpkg's own folder below a root. */
const DATABASE = "var/lib/dpkg";

/** Of everything in the images but node and our own files; sorted, each once. */
export async function packagesOf(platform: Platform): Promise<DebianPackage[]> {
  const programs = STAGES.flatMap((stage) => stage.programs).map((place) => programBelow(platform, place));
  const libraries = await librariesOf([platform.node, ...programs], platform);
  const owners = new Set<string>();
  for (const file of [...programs, ...libraries.values()]) owners.add(await ownerOf(file, platform.root));
  const admin = `--admindir=${join(platform.root, DATABASE)}`;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own notation.
  const format = "${Package} ${Version} ${Architecture}\n";
  const lines = (await run(["dpkg-query", admin, "-W", "-f", format, ...owners])).trim().split("\n");
  return lines.sort().map((line) => {
    const [name = "", version = "", architecture = ""] = line.split(" ");
    return { name, version, architecture };
  });
}

/** `libc6:arm64`. dpkg has a file under the folder that its package names, which may be a link to another. */
async function ownerOf(file: string, root: string): Promise<string> {
  const real = (await realpath(file)).slice(root === "/" ? 0 : (await realpath(root)).length);
  const names = [real, real.replace(/^\/usr/, ""), `/usr${real}`];
  const admin = `--admindir=${join(root, DATABASE)}`;
  for (const name of names) {
    const found = await run(["dpkg-query", admin, "-S", name]).catch(() => "");
    const owner = /^(\S+): \//m.exec(found)?.[1];
    if (owner !== undefined) return owner;
  }
  throw new Error(`no package below ${root} has ${basename(file)} (${real})`);
}

/** Unpacks packages below `root`, and writes what dpkg would have written of them had it installed them. */
export async function unpackInto(root: string, packages: readonly string[]): Promise<void> {
  const database = join(root, DATABASE);
  await mkdir(join(database, "info"), { recursive: true });
  await writeFile(join(database, "info/format"), "1\n");
  let status = "";
  for (const file of packages) {
    await run(["dpkg-deb", "--extract", file, root]);
    const control = await run(["dpkg-deb", "--field", file]);
    status += `${control.trimEnd()}\nStatus: install ok installed\n\n`;
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(control)?.[1] ?? "";
    const owner =
      field("Multi-Arch") === "same" ? `${field("Package")}:${field("Architecture")}` : field("Package");
    const list = await runScript(`dpkg-deb --fsys-tarfile "${file}" | tar -t`);
    // dpkg's own lists have no slash at an end, and say `/.` of the root.
    const paths = list.replaceAll(/^\.|\/$/gm, "").replaceAll(/^$\n/gm, "/.\n");
    await writeFile(join(database, "info", `${owner}.list`), paths);
  }
  await writeFile(join(database, "status"), status);
}
