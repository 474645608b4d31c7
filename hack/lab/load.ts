/** What the lab costs, and whether it got what it needs. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { isRunning, type ProcessRecord } from "#hack/lab/daemon.ts";

const SAMPLE_MS = 1_000;
/** USER_HZ, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Lines for `status`; takes a second. */
export async function loadLines(processes: readonly ProcessRecord[]): Promise<string[]> {
  const running = processes.filter(isRunning);
  const [before, used] = [await readLoad(), await readProcesses()];
  await sleep(SAMPLE_MS);
  const [load, usedNow] = [await loadSince(before), await readProcesses()];
  const shares = running.map(({ name, pid }) => {
    const ticks = Math.max(0, ticksOfTree(usedNow, pid) - ticksOfTree(used, pid));
    return `${name} ${Math.round((100 * ticks * 1000) / (TICKS_PER_SECOND * SAMPLE_MS))} %`;
  });
  return [`load: ${describeLoad(load)}`, `of a processor each: ${shares.join(", ")}`];
}

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  /** Of a processor, from its start. */
  readonly ticks: number;
}

async function readProcesses(): Promise<ProcessTimes[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""));
  return (await Promise.all(stats)).flatMap((stat) => parseStat(stat) ?? []);
}

/** Text of /proc/PID/stat; undefined for a process that has ended. The name in it may hold spaces. Pure. */
export function parseStat(stat: string): ProcessTimes | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [parent, user, system] = [fields[1], fields[11], fields[12]];
  if (parent === undefined || user === undefined || system === undefined) return undefined;
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), ticks: Number(user) + Number(system) };
}

/** Of a process and all that it started: a guest is many processes of this machine. Pure. */
export function ticksOfTree(processes: readonly ProcessTimes[], root: number): number {
  const byParent = Map.groupBy(processes, ({ parent }) => parent);
  const below = (pid: number): number =>
    (byParent.get(pid) ?? []).reduce((sum, child) => sum + child.ticks + below(child.pid), 0);
  return (processes.find(({ pid }) => pid === root)?.ticks ?? 0) + below(root);
}
