/** How busy this machine is, so that a starved one is told instead of guessed at. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";

export interface LoadReading {
  /** Milliseconds of this process's clock. */
  readonly at: number;
  /** Milliseconds from boot in which some program waited for a processor; undefined where the kernel does not count. */
  readonly waitedMs: number | undefined;
  /** Clock ticks of all processors from boot: those worked, and all. */
  readonly busyTicks: number;
  readonly ticks: number;
  /** Programs that ran or wanted to, averaged over the last minute. */
  readonly loadAverage: number;
}

/** What lies between two readings. */
export interface Load {
  /** Part of the time in which some program waited for a processor, 0 to 1; undefined where the kernel does not count. */
  readonly waiting: number | undefined;
  /** Part of all processors' time that was used, 0 to 1. */
  readonly busy: number;
  readonly loadAverage: number;
  readonly processors: number;
}

/** Somebody waits nearly always, and no processor idles: whoever depends on time cannot be judged. */
const STARVED = { waiting: 0.8, busy: 0.95, loadPerProcessor: 2 } as const;

/** Programs get in each other's way: what is waited for may come late through no fault of its own. */
const BUSY = { waiting: 0.3, busy: 0.7, loadPerProcessor: 1 } as const;

export async function readLoad(): Promise<LoadReading> {
  const read = (name: string): Promise<string> => readFile(`/proc/${name}`, "utf8").catch(() => "");
  const [pressure, stat, loadavg] = await Promise.all(["pressure/cpu", "stat", "loadavg"].map(read));
  return { at: performance.now(), ...parseLoad({ pressure, stat, loadavg }) };
}

/** Texts of /proc/pressure/cpu (empty where there is none), /proc/stat and /proc/loadavg. Pure. */
export function parseLoad({
  pressure = "",
  stat = "",
  loadavg = "",
}: {
  pressure?: string | undefined;
  stat?: string | undefined;
  loadavg?: string | undefined;
}): Omit<LoadReading, "at"> {
  const micros = /^some .*total=(\d+)/m.exec(pressure)?.[1];
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)/m.exec(stat)?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  const busyTicks = user + nice + system + irq + softirq + steal;
  return {
    waitedMs: micros === undefined ? undefined : Number(micros) / 1000,
    busyTicks,
    ticks: busyTicks + idle + iowait,
    loadAverage: Number(loadavg.split(" ")[0]) || 0,
  };
}

/** Pure. */
export function loadBetween(before: LoadReading, after: LoadReading, processors: number): Load {
  const waiting =
    before.waitedMs === undefined || after.waitedMs === undefined
      ? undefined
      : Math.min(1, (after.waitedMs - before.waitedMs) / Math.max(1, after.at - before.at));
  const busy = (after.busyTicks - before.busyTicks) / Math.max(1, after.ticks - before.ticks);
  return { waiting, busy, loadAverage: after.loadAverage, processors };
}

/** The load from a reading until now. */
export async function loadSince(before: LoadReading): Promise<Load> {
  return loadBetween(before, await readLoad(), availableParallelism());
}

/** Pure. */
export function isStarved(load: Load): boolean {
  return load.busy >= STARVED.busy && isWaiting(load, STARVED);
}

/** Wider than starved: true of that, too. Pure. */
export function isBusy(load: Load): boolean {
  return load.busy >= BUSY.busy || isWaiting(load, BUSY);
}

function isWaiting(
  { waiting, loadAverage, processors }: Load,
  than: { readonly waiting: number; readonly loadPerProcessor: number },
): boolean {
  return waiting === undefined ? loadAverage > than.loadPerProcessor * processors : waiting > than.waiting;
}

/** `2 processors were busy 71 % of the time, some program waited for one 34 % of it, load average 1.9`. Pure. */
export function describeLoad(load: Load): string {
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  const waited =
    load.waiting === undefined ? "" : `, some program waited for one ${percent(load.waiting)} of it`;
  const words = `${load.processors} processors were busy ${percent(load.busy)} of the time${waited}, load average ${load.loadAverage.toFixed(1)}`;
  return isStarved(load) ? `${words}: THIS MACHINE IS STARVED, its times say nothing` : words;
}
