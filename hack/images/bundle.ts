/**
 * One file a role: what an image runs is a bundle on a node binary, so that a release is half a megabyte on an
 * unchanged layer. Whitespace goes, names stay: a stack trace from a pod must be readable.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { bundlePage } from "./page.ts";

/** Bundle name -> its entry point. Every name becomes `<name>.mjs`. */
export const ENTRY_POINTS = {
  operator: "operator/main.ts",
  controller: "controller/main.ts",
  speaker: "speaker/main.ts",
  "speaker-worker": "speaker/layer2/worker.ts",
  "speaker-bfd": "speaker/bfd/worker.ts",
  "speaker-gossip": "speaker/gossip/worker.ts",
  genkan: "cli/main.ts",
} as const;
export type BundleName = keyof typeof ENTRY_POINTS;

/** CommonJS libraries inside an ES module still ask for `require`. */
const BANNER =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Writes `<name>.mjs` for each name into `outputDirectory`. `version` is what the program says of itself. */
export async function bundle(
  names: readonly BundleName[],
  { outputDirectory, version }: { outputDirectory: string; version: string },
): Promise<void> {
  await mkdir(outputDirectory, { recursive: true });
  if (names.includes("controller")) await bundlePage(join(outputDirectory, "console"));
  await Promise.all(
    names.map((name) => bundleFile(ENTRY_POINTS[name], join(outputDirectory, `${name}.mjs`), { version })),
  );
}

/** Of one entry point, with all that it imports. `oldestNode`: the oldest one that it has to run on. */
export async function bundleFile(
  entryPoint: string,
  outfile: string,
  { version, oldestNode = 24 }: { readonly version: string; readonly oldestNode?: number },
): Promise<void> {
  await build({
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    platform: "node",
    target: `node${oldestNode}`,
    format: "esm",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    define: { __GENKAN_VERSION__: JSON.stringify(version) },
    banner: { js: BANNER },
    logLevel: "warning",
  });
}
