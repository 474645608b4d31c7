/** The images of a release: one archive for each role, with an index of all its platforms and compressed layers. */
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { assembleImages } from "#hack/images/assemble.ts";
import type { Platform } from "#hack/images/platform.ts";
import { STAGES } from "#hack/images/stages.ts";
import { type ImageSpec, namesOf } from "#hack/lab/image.ts";
import {
  configOf,
  type Descriptor,
  indexOf,
  type LayerBlob,
  manifestOf,
  refer,
  type ValueBlob,
  writeArchive,
  writeLayer,
} from "#hack/lab/oci.ts";

export interface ImagesRequest {
  readonly version: string;
  /** Host and path of the user's registry, below which each role is an image. */
  readonly registry: string;
  readonly platforms: readonly Platform[];
  /** Where the parts are made. */
  readonly scratch: string;
  /** Where `<role>.oci.tar` go. */
  readonly output: string;
}

interface Parts {
  readonly manifests: Descriptor[];
  readonly values: ValueBlob[];
  readonly layers: LayerBlob[];
}

/** Writes the archives, and returns role -> digest of its index, which is what a registry knows the image by. */
export async function writeImages(request: ImagesRequest): Promise<Map<string, string>> {
  const { version, registry, platforms, scratch, output } = request;
  const byRole = new Map<string, Parts>();
  for (const platform of platforms) {
    const directory = join(scratch, platform.architecture);
    const nameOf = (role: string): string => `${registry}/${role}:${version}`;
    const images = await assembleImages({
      ...{ stages: STAGES, tag: version, directory, bases: directory, platform, nameOf },
    });
    const layerOf = layerWriter(directory);
    for (const { role, image } of images) {
      const parts = byRole.get(role) ?? { manifests: [], values: [], layers: [] };
      byRole.set(role, parts);
      await addPlatform(
        parts,
        { ...image, labels: { "org.opencontainers.image.version": version } },
        layerOf,
      );
    }
  }
  await mkdir(output, { recursive: true });
  const digests = new Map<string, string>();
  for (const [role, { manifests, values, layers }] of byRole) {
    const index = indexOf(manifests);
    const top = { ...refer(index), annotations: namesOf(`${registry}/${role}:${version}`) };
    const file = join(output, archiveName(role));
    await writeArchive({ top, values: [...values, index], layers }, `${file}.new`);
    await rename(`${file}.new`, file);
    digests.set(role, index.digest);
  }
  return digests;
}

export const archiveName = (role: string): string => `${role}.oci.tar`;

type LayerWriter = (directory: string) => Promise<LayerBlob>;

/** Writes each directory once: node, which all roles have, takes longer than everything else. */
function layerWriter(scratch: string): LayerWriter {
  const written = new Map<string, Promise<LayerBlob>>();
  return (directory) => {
    const path = join(scratch, `layer${written.size}.tar.gz`);
    const layer = written.get(directory) ?? writeLayer(directory, { path, compress: true });
    written.set(directory, layer);
    return layer;
  };
}

async function addPlatform(parts: Parts, image: ImageSpec, layerOf: LayerWriter): Promise<void> {
  const layers: LayerBlob[] = [];
  for (const directory of image.layers) layers.push(await layerOf(directory));
  const config = configOf(image, layers);
  const manifest = manifestOf(config, layers);
  const { architecture = "" } = image;
  parts.manifests.push({ ...refer(manifest), platform: { os: "linux", architecture } });
  parts.values.push(config, manifest);
  parts.layers.push(...layers);
}
