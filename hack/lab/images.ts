/** The images that nodes get: the pause image, made here, and whatever lies in .lab/images. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { splitArchive } from "#hack/lab/archive.ts";
import type { Carrier } from "#hack/lab/carrier.ts";
import { run } from "#hack/lab/command.ts";
import { writeImage } from "#hack/lab/image.ts";
import { LAB_DIRECTORY, type Layout, type NodeLayout } from "#hack/lab/layout.ts";
import { PAUSE_IMAGE } from "#hack/lab/node-files.ts";
import { importImages } from "#hack/lab/nodes.ts";
import { type Say, watched } from "#hack/lab/progress.ts";

export const IMAGES_DIRECTORY = join(LAB_DIRECTORY, "images");

/** Path of the pause image's archive; compiled the first time. */
export async function ensurePauseImage(): Promise<string> {
  const directory = join(LAB_DIRECTORY, "base");
  const archive = join(directory, "pause.tar");
  if (existsSync(archive)) return archive;
  const root = join(directory, `pause.${process.pid}`);
  await mkdir(root, { recursive: true });
  const source = join(import.meta.dirname, "pause.c");
  await run(["cc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-o", join(root, "pause"), source]);
  await writeImage(
    { name: PAUSE_IMAGE, layers: [root], entrypoint: ["/pause"], user: "65535:65535" },
    archive,
  );
  await rm(root, { recursive: true });
  return archive;
}

/** Imports every archive of .lab/images (or those given) into every node; resolves to their file names. */
export async function loadImages(
  at: { layout: Layout; carrier: Carrier; nodes: readonly NodeLayout[] },
  { archives, tell }: { archives?: readonly string[]; tell: Say },
): Promise<string[]> {
  const paths = archives ?? (await archivesOf(IMAGES_DIRECTORY));
  for (const path of paths) {
    const split = await splitArchive(at.layout, path);
    await watched(`loading ${basename(path)}`, importImages(at.carrier, at.nodes, split), tell);
  }
  return paths.map((path) => basename(path));
}

/** Paths of the archives in a directory, by name. */
export async function archivesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => name.endsWith(".tar"))
    .sort()
    .map((name) => join(directory, name));
}
