/**
 * The lab's images, without a container engine.
 *   main.ts build [TAG]   bundles, root file systems, and .lab/images/<name>.tar for every node's containerd; with
 *                         a tag, a second build beside the first, without the test server
 *   main.ts bundle DIR    only the bundles, for the Dockerfile
 * A build of what has not changed is skipped.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assembleImages } from "#hack/images/assemble.ts";
import { type BundleName, bundle, ENTRY_POINTS } from "#hack/images/bundle.ts";
import { hostPlatform } from "#hack/images/platform.ts";
import { ECHO, STAGES } from "#hack/images/stages.ts";
import { type ImageSpec, writeImage } from "#hack/lab/image.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const BUILD = join(ROOT, "build/images");
const ADDON = join(ROOT, "speaker/native/build/socket.node");

async function version(): Promise<string> {
  const { version: text } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  return `v${text}`;
}

/** Of every source file that can end up in an image. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of [
    "api",
    "common",
    "operator",
    "controller",
    "speaker",
    "cli",
    "console",
    "hack/images",
  ]) {
    const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const path of paths.filter((name) => !name.endsWith(".test.ts")).sort()) {
      hash.update(path.slice(ROOT.length)).update(await readFile(path));
    }
  }
  return hash.update(await readFile(join(ROOT, "package-lock.json"))).digest("hex");
}

/** What the lab's pods run. */
const STAGES_OF_LAB = STAGES.filter(({ runsInCluster }) => runsInCluster);

/** One build: its tag, and where its parts and archives lie. */
interface Target {
  readonly tag: string;
  readonly directory: string;
  readonly hasEcho: boolean;
  readonly archiveOf: (name: string) => string;
}

async function targetOf(tag: string | undefined): Promise<Target> {
  const suffix = tag === undefined ? "" : `-${tag}`;
  return {
    tag: tag ?? (await version()),
    directory: tag === undefined ? BUILD : join(BUILD, tag),
    hasEcho: tag === undefined,
    archiveOf: (name) => join(ROOT, ".lab/images", `genkan-${name}${suffix}.tar`),
  };
}

async function echoImage({ tag, directory }: Target): Promise<ImageSpec> {
  const root = join(directory, ECHO.name);
  await mkdir(root, { recursive: true });
  const source = join(import.meta.dirname, "echo.c");
  execFileSync("cc", ["-static", "-O2", "-s", "-Wall", "-Wextra", "-o", join(root, ECHO.program), source]);
  return {
    name: `genkan.dev/${ECHO.name}:${tag}`,
    layers: [root],
    entrypoint: [ECHO.program],
    user: ECHO.user,
  };
}

async function build(target: Target): Promise<void> {
  const { tag, directory, hasEcho, archiveOf } = target;
  const names = [...STAGES_OF_LAB.map(({ name }) => name), ...(hasEcho ? [ECHO.name] : [])];
  const stamp = join(directory, "stamp");
  const print = await fingerprint();
  const before = await readFile(stamp, "utf8").catch(() => "");
  if (before === print && names.every((name) => existsSync(archiveOf(name)))) {
    process.stdout.write("images are up to date\n");
    return;
  }
  const started = performance.now();
  const images = await assembleImages({
    ...{ stages: STAGES_OF_LAB, tag, directory },
    bases: BUILD,
    platform: await hostPlatform(ADDON),
    nameOf: (role) => `genkan.dev/${role}:${tag}`,
  });
  for (const { role, image } of images) await writeImage(image, archiveOf(role));
  if (hasEcho) await writeImage(await echoImage(target), archiveOf(ECHO.name));
  await mkdir(directory, { recursive: true });
  await writeFile(stamp, print);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stdout.write(`built images ${names.join(", ")} ${tag} in ${seconds} s\n`);
}

const [command, argument] = process.argv.slice(2);
if (command === "build") await build(await targetOf(argument));
else if (command === "bundle" && argument !== undefined) {
  await bundle(Object.keys(ENTRY_POINTS) as BundleName[], {
    outputDirectory: argument,
    version: await version(),
  });
} else {
  process.stderr.write("usage: hack/images/main.ts build [TAG] | bundle DIRECTORY\n");
  process.exit(2);
}
