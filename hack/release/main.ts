/**
 * `make release`: `main.ts --version v1.2.3 --registry HOST/PATH [--architectures amd64,arm64] [--key FILE] [--output DIR]`
 * builds all files of a release into dist/. `make release-cli`: `main.ts cli [VERSION]` builds the command alone, into
 * build/release.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { say } from "#hack/common/progress.ts";
import { hostPlatform, isHost } from "#hack/images/platform.ts";
import { buildRelease, writeCli } from "#hack/release/build.ts";
import { writeChecksums } from "#hack/release/checksums.ts";
import { foreignPlatform } from "#hack/release/foreign.ts";
import { type ReleaseRequest, RequestError, readRequest } from "#hack/release/request.ts";

const SCRATCH = join(CHECKOUT, "build/release-parts");
const ADDON = join(CHECKOUT, "speaker/native/build/socket.node");

async function release(request: ReleaseRequest): Promise<void> {
  const platforms = [];
  for (const architecture of request.architectures) {
    say(`preparing what images for ${architecture} are made of`);
    const folder = join(SCRATCH, "foreign", architecture);
    platforms.push(
      await (isHost(architecture) ? hostPlatform(ADDON) : foreignPlatform(architecture, folder)),
    );
  }
  say(`building ${request.version} into ${request.output}`);
  const { images, sums } = await buildRelease(request, { platforms, scratch: SCRATCH });
  process.stdout.write(`${[...images.values()].join("\n")}\n${sums}`);
  if (request.key === undefined) say("SHA256SUMS is not signed: no KEY was given");
}

async function commandAlone(version: string | undefined): Promise<void> {
  const output = join(CHECKOUT, "build/release");
  const { version: own } = JSON.parse(await readFile(join(CHECKOUT, "package.json"), "utf8"));
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  const files = await writeCli(output, { version: version ?? `v${own}`, scratch: SCRATCH });
  process.stdout.write(await writeChecksums(output, files));
}

const argv = process.argv.slice(2);
try {
  await (argv[0] === "cli" ? commandAlone(argv[1]) : release(readRequest(argv)));
} catch (error) {
  if (!(error instanceof RequestError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
