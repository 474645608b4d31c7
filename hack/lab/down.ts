/** Takes a lab away, whole or half made: by what its state says, then by the names that are its own. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { runScript } from "#hack/common/command.ts";
import { locked } from "#hack/common/lock.ts";
import type { Say } from "#hack/common/progress.ts";
import { type ProcessRecord, startTimeOf, stopDaemon } from "#hack/lab/daemon.ts";
import { type Layout, layoutOf, MAX_INSTANCE } from "#hack/lab/layout.ts";
import { checkoutOf, removeNetwork } from "#hack/lab/network.ts";
import { removeCgroupScript } from "#hack/lab/node-script.ts";
import { LabError, readState } from "#hack/lab/state.ts";
import { restoreSysctls } from "#hack/lab/sysctls.ts";

/** Whoever changes this lab holds this file, from whichever checkout. */
export function lockOf(layout: Layout): string {
  return `/run/lock/genkan/lab-${layout.instance}`;
}

/** Resolves to false when there was nothing. Other instances are not touched. */
export function takeDown(layout: Layout, tell: Say): Promise<boolean> {
  return locked(lockOf(layout), tell, () => removeAll(layout, tell));
}

/** The same for who holds the lock. A LabError where the lab is another checkout's: names and addresses are one machine's. */
export async function removeAll(layout: Layout, tell: Say): Promise<boolean> {
  const owner = await checkoutOf(layout);
  if (
    owner !== undefined &&
    owner !== CHECKOUT &&
    existsSync(join(owner, ".lab", `${layout.instance}`, "state.json"))
  )
    throw new LabError(
      `lab ${layout.instance} is up from ${owner}: take it down there, or use another --instance`,
    );
  const state = await readState(layout);
  const hasFiles = (await readdir(layout.directory).catch(() => [])).length > 0;
  if (state !== undefined) tell(`taking lab ${layout.instance} down`);
  const known = state?.processes ?? [];
  const processes = [...known, ...(await strays(layout, known))];
  // What talks to the API server goes first; everything else ends in any order.
  await Promise.all(processes.map((record) => stopDaemon(record, record.name === "etcd" ? 1000 : 300)));
  await runScript(cgroupScript(layout));
  await removeNetwork(layout);
  await rm(layout.directory, { recursive: true, force: true });
  if (!(await haveOthersNodesHere(layout))) await restoreSysctls();
  return hasFiles;
}

/** Every node's cgroup of this instance, also of nodes that no state knows. */
function cgroupScript(layout: Layout): string {
  const pattern = `gk${layout.instance}-node*`;
  return `remove() {\n${removeCgroupScript("$1")}}
for name in $(ls -d /sys/fs/cgroup/${pattern} /sys/fs/cgroup/*/${pattern} 2>/dev/null | sed 's#.*/##' | sort -u); do
  remove "$name"
done`;
}

/** Processes that were started an instant before the state could say so: their arguments name our directory. */
async function strays(layout: Layout, known: readonly ProcessRecord[]): Promise<ProcessRecord[]> {
  const programs = /\/\.lab\/bin\/kube$|\/\.lab\/guest\/relay-\w+$|qemu-system-x86_64$/;
  const found: ProcessRecord[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    if (known.some((record) => record.pid === pid)) continue;
    // A process that has just ended has no arguments.
    const [program = "", ...rest] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split(
      "\0",
    );
    if (!programs.test(program)) continue;
    if (!rest.some((argument) => argument.includes(`${layout.directory}/`))) continue;
    found.push({ name: program, pid, startTime: startTimeOf(pid) ?? "", log: "" });
  }
  return found;
}

async function haveOthersNodesHere(layout: Layout): Promise<boolean> {
  for (let instance = 0; instance <= MAX_INSTANCE; instance++) {
    if (instance === layout.instance) continue;
    const state = await readState(layoutOf(instance));
    if (state?.carrier === "host" && !state.isControlPlaneOnly) return true;
  }
  return false;
}

/** Instances that have state. */
export async function instances(): Promise<number[]> {
  const names = await readdir(LAB_DIRECTORY).catch(() => []);
  const numbers = names.filter((name) => /^\d$/.test(name)).map(Number);
  const present = await Promise.all(
    numbers.map(async (number) => (await readdir(join(LAB_DIRECTORY, String(number)))).length > 0),
  );
  return numbers.filter((_, index) => present[index]).sort();
}
