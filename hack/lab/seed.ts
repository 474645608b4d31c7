/**
 * What a node's container runtime has from its first moment: the pause image and whatever lay in .lab/images when the
 * lab came up, unpacked once by a runtime of this machine. Nodes get hard links: unpacking 120 MB three times in the
 * guest takes a minute.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { runScript } from "#hack/common/command.ts";
import { type Say, watched } from "#hack/common/progress.ts";
import type { Carrier } from "#hack/lab/carrier.ts";
import { currentArchives, ensurePauseImage, identityOf } from "#hack/lab/images.ts";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";

const SEEDS = join(LAB_DIRECTORY, "seed");
/** Nobody takes longer to copy one. */
const KEEP_MS = 600_000;

export interface Seed {
  /** The container runtime's root directory. */
  readonly path: string;
  /** Identities of the archives of .lab/images that are in it. */
  readonly images: readonly string[];
}

/** The runtime's root directory with all images; made when an image changed. */
export async function ensureSeed(tell: Say): Promise<Seed> {
  const pause = await ensurePauseImage();
  const current = await currentArchives();
  const images = [...current.values()];
  const hash = createHash("sha256").update([await identityOf(pause), ...images].join("\n"));
  const path = join(SEEDS, hash.digest("hex").slice(0, 16));
  if (!existsSync(path)) await makeSeed(path, [pause, ...current.keys()], tell);
  return { path, images };
}

async function makeSeed(seed: string, archives: readonly string[], tell: Say): Promise<void> {
  await removeOldSeeds();
  const draft = `${seed}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  try {
    await watched("unpacking the images for the nodes", unpack(draft, archives), tell);
    await rename(join(draft, "root"), seed).catch((error: NodeJS.ErrnoException) => {
      // Another lab that came up at the same time has made it.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Puts the seed where the carrier's nodes find it. */
export async function carrySeed(carrier: Carrier, seed: Seed): Promise<void> {
  const copy = carrier.kind === "host" ? "cp -al" : "cp -a";
  await carrier.script(`mkdir -p ${carrier.directory}\n${copy} ${seed.path} ${carrier.directory}/seed`);
}

async function unpack(directory: string, archives: readonly string[]): Promise<void> {
  const socket = join(directory, "containerd.sock");
  await writeFile(
    join(directory, "containerd.toml"),
    `version = 3
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
`,
  );
  const imports = archives.map((path) => `ctr -a ${socket} -n k8s.io images import --local ${path}\n`);
  await writeFile(
    join(directory, "unpack.sh"),
    `export PATH=${BIN_DIRECTORY}:$PATH
mount -t tmpfs tmpfs /run
containerd -c ${directory}/containerd.toml >${directory}/containerd.log 2>&1 &
i=0; until [ -S ${socket} ]; do i=$((i+1)); [ $i -lt 100 ] || { cat ${directory}/containerd.log; exit 1; }; sleep 0.1; done
${imports.join("")}kill $!
wait $! || true
`,
  );
  await runScript(
    `unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh -eu ${directory}/unpack.sh`,
  );
}

async function removeOldSeeds(): Promise<void> {
  for (const name of await readdir(SEEDS).catch(() => [])) {
    const path = join(SEEDS, name);
    const { ctimeMs } = await stat(path);
    if (Date.now() - ctimeMs > KEEP_MS) await rm(path, { recursive: true, force: true });
  }
}
