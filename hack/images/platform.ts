/** What an image is made of on each architecture: a node binary, and Debian's files below a root. */
import { existsSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { HOST_ARCHITECTURE } from "#hack/lab/oci.ts";

export type Architecture = "amd64" | "arm64";
export const ARCHITECTURES: readonly Architecture[] = ["amd64", "arm64"];

/** As GNU names it: of its folders of libraries, and of its tools. */
export const TRIPLETS: Readonly<Record<Architecture, string>> = {
  amd64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

export interface Platform {
  readonly architecture: Architecture;
  /** Path of a node binary for it. */
  readonly node: string;
  /** Below which programs and libraries for it lie, as on a Debian machine: `/` is this machine. */
  readonly root: string;
  /** Path of the speaker's addon, built for it. */
  readonly addon: string;
}

export const isHost = (architecture: Architecture): boolean => architecture === HOST_ARCHITECTURE;

/** A tool of binutils or gcc that reads and writes programs of an architecture. */
export const toolFor = (architecture: Architecture, tool: "gcc" | "strip"): string =>
  isHost(architecture) ? tool : `${TRIPLETS[architecture]}-${tool}`;

/** Where the platform has a program of `/usr`: packages of Debian 12 may name it without that folder. */
export function programBelow({ root }: Pick<Platform, "root">, place: string): string {
  const path = join(root, place);
  return existsSync(path) ? path : join(root, place.replace(/^\/usr/, ""));
}

/** This machine, with the node that runs this. */
export async function hostPlatform(addon: string): Promise<Platform> {
  const architecture = ARCHITECTURES.find(isHost);
  if (architecture === undefined) throw new Error(`there are no images for ${process.arch}`);
  return { architecture, node: await readlink("/proc/self/exe"), root: "/", addon };
}
