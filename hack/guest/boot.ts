/** Starts a guest's program and connects with the agent in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { Channel, type ExecOptions, type ExecResult, type Running, runToEnd } from "#hack/guest/channel.ts";
import type { GuestKernel, KernelIdentity } from "#hack/guest/kernel.ts";

/** Ports of the control channel: this many processes of the host can talk to one guest at a time. */
const PORTS = 6;
const BOOT_DEADLINE_MS = 120_000;
const SYNC_DEADLINE_MS = 5_000;
/** From SIGTERM to SIGKILL. */
const STOP_GRACE_MS = 5_000;
/** Characters of a console that fit into an error. */
const CONSOLE_TAIL = 2_000;
/** Consoles of guests that ended by themselves are kept here. */
const KEPT_CONSOLES = join(CHECKOUT, "build", "guest");

export interface BootOptions {
  /** Megabytes of memory; 2048 when absent. */
  readonly memory?: number;
  /** A tap device of the host that becomes the guest's first network card (eth0). */
  readonly tap?: string;
  /** Hardware address of that card. */
  readonly mac?: string;
  /** Where the sockets, the pid and the console's log go; a new directory below /tmp when absent. */
  readonly directory?: string;
  /** The guest outlives this process: stop it with `connectGuest(directory)` and `stop()`. */
  readonly detached?: boolean;
}

export interface Guest {
  readonly directory: string;
  /** Process id of the guest's program; the guest ends with it. */
  readonly pid: number;
  readonly kernel: KernelIdentity;
  /** Runs a program in the guest as root; never throws because of its exit code. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Starts a program and leaves its input open; `input` and `signal` of the options are not for this. */
  spawn(argv: readonly string[], options?: ExecOptions): Running;
  /** Hangs up; a detached guest goes on running. Commands started over this connection are killed. */
  disconnect(): void;
  /** Writes the guest's caches to the host and ends the guest. Its console is kept if it has ended before. */
  stop(): Promise<void>;
}

/** The guest did not come up; `message` has the end of its console. */
export class GuestBootError extends Error {
  readonly code = "GUEST_BOOT";
}

/** Boots a guest (1 s in user mode, 3 to 10 s under qemu). Throws GuestBootError. */
export async function bootGuest(kernel: GuestKernel, options: BootOptions): Promise<Guest> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "genkan-guest-")));
  const isOurs = options.directory === undefined;
  const child = await launch(kernel, directory, options);
  const { pid } = child;
  if (pid === undefined)
    throw new GuestBootError(`${kernel.description}: the guest's program could not be started`);
  await writeFile(join(directory, "pid"), `${pid}\n`);
  const identity: KernelIdentity = { kind: kernel.kind, description: kernel.description };
  await writeFile(join(directory, "kernel.json"), JSON.stringify(identity));
  const ended = new AbortController();
  child.once("exit", () => ended.abort());
  const channel = await waitForAgent(directory, ended.signal);
  if (channel === undefined) {
    await end(pid);
    const tail = consoleTail(directory);
    if (isOurs) await rm(directory, { recursive: true, force: true });
    throw new GuestBootError(`${kernel.description} did not answer; its console ends with:\n${tail}`);
  }
  if (options.detached === true) child.unref();
  const guest = guestOver(channel, { directory, pid, kernel: identity, isOurs });
  if (kernel.modules.length === 0) return guest;
  const loaded = await guest.exec(["modprobe", "-a", ...kernel.modules]);
  if (loaded.code === 0) return guest;
  await guest.stop();
  throw new GuestBootError(`modprobe in the guest: ${loaded.stderr}`);
}

/** Joins a guest that another process started with `detached`; undefined when there is none in this directory. */
export async function connectGuest(directory: string): Promise<Guest | undefined> {
  const pid = Number(await readFile(join(directory, "pid"), "utf8").catch(() => "0"));
  if (pid === 0 || !isAlive(pid)) return undefined;
  const kernel = JSON.parse(await readFile(join(directory, "kernel.json"), "utf8")) as KernelIdentity;
  for (let attempt = 0; attempt < 3; attempt++) {
    // Port 0 is for the process that booted the guest.
    for (let port = 1; port < PORTS; port++) {
      const channel = await openChannel(directory, port, 2000);
      if (channel !== undefined) return guestOver(channel, { directory, pid, kernel, isOurs: false });
    }
  }
  return undefined;
}

