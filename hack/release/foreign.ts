/**
 * What images for another architecture are made of, on a machine that cannot run it: Debian's packages unpacked below a
 * folder, node's npm package for it, and the addon by a cross compiler. Apt keeps a state of its own for this, so that
 * the machine's own packages stay as they are.
 */
import { existsSync, globSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { type Architecture, type Platform, toolFor } from "#hack/images/platform.ts";
import { unpackInto } from "#hack/release/debian.ts";

/** What node and the programs of the images (hack/images/stages.ts) link comes with these. */
const PACKAGES = ["busybox-static", "libatomic1", "libc6", "libgcc-s1", "libstdc++6", "nftables"];
/** Node's own names. */
const NODE_ARCHITECTURES: Readonly<Record<Architecture, string>> = { amd64: "x64", arm64: "arm64" };

/** Needs the packages that `hack/setup release` installs. What was fetched once is used again until `make clean`. */
export async function foreignPlatform(architecture: Architecture, directory: string): Promise<Platform> {
  const platform = {
    architecture,
    root: join(directory, "root"),
    node: join(directory, "node/package/bin/node"),
    addon: join(directory, "socket.node"),
  };
  const { node: version } = JSON.parse(
    await readFile(join(CHECKOUT, "package.json"), "utf8"),
  ).devDependencies;
  const wanted = JSON.stringify({ layout: 2, PACKAGES, version });
  const stamp = join(directory, "stamp");
  if ((await readFile(stamp, "utf8").catch(() => "")) !== wanted) {
    await rm(directory, { recursive: true, force: true });
    await unpackPackages(architecture, directory);
    await unpackNode(`node-linux-${NODE_ARCHITECTURES[architecture]}@${version}`, join(directory, "node"));
    await writeFile(stamp, wanted);
  }
  await compileAddon(architecture, platform.addon);
  return platform;
}

async function unpackPackages(architecture: Architecture, directory: string): Promise<void> {
  const [state, cache] = [join(directory, "apt/state"), join(directory, "apt/cache")];
  const root = join(directory, "root");
  await mkdir(join(state, "lists/partial"), { recursive: true });
  await mkdir(join(cache, "archives/partial"), { recursive: true });
  await mkdir(root, { recursive: true });
  // Nothing is installed there: apt then fetches all that the packages depend on.
  await writeFile(join(state, "status"), "");
  const settings = {
    "Dir::State": state,
    "Dir::State::status": join(state, "status"),
    "Dir::Cache": cache,
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run(["apt-get", ...options, "-qq", "update"]);
  const fetch = ["-qq", "--no-install-recommends", "--download-only", "--yes", "install"];
  await run(["apt-get", ...options, ...fetch, ...PACKAGES]);
  await unpackInto(root, globSync(join(cache, "archives/*.deb")).sort());
}

async function unpackNode(name: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const packed = (await run(["npm", "pack", "--silent", name], { cwd: directory })).trim();
  await run(["tar", "-xzf", packed], { cwd: directory });
  await rm(join(directory, packed));
}

/** As the Makefile does for this machine. */
async function compileAddon(architecture: Architecture, output: string): Promise<void> {
  const compiler = toolFor(architecture, "gcc");
  const sources = globSync("speaker/native/*.c", { cwd: CHECKOUT }).sort();
  const headers = join(CHECKOUT, "node_modules/node-api-headers/include");
  if (!existsSync(headers)) throw new Error(`${headers} is missing: run make setup-release`);
  const flags = "-std=gnu11 -shared -fPIC -fvisibility=hidden -O2 -Wall -Wextra -Werror".split(" ");
  await run([compiler, ...flags, `-I${headers}`, "-o", output, ...sources], { cwd: CHECKOUT });
}
