/** The command as people get it: one file, and a package installed below a node_modules. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { bundleCli, packageCli } from "#hack/release/cli.ts";

const run = promisify(execFile);
const SAMPLES = new URL("../../config/samples", import.meta.url).pathname;

let directory = "";
/** The one file, alone in its directory. */
let file = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-release-"));
  file = await bundleCli(join(directory, "alone"), "v1.2.3");
});
after(() => rm(directory, { recursive: true, force: true }));

const digestOf = async (file: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");

test("two builds of one version are the same file", async () => {
  const second = await bundleCli(join(directory, "second"), "v1.2.3");
  assert.equal(await digestOf(file), await digestOf(second));
});

test("the one file judges, migrates and says its build, with nothing beside it", async () => {
  const { stdout } = await run(process.execPath, [file, "check", "-f", SAMPLES, "--strict"], {
    cwd: directory,
  });
  assert.match(stdout, /^4 judged: 4 admitted, 0 refused/m);
  assert.equal((await run(process.execPath, [file, "--version"])).stdout, "v1.2.3\n");
  // What reads a cluster is loaded from the same file.
  const failed = await run(process.execPath, [file, "migrate", "--kubeconfig", "/nonexistent"]).catch(
    (error: { code: number; stderr: string }) => error,
  );
  assert.deepEqual("code" in failed && failed.code, 2);
  assert.match(failed.stderr, /^\/nonexistent: there is no such file$/m);
});

test("the package needs no other, has no TypeScript, and runs below a node_modules", async () => {
  const made = join(directory, "package");
  await packageCli(made, "v1.2.3");
  const installed = join(directory, "project/node_modules/genkan");
  await cp(made, installed, { recursive: true });
  assert.deepEqual((await readdir(installed)).sort(), ["LICENSE", "genkan.mjs", "package.json"]);
  const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  assert.deepEqual([manifest.version, manifest.dependencies], ["1.2.3", undefined]);
  const entry = join(installed, manifest.bin.genkan);
  const { stdout } = await run(process.execPath, [entry, "check", "-f", SAMPLES]);
  assert.match(stdout, /^4 judged: 4 admitted/m);
});