async function launch(kernel: GuestKernel, directory: string, options: BootOptions): Promise<ChildProcess> {
  const log = await open(join(directory, "console.log"), "w");
  const { memory = 2048, tap, mac } = options;
  const machine = {
    ...{ directory, memory, ports: PORTS },
    ...(tap === undefined ? {} : { tap }),
    ...(mac === undefined ? {} : { mac }),
  };
  // A guest that is not detached dies with this process, however that ends.
  const prefix = options.detached === true ? [] : ["setpriv", "--pdeathsig", "KILL", "--"];
  const [command = "", ...rest] = [...prefix, ...kernel.argv(machine)];
  const child = spawn(command, rest, { stdio: ["ignore", log.fd, log.fd], detached: true });
  child.on("error", () => {});
  await log.close();
  return child;
}

async function waitForAgent(directory: string, ended: AbortSignal): Promise<Channel | undefined> {
  const deadline = performance.now() + BOOT_DEADLINE_MS;
  while (performance.now() < deadline && !ended.aborted) {
    const channel = await openChannel(directory, 0, 60_000);
    if (channel !== undefined) return channel;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

function openChannel(directory: string, port: number, timeoutMs: number): Promise<Channel | undefined> {
  return Channel.open(join(directory, `port${port}`), {
    timeoutMs,
    explain: () => `the guest's console ends with:\n${consoleTail(directory)}`,
  });
}

function guestOver(
  channel: Channel,
  at: { directory: string; pid: number; kernel: KernelIdentity; isOurs: boolean },
): Guest {
  const environment = {
    PATH: `${CHECKOUT}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: "/root",
    LANG: "C.UTF-8",
    TERM: "dumb",
    GENKAN_GUEST: "1",
  };
  const spawn = (argv: readonly string[], options: ExecOptions = {}): Running =>
    channel.spawn(argv, {
      ...options,
      cwd: options.cwd ?? CHECKOUT,
      env: { ...environment, ...options.env },
    });
  return {
    directory: at.directory,
    pid: at.pid,
    kernel: at.kernel,
    exec: (argv, options = {}) => runToEnd(spawn(argv, options), options),
    spawn,
    disconnect: () => channel.close(),
    stop: async () => {
      if (channel.isLost) await keepConsole(at.directory);
      else await syncGuest(channel);
      channel.close();
      await end(at.pid);
      if (at.isOurs) await rm(at.directory, { recursive: true, force: true });
    },
  };
}

/** What a guest does not write in time is lost; a channel that is lost has nothing to wait for. */
async function syncGuest(channel: Channel): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, SYNC_DEADLINE_MS);
  await Promise.race([channel.sync().catch(() => {}), promise]);
  clearTimeout(timer);
}

/** A guest that ended by itself: its console says why, and the directory may be removed now. */
async function keepConsole(directory: string): Promise<void> {
  const kept = join(KEPT_CONSOLES, `console-${new Date().toISOString().replaceAll(":", "-")}.log`);
  await mkdir(KEPT_CONSOLES, { recursive: true });
  await copyFile(join(directory, "console.log"), kept);
  process.stderr.write(`the guest ended by itself; its console is kept in ${kept}\n`);
}

function consoleTail(directory: string): string {
  try {
    return readFileSync(join(directory, "console.log"), "utf8").slice(-CONSOLE_TAIL);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Asks it to end, insists after a while, and returns when it is gone. */
async function end(pid: number): Promise<void> {
  const insistAt = performance.now() + STOP_GRACE_MS;
  let sent: NodeJS.Signals | undefined;
  while (isAlive(pid)) {
    const signal = performance.now() < insistAt ? "SIGTERM" : "SIGKILL";
    if (sent !== signal) signalTo(pid, signal);
    sent = signal;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}

/** A process that has ended and was not waited for yet counts as gone. */
function isAlive(pid: number): boolean {
  if (!signalTo(pid, 0)) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    // It ended between the two looks.
    return false;
  }
}
