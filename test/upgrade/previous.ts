/** The release before this one, built from its own sources: images for the lab, and the manifests that install it. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run, runScript } from "#hack/common/command.ts";
import { say, watched } from "#hack/common/progress.ts";

/** As long as there is no release, an early commit stands in for it. */
const STAND_IN = "2397110";
const TAG = "v0.0.9";
const ROLES = ["operator", "controller", "speaker"] as const;

export interface Previous {
  /** What its sources are called in git. */
  readonly reference: string;
  /** Of its images; pods and SpeakerStatus name it. */
  readonly tag: string;
  /** Path of its `config`. */
  readonly config: string;
  readonly archives: readonly string[];
}

/** `reference`: a tag or commit; the newest tag of this branch, else the one that stands in for it. */
export async function ensurePrevious(reference?: string): Promise<Previous> {
  const git = (...argv: string[]): Promise<string> => run(["git", ...argv], { cwd: CHECKOUT });
  const newest = await git("describe", "--tags", "--abbrev=0").catch(() => STAND_IN);
  const wanted = reference ?? newest.trim();
  const commit = (await git("rev-parse", "--verify", `${wanted}^{commit}`)).trim();
  const directory = join(LAB_DIRECTORY, "previous", commit.slice(0, 12));
  const archives = ROLES.map((role) => join(directory, ".lab/images", `genkan-${role}-${TAG}.tar`));
  const stamp = join(directory, ".built");
  if ((await readFile(stamp, "utf8").catch(() => "")) !== TAG) {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    await runScript(`git archive ${commit} | tar -x -C ${directory}`, { cwd: CHECKOUT });
    await symlink(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
    await watched(`building ${wanted}, the release before this one`, build(directory), say);
    await writeFile(stamp, TAG);
  }
  const missing = archives.filter((archive) => !existsSync(archive));
  if (missing.length > 0) throw new Error(`${wanted} built no ${missing.join(", ")}`);
  return { reference: wanted, tag: TAG, config: join(directory, "config"), archives };
}

/** The addon as its Makefile makes it, without what prepares a machine; then its images by its own code. */
async function build(directory: string): Promise<void> {
  await runScript(
    `mkdir -p speaker/native/build
cc -std=gnu11 -shared -fPIC -fvisibility=hidden -O2 -Inode_modules/node-api-headers/include \\
  -o speaker/native/build/socket.node speaker/native/*.c`,
    { cwd: directory },
  );
  await run([process.execPath, "hack/images/main.ts", "build", TAG], { cwd: directory });
}
