/**
 * Container images without a container engine: directories become the layers of an OCI image archive, which
 * `ctr images import`, `docker load` and `podman load` read (OCI image specification 1.1, image-layout.md).
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { configOf, type LayerBlob, manifestOf, refer, writeArchive, writeLayer } from "#hack/lab/oci.ts";

export interface ImageSpec {
  /** As pods name it: `genkan/speaker:dev`. */
  readonly name: string;
  /** Directories, lowest first; equal directories become one blob in every store. Owned by root in the image. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  /** Arguments that a pod's own replace. */
  readonly command?: readonly string[];
  /** `NAME=value`. */
  readonly environment?: readonly string[];
  /** uid:gid. */
  readonly user?: string;
  readonly workingDirectory?: string;
  /** As OCI names it, such as `amd64`; this machine's if nothing is said. */
  readonly architecture?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Writes the image as a tar archive to `file`. */
export async function writeImage(spec: ImageSpec, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const scratch = `${file}.${process.pid}`;
  const layers: LayerBlob[] = [];
  try {
    for (const [index, directory] of spec.layers.entries()) {
      layers.push(await writeLayer(directory, { path: `${scratch}.layer${index}`, compress: false }));
    }
    const config = configOf(spec, layers);
    const manifest = manifestOf(config, layers);
    const top = { ...refer(manifest), annotations: namesOf(fullName(spec.name)) };
    await writeArchive({ top, values: [config, manifest], layers }, scratch);
    await rename(scratch, file);
  } finally {
    for (const { path } of layers) await rm(path, { force: true });
    await rm(scratch, { force: true });
  }
}

/** The name with the registry and tag that container runtimes add: `genkan/echo` is `docker.io/genkan/echo:latest`. */
export function fullName(name: string): string {
  const parts = name.split("/");
  const first = parts[0] ?? "";
  const hasRegistry = parts.length > 1 && (/[.:]/.test(first) || first === "localhost");
  const path = hasRegistry ? name : parts.length > 1 ? `docker.io/${name}` : `docker.io/library/${name}`;
  return /:[^/]+$/.test(path) ? path : `${path}:latest`;
}

/** By which containerd and others find the image in an archive. */
export function namesOf(name: string): Record<string, string> {
  return {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
  };
}
