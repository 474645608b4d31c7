/** What runs in pods stays light: client-node takes 80 MB and half a second of CPU to load. */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url).pathname;
const FOLDERS = ["api", "common", "operator", "controller", "speaker", "cli", "console"];

test("client-node is loaded by the CLI alone; everybody else takes types of it", async () => {
  const loading: string[] = [];
  for await (const path of glob(
    FOLDERS.map((folder) => `${folder}/**/*.ts`),
    { cwd: ROOT },
  )) {
    const text = await readFile(`${ROOT}${path}`, "utf8");
    const imports = text.match(/^(?:import|export)\b[^;]*from "@kubernetes\/client-node";/gm) ?? [];
    if (imports.some((one) => !one.startsWith("import type "))) loading.push(path);
  }
  assert.deepEqual(loading, ["cli/cluster.ts"]);
});
