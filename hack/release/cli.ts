/**
 * The command as one file, `genkan.mjs`, which Node 22 and later run without anything beside it, and as an npm package:
 * Node strips no types below node_modules, so what is installed there has to be JavaScript.
 */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleFile } from "#hack/images/bundle.ts";

export const OLDEST_NODE = 22;

/** Writes `genkan.mjs` into `directory` and returns its path. */
export async function bundleCli(directory: string, version: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const outfile = join(directory, "genkan.mjs");
  await bundleFile("cli/main.ts", outfile, { version, oldestNode: OLDEST_NODE });
  await chmod(outfile, 0o755);
  return outfile;
}

/** The folder that `npm pack` packs: the one file, its licence, and a package.json that needs nothing else. */
export async function packageCli(directory: string, version: string): Promise<void> {
  await bundleCli(directory, version);
  const { name, description, license } = JSON.parse(await readFile("package.json", "utf8"));
  const manifest = {
    ...{ name, version: version.replace(/^v/, ""), description, license, type: "module" },
    engines: { node: `>=${OLDEST_NODE}` },
    bin: { [name]: "genkan.mjs", [`kubectl-${name}`]: "genkan.mjs" },
    files: ["genkan.mjs", "LICENSE"],
  };
  await writeFile(join(directory, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await writeFile(join(directory, "LICENSE"), await readFile("LICENSE"));
}
