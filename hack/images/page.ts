/** The console's page: one script and one style sheet out of console/page, beside its HTML. Nothing of it comes from elsewhere. */
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGE = join(ROOT, "console/page");

/** In the image's console directory (stages.ts); console/serve.ts answers with these. */
export const PAGE_FILES = ["console.html", "console.js", "console.css", "icon.svg"] as const;

/** Writes PAGE_FILES into `directory`. */
export async function bundlePage(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await build({
    entryPoints: [
      { in: join(PAGE, "main.tsx"), out: "console" },
      { in: join(PAGE, "console.css"), out: "console" },
    ],
    outdir: directory,
    bundle: true,
    format: "iife",
    platform: "browser",
    target: ["es2022", "chrome110", "firefox115", "safari16"],
    tsconfig: join(PAGE, "tsconfig.json"),
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  for (const file of ["console.html", "icon.svg"]) await copyFile(join(PAGE, file), join(directory, file));
}
