/** MetalLB as its project releases it: its own programs, built from its Go module, and its own manifest. */
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { say } from "#hack/common/progress.ts";
import { writeImage } from "#hack/lab/image.ts";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";
import { ensureGo, ensurePrograms } from "#hack/lab/programs.ts";

const MODULE = "go.universe.tf/metallb";
const ROLES = ["controller", "speaker"] as const;

/** Its programs are .lab/bin/metallb-controller and metallb-speaker. */
export interface MetalLbPrograms {
  readonly version: string;
  /** Text of the manifest that its installation page names: layer 2 and BGP without FRR. */
  readonly manifest: string;
}

export interface MetalLb extends MetalLbPrograms {
  /** Archives of the two images that the manifest names. */
  readonly archives: readonly string[];
}

export async function ensureMetalLb(): Promise<MetalLb> {
  const programs = await ensureMetalLbPrograms();
  const archives: string[] = [];
  for (const role of ROLES) archives.push(await makeImage(role, programs.version));
  return { ...programs, archives };
}

/** Builds what is missing; the first time takes minutes. Where it cannot be built, the error has the reason. */
export async function ensureMetalLbPrograms(): Promise<MetalLbPrograms> {
  await ensurePrograms(["metallb"]);
  const go = await ensureGo(say);
  const environment = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
  const listed = await run([go, "list", "-m", "-f", "{{.Version}} {{.Dir}}", MODULE], {
    cwd: join(CHECKOUT, "hack/lab/programs/metallb"),
    environment,
  });
  const [version = "", source = ""] = listed.trim().split(" ");
  const manifest = await readFile(join(source, "config/manifests/metallb-native.yaml"), "utf8");
  return { version, manifest };
}

/** The program alone, by the name under which the manifest asks for it. */
async function makeImage(role: string, version: string): Promise<string> {
  const root = join(LAB_DIRECTORY, "metallb", role);
  await mkdir(root, { recursive: true });
  await copyFile(join(BIN_DIRECTORY, `metallb-${role}`), join(root, role));
  const archive = `${root}.tar`;
  await writeImage(
    { name: `quay.io/metallb/${role}:${version}`, layers: [root], entrypoint: [`/${role}`] },
    archive,
  );
  return archive;
}
