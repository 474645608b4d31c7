/** `make cli`: the command as one file and as a package, with checksums. `node hack/release/main.ts [version]`. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundleCli, packageCli } from "#hack/release/cli.ts";

const OUTPUT = "build/release";
const version = process.argv[2] ?? `v${JSON.parse(await readFile("package.json", "utf8")).version}`;

await rm(OUTPUT, { recursive: true, force: true });
await bundleCli(OUTPUT, version);
await packageCli(join(OUTPUT, "package"), version);
const packed = await promisify(execFile)("npm", ["pack", "--silent", "--pack-destination", ".."], {
  cwd: join(OUTPUT, "package"),
});
const files = ["genkan.mjs", packed.stdout.trim()];
const sums = await Promise.all(
  files.map(async (file) => {
    const digest = createHash("sha256")
      .update(await readFile(join(OUTPUT, file)))
      .digest("hex");
    return `${digest}  ${file}\n`;
  }),
);
await writeFile(join(OUTPUT, "SHA256SUMS"), sums.join(""));
process.stdout.write(sums.join(""));
