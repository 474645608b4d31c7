/**
 * That no user-mode Linux could be built or booted on this machine, remembered for a day: the next guest does not wait
 * for the same failure again. Another configuration or another kernel of the host makes a new attempt.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { CACHE } from "#hack/guest/cache.ts";
import { nameOfBuild } from "#hack/guest/user-mode/build.ts";

const FILE = join(CACHE, "user-mode-refused.json");
const KEPT_MS = 24 * 3_600_000;

interface Refusal {
  readonly reason: string;
  /** Of the build and of the host's kernel that it holds for. */
  readonly build: string;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Why not; undefined when there is no reason known not to try. */
export async function findRefusal(): Promise<string | undefined> {
  const text = await readFile(FILE, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const refusal = JSON.parse(text) as Refusal;
  const holds =
    refusal.build === (await nameOfBuild()) &&
    refusal.host === release() &&
    Math.abs(Date.now() - refusal.at) < KEPT_MS;
  return holds
    ? `${refusal.reason} (tried at ${new Date(refusal.at).toISOString()}; remove ${FILE} to try again)`
    : undefined;
}

export async function refuseUserMode(reason: string): Promise<void> {
  const refusal: Refusal = { reason, build: await nameOfBuild(), host: release(), at: Date.now() };
  await mkdir(CACHE, { recursive: true });
  await writeFile(FILE, `${JSON.stringify(refusal)}\n`);
}
