/** The directories and settings of the images of one platform: what the lab and a release have in common. */
import { join } from "node:path";
import { bundle } from "#hack/images/bundle.ts";
import { type Platform, programBelow } from "#hack/images/platform.ts";
import { makeRootfs, strippedNode } from "#hack/images/rootfs.ts";
import type { Stage } from "#hack/images/stages.ts";
import type { ImageSpec } from "#hack/lab/image.ts";

export interface Assembly {
  /** Which images. */
  readonly stages: readonly Stage[];
  /** What the programs say of themselves. */
  readonly tag: string;
  /** Where the parts are made. */
  readonly directory: string;
  /** Where the node of the platform is stripped and its root made; other builds may use the same. */
  readonly bases: string;
  readonly platform: Platform;
  readonly nameOf: (role: string) => string;
}

/** Makes all parts anew, and returns the image of each stage. */
export async function assembleImages(
  assembly: Assembly,
): Promise<ReadonlyArray<{ role: string; image: ImageSpec }>> {
  const { stages, tag, directory, bases, platform } = assembly;
  await bundle(
    stages.flatMap(({ bundles }) => bundles),
    { outputDirectory: join(directory, "bundles"), version: tag },
  );
  const node = join(bases, "node");
  await strippedNode(node, platform);
  const base = join(bases, "base");
  await makeRootfs(base, { programs: { [node]: "/usr/bin/node" }, files: {}, platform });
  const images = [];
  for (const stage of stages)
    images.push({ role: stage.name, image: await imageOf(stage, { ...assembly, base }) });
  return images;
}

async function imageOf(
  stage: Stage,
  { base, directory, platform, nameOf }: Assembly & { base: string },
): Promise<ImageSpec> {
  const root = join(directory, stage.name);
  const made = (file: string): string =>
    file === "socket.node" ? platform.addon : join(directory, "bundles", file);
  const programs = stage.programs.map((place): [string, string] => [programBelow(platform, place), place]);
  const files = Object.entries(stage.files).map(([file, place]): [string, string] => [made(file), place]);
  await makeRootfs(root, {
    ...{ programs: Object.fromEntries(programs), files: Object.fromEntries(files) },
    ...(stage.links === undefined ? {} : { links: stage.links }),
    platform,
  });
  return {
    name: nameOf(stage.name),
    architecture: platform.architecture,
    layers: [base, root],
    entrypoint: stage.entrypoint,
    environment: stage.environment,
    ...(stage.user === undefined ? {} : { user: stage.user }),
  };
}
