/** The parts of an OCI image archive (OCI image specification 1.1): layers, configuration, manifest, and the archive. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGzip } from "node:zlib";
import type { ImageSpec } from "#hack/lab/image.ts";
import { tarEnd, tarHeader, tarOf, tarPadding } from "#hack/lab/tar.ts";

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A blob that is held in memory. */
export interface ValueBlob extends Blob {
  readonly bytes: Buffer;
}

/** A layer in a file. `contents` is the digest of what is in it, which is its own unless it is compressed. */
export interface LayerBlob extends Blob {
  readonly path: string;
  readonly contents: string;
}

/** What an index or a manifest says of a blob. */
export interface Descriptor extends Blob {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

const MEDIA = "application/vnd.oci.image";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Of the machine that this runs on, as OCI names it. */
export const HOST_ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function valueBlob(kind: "config" | "manifest" | "index", value: unknown): ValueBlob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { mediaType: `${MEDIA}.${kind}.v1+json`, bytes, digest: digestOf(bytes), size: bytes.length };
}

export const refer = ({ mediaType, digest, size }: Blob): Descriptor => ({ mediaType, digest, size });

/** Writes a directory as a layer to `path`. The same files give the same bytes. */
export async function writeLayer(
  directory: string,
  { path, compress }: { path: string; compress: boolean },
): Promise<LayerBlob> {
  const contents = createHash("sha256");
  async function* plain(): AsyncGenerator<Buffer> {
    for await (const chunk of tarOf(directory)) {
      contents.update(chunk);
      yield chunk;
    }
  }
  const whole = createHash("sha256");
  const output = await open(path, "w");
  let size = 0;
  try {
    for await (const chunk of compress ? gzip(plain()) : plain()) {
      whole.update(chunk);
      size += chunk.length;
      await output.write(chunk);
    }
  } finally {
    await output.close();
  }
  return {
    mediaType: `${MEDIA}.layer.v1.tar${compress ? "+gzip" : ""}`,
    path,
    size,
    digest: `sha256:${whole.digest("hex")}`,
    contents: `sha256:${contents.digest("hex")}`,
  };
}

/** Its header has no time and no name: the same input gives the same bytes. */
export async function* gzip(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const stream = createGzip({ level: 9 });
  const feeding = (async () => {
    for await (const chunk of input) {
      if (!stream.write(chunk)) await new Promise<void>((resolve) => stream.once("drain", () => resolve()));
    }
    stream.end();
  })().catch((error: Error) => {
    stream.destroy(error);
  });
  for await (const chunk of stream) yield chunk as Buffer;
  await feeding;
}

export function configOf(spec: ImageSpec, layers: readonly LayerBlob[]): ValueBlob {
  return valueBlob("config", {
    architecture: spec.architecture ?? HOST_ARCHITECTURE,
    os: "linux",
    config: {
      Entrypoint: spec.entrypoint,
      ...(spec.command === undefined ? {} : { Cmd: spec.command }),
      Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", ...(spec.environment ?? [])],
      ...(spec.user === undefined ? {} : { User: spec.user }),
      WorkingDir: spec.workingDirectory ?? "/",
      ...(spec.labels === undefined ? {} : { Labels: spec.labels }),
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ contents }) => contents) },
  });
}

export function manifestOf(config: ValueBlob, layers: readonly LayerBlob[]): ValueBlob {
  return valueBlob("manifest", {
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config: refer(config),
    layers: layers.map(refer),
  });
}

/** One image for several platforms: a container runtime takes the manifest of its own. */
export function indexOf(manifests: readonly Descriptor[]): ValueBlob {
  return valueBlob("index", { schemaVersion: 2, mediaType: `${MEDIA}.index.v1+json`, manifests });
}

export interface Archive {
  /** The image that the archive is for, with its names. */
  readonly top: Descriptor;
  readonly values: readonly ValueBlob[];
  readonly layers: readonly LayerBlob[];
}

const blobPath = ({ digest }: Blob): string => `blobs/${digest.replace(":", "/")}`;

/** An image layout (image-layout.md) as a tar archive in `file`. Equal blobs are in it once. */
export async function writeArchive({ top, values, layers }: Archive, file: string): Promise<void> {
  const output = await open(file, "w");
  try {
    const put = async (path: string, size: number, content: AsyncIterable<Buffer> | Buffer[]) => {
      await output.write(tarHeader({ path, type: "file", mode: 0o644, size }));
      for await (const chunk of content) await output.write(chunk);
      await output.write(tarPadding(size));
    };
    const layout = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
    const index = indexOf([top]);
    await put("oci-layout", layout.length, [layout]);
    await put("index.json", index.size, [index.bytes]);
    for (const blob of values) await put(blobPath(blob), blob.size, [blob.bytes]);
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
