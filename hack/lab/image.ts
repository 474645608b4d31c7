/**
 * Container images without a container engine: directories become the layers of an OCI image archive, which
 * `ctr images import`, `docker load` and `podman load` read (OCI image specification 1.1, image-layout.md).
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { tarEnd, tarHeader, tarOf, tarPadding } from "#hack/lab/tar.ts";

export interface ImageSpec {
  /** As pods name it: `genkan/speaker:dev`. */
  readonly name: string;
  /** Directories, lowest first; equal directories become one blob in every store. Owned by root in the image. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  /** `NAME=value`. */
  readonly environment?: readonly string[];
  /** uid:gid. */
  readonly user?: string;
  readonly workingDirectory?: string;
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const MEDIA = "application/vnd.oci.image";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Writes the image as a tar archive to `file`. */
export async function writeImage(spec: ImageSpec, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const scratch = `${file}.${process.pid}`;
  const layers: Array<Blob & { path: string }> = [];
  try {
    for (const [index, directory] of spec.layers.entries()) {
      const path = `${scratch}.layer${index}`;
      layers.push({ path, ...(await writeBlob(tarOf(directory), path)) });
    }
    await writeArchive(spec, layers, scratch);
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

async function writeArchive(
  spec: ImageSpec,
  layers: ReadonlyArray<Blob & { path: string }>,
  file: string,
): Promise<void> {
  const config = jsonBlob({
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: "linux",
    config: {
      Entrypoint: spec.entrypoint,
      Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", ...(spec.environment ?? [])],
      ...(spec.user === undefined ? {} : { User: spec.user }),
      WorkingDir: spec.workingDirectory ?? "/",
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config: { mediaType: `${MEDIA}.config.v1+json`, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: `${MEDIA}.layer.v1.tar`, digest, size })),
  });
  const name = fullName(spec.name);
  const index = jsonBlob({
    schemaVersion: 2,
    mediaType: `${MEDIA}.index.v1+json`,
    manifests: [
      {
        mediaType: `${MEDIA}.manifest.v1+json`,
        digest: manifest.digest,
        size: manifest.size,
        annotations: {
          "io.containerd.image.name": name,
          "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
        },
      },
    ],
  });
  const output = await open(file, "w");
  try {
    const put = async (path: string, size: number, content: AsyncIterable<Buffer> | Buffer[]) => {
      await output.write(tarHeader({ path, type: "file", mode: 0o644, size }));
      for await (const chunk of content) await output.write(chunk);
      await output.write(tarPadding(size));
    };
    const layout = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
    await put("oci-layout", layout.length, [layout]);
    await put("index.json", index.size, [index.bytes]);
    for (const blob of [config, manifest]) await put(blobPath(blob), blob.size, [blob.bytes]);
    const written = new Set<string>();
    for (const layer of layers) {
      if (written.has(layer.digest)) continue;
      written.add(layer.digest);
      await put(blobPath(layer), layer.size, createReadStream(layer.path));
    }
    await output.write(tarEnd());
  } finally {
    await output.close();
  }
}

function blobPath({ digest }: Blob): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function jsonBlob(value: unknown): Blob & { bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { bytes, digest, size: bytes.length };
}

async function writeBlob(content: AsyncIterable<Buffer>, path: string): Promise<Blob> {
  const hash = createHash("sha256");
  const output = await open(path, "w");
  let size = 0;
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      await output.write(chunk);
    }
  } finally {
    await output.close();
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}
