/** All files of a release in one folder. The same sources, machine packages and request give the same bytes. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import type { Platform } from "#hack/images/platform.ts";
import { packChart } from "#hack/release/chart.ts";
import { SUMS, signChecksums, writeChecksums } from "#hack/release/checksums.ts";
import { bundleCli, packageCli } from "#hack/release/cli.ts";
import { packagesOf } from "#hack/release/debian.ts";
import { archiveName, writeImages } from "#hack/release/images.ts";
import { readObjects, toYaml, withImages } from "#hack/release/manifests.ts";
import { type ReleaseRequest, RequestError } from "#hack/release/request.ts";
import { type DebianPackage, sbomOf } from "#hack/release/sbom.ts";

export interface Release {
  /** Role -> image by digest. */
  readonly images: ReadonlyMap<string, string>;
  /** What `SHA256SUMS` says. */
  readonly sums: string;
}

/** Makes `request.output` anew. `scratch` is where parts are made and left. */
export async function buildRelease(
  request: Pick<ReleaseRequest, "version" | "registry" | "key" | "output">,
  { platforms, scratch }: { platforms: readonly Platform[]; scratch: string },
): Promise<Release> {
  const { version, registry, key, output } = request;
  // Modes of files are in the archives.
  process.umask(0o022);
  await emptyFolder(output);
  const digests = await writeImages({ version, registry, platforms, scratch, output });
  const images = new Map([...digests].map(([role, digest]) => [role, `${registry}/${role}@${digest}`]));
  const files = [
    ...[...digests.keys()].map(archiveName),
    await writeInstallation(output, { version, images }),
    await packChart(output, { version, images, scratch }),
    await writeSbom(output, { version, platforms }),
    ...(await writeCli(output, { version, scratch })),
  ];
  const sums = await writeChecksums(output, files);
  if (key !== undefined) await signChecksums(output, key);
  return { images, sums };
}

/** What is there goes, if it is an earlier release or one that was not finished: a wrong OUTPUT must cost nobody their files. */
async function emptyFolder(output: string): Promise<void> {
  const present = await readdir(output).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (present.length > 0 && !present.includes(SUMS)) {
    throw new RequestError(`OUTPUT is "${output}"; there are files, and no release (${SUMS}), so they stay`);
  }
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  await writeFile(join(output, SUMS), "");
}

async function writeInstallation(
  output: string,
  { version, images }: { version: string; images: ReadonlyMap<string, string> },
): Promise<string> {
  const named = (role: string): string => {
    const image = images.get(role);
    if (image === undefined)
      throw new Error(`config/ names the image genkan.dev/${role}, which nobody builds`);
    return image;
  };
  const head = `# Genkan ${version}: kubectl apply -f install.yaml\n`;
  await writeFile(join(output, "install.yaml"), head + toYaml(withImages(await readObjects(), named)));
  return "install.yaml";
}

async function writeSbom(
  output: string,
  { version, platforms }: { version: string; platforms: readonly Platform[] },
): Promise<string> {
  const lock = JSON.parse(await readFile(join(CHECKOUT, "package-lock.json"), "utf8"));
  const nodeVersion = lock.packages["node_modules/node"].version;
  const debian: DebianPackage[] = [];
  for (const platform of platforms) debian.push(...(await packagesOf(platform)));
  const sbom = sbomOf(lock, { version, nodeVersion, debian });
  await writeFile(join(output, "sbom.cdx.json"), `${JSON.stringify(sbom, undefined, 2)}\n`);
  return "sbom.cdx.json";
}

/** The command as one file, and as an npm package. */
export async function writeCli(
  output: string,
  { version, scratch }: { version: string; scratch: string },
): Promise<string[]> {
  const folder = join(scratch, "package");
  await rm(folder, { recursive: true, force: true });
  await bundleCli(output, version);
  await packageCli(folder, version);
  const packed = await run(["npm", "pack", folder, "--silent", "--pack-destination", output]);
  return ["genkan.mjs", packed.trim()];
}
