/** The images that nodes get: the pause image, made here, and whatever lies in .lab/images. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { type Say, watched } from "#hack/common/progress.ts";
import { splitArchive } from "#hack/lab/archive.ts";
import type { Carrier } from "#hack/lab/carrier.ts";
import { writeImage } from "#hack/lab/image.ts";
import type { Layout, NodeLayout } from "#hack/lab/layout.ts";
import { PAUSE_IMAGE } from "#hack/lab/node-files.ts";
import { importImages } from "#hack/lab/nodes.ts";

const IMAGES_DIRECTORY = join(LAB_DIRECTORY, "images");

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

/** Imports archives into every node. */
export async function loadImages(
  at: { layout: Layout; carrier: Carrier; nodes: readonly NodeLayout[] },
  { archives, tell }: { archives: readonly string[]; tell: Say },
): Promise<void> {
  for (const path of archives) {
    const split = await splitArchive(at.layout, path);
    await watched(`loading ${basename(path)}`, importImages(at.carrier, at.nodes, split), tell);
  }
}

/** The archives of .lab/images as they are now: path -> what changes whenever the file does. */
export async function currentArchives(): Promise<Map<string, string>> {
  const paths = await archivesOf(IMAGES_DIRECTORY);
  return new Map(await Promise.all(paths.map(async (path) => [path, await identityOf(path)] as const)));
}

/** Changes whenever the file does. */
export async function identityOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${basename(path)} ${ino} ${size} ${mtimeMs}`;
}

async function archivesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => name.endsWith(".tar"))
    .sort()
    .map((name) => join(directory, name));
}
