/**
 * Sysctls of the whole machine that kubelets set: kept in .lab/sysctls.json before the first lab's nodes start, put
 * back when the last lab with nodes on this machine goes.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";

const FILE = join(LAB_DIRECTORY, "sysctls.json");
const NAMES = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"];
const KEYS = ["kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"];

/** Does nothing where another lab has kept them already. */
export async function keepSysctls(): Promise<void> {
  const values: Record<string, string> = {};
  for (const name of [...NAMES, ...KEYS]) {
    // A kernel without it has nothing to put back.
    const value = await readFile(join("/proc/sys", name), "utf8").catch(() => undefined);
    if (value !== undefined) values[name] = value.trim();
  }
  await mkdir(dirname(FILE), { recursive: true });
  await writeFile(FILE, JSON.stringify(values), { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

export async function restoreSysctls(): Promise<void> {
  const text = await readFile(FILE, "utf8").catch(() => undefined);
  if (text === undefined) return;
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, string>)) {
    await writeFile(join("/proc/sys", name), value);
  }
  await rm(FILE);
}
