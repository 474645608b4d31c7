/** Where what guests are made of is kept, and how a file in it is named. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";

export const CACHE = join(LAB_DIRECTORY, "guest");

/** Twelve hexadecimal digits that change whenever one of the parts does. */
export function digestOf(...parts: ReadonlyArray<string | Buffer>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 12);
}

/** Compiles a C source of one file; resolves to the program's path. Does nothing when that source was compiled before. */
export async function ensureProgram(source: string, name: string): Promise<string> {
  const target = join(CACHE, `${name}-${digestOf(await readFile(source))}`);
  if (existsSync(target)) return target;
  await mkdir(CACHE, { recursive: true });
  await run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", `${target}.${process.pid}`, source]);
  await rename(`${target}.${process.pid}`, target);
  return target;
}

/** The guest's first process (agent.c). */
export function ensureAgent(): Promise<string> {
  return ensureProgram(join(import.meta.dirname, "agent.c"), "agent");
}
