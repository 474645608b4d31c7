/**
 * Container images without a container engine: folders become layers, layers and a few words become an archive that
 * `ctr images import` reads (the format of `docker save`). A layer that several images share is in the archive once.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Image {
  /** With registry and tag: `genkan.dev/speaker:v0.1.0`. */
  readonly name: string;
  /** Folders that hold the image's root, lowest first. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  /** `NAME=value` */
  readonly environment?: readonly string[];
  /** `uid:gid`; root where absent. */
  readonly user?: string;
}

/** The same folder gives the same bytes: names sorted, no times, no owners. */
async function packLayer(folder: string, output: string): Promise<string> {
  const flags = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
  await run("tar", [...flags, "-C", folder, "-cf", output, "."]);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(output)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function configOf(image: Image, diffIds: readonly string[]): string {
  return JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: {
      Entrypoint: image.entrypoint,
      Env: ["PATH=/usr/bin:/bin", ...(image.environment ?? [])],
      ...(image.user === undefined ? {} : { User: image.user }),
    },
    rootfs: { type: "layers", diff_ids: diffIds.map((id) => `sha256:${id}`) },
    history: diffIds.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "hack/lab/image.ts" })),
  });
}

/** Writes all `images` into the one archive `output`, whole or not at all. */
export async function writeArchive(images: readonly Image[], output: string): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), ".archive-"));
  try {
    const digests = new Map<string, string>();
    for (const folder of new Set(images.flatMap((image) => image.layers))) {
      const packed = join(work, "packed.tar");
      const digest = await packLayer(folder, packed);
      digests.set(folder, digest);
      await mkdir(join(work, "files", digest), { recursive: true });
      await rename(packed, join(work, "files", digest, "layer.tar"));
    }
    const manifest = [];
    for (const image of images) {
      const ids = image.layers.map((folder) => digests.get(folder) ?? "");
      const config = configOf(image, ids);
      const name = `${createHash("sha256").update(config).digest("hex")}.json`;
      await writeFile(join(work, "files", name), config);
      manifest.push({ Config: name, RepoTags: [image.name], Layers: ids.map((id) => `${id}/layer.tar`) });
    }
    await writeFile(join(work, "files", "manifest.json"), JSON.stringify(manifest));
    await run("tar", ["-C", join(work, "files"), "-cf", join(work, "archive.tar"), "."]);
    await rm(output, { force: true });
    await link(join(work, "archive.tar"), output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
