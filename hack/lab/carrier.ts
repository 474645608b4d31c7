/** The machine that carries the nodes: this one, or the guest whose kernel has ip_vs. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { CommandError, runScript } from "#hack/common/command.ts";
import type { Say } from "#hack/common/progress.ts";
import { connectGuest, type Guest } from "#hack/guest/boot.ts";
import { startGuest } from "#hack/guest/guest.ts";
import type { KernelIdentity, KernelKind } from "#hack/guest/kernel.ts";
import { type ProcessRecord, startTimeOf } from "#hack/lab/daemon.ts";
import { type Layout, MAX_INSTANCE } from "#hack/lab/layout.ts";

const GUEST_MEMORY_MB = 6144;
/** A tmpfs: unix sockets, mmap and overlays do not work on the guest's share of the host's files. */
const GUEST_DIRECTORY = "/mnt/lab";

export interface Carrier {
  readonly kind: "host" | "guest";
  /** Where nodes' directories are. */
  readonly directory: string;
  /** Runs a script (`sh -eu`) as root; resolves to its output, throws CommandError. */
  script(text: string): Promise<string>;
  /** Runs a command with this process's standard streams; resolves to its exit code. */
  interactive(argv: readonly string[], netns?: string): Promise<number>;
  /** Lets go of it; it goes on running. */
  release(): void;
}

export function hostCarrier(layout: Layout): Carrier {
  return {
    kind: "host",
    directory: join(layout.directory, "nodes"),
    script: (text) => runScript(text),
    interactive: interactiveOnHost,
    release: () => {},
  };
}

/** The command ends with this one, however that ends, and gets its signals. */
async function interactiveOnHost(argv: readonly string[], netns?: string): Promise<number> {
  const enter = netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`, "--"];
  const [program = "", ...rest] = ["setpriv", "--pdeathsig", "TERM", "--", ...enter, ...argv];
  const child = spawn(program, rest, { stdio: "inherit" });
  const pass = (signal: NodeJS.Signals): boolean => child.kill(signal);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

/** Boots the guest, its card on the lab's bridge, and makes it ready for nodes. */
export async function bootGuest(
  layout: Layout,
  kernel: KernelKind | undefined,
  tell: Say,
): Promise<{ carrier: Carrier; process: ProcessRecord; kernel: KernelIdentity }> {
  const directory = join(layout.directory, "guest");
  await runScript(`mkdir -p ${directory}
ip tuntap add ${layout.tap} mode tap
ip link set ${layout.tap} master ${layout.bridge} up`);
  const guest = await startGuest({
    directory,
    detached: true,
    memory: GUEST_MEMORY_MB,
    tap: layout.tap,
    mac: `02:67:6b:00:00:${(MAX_INSTANCE + 1 + layout.instance).toString(16).padStart(2, "0")}`,
    progress: tell,
    ...(kernel === undefined ? {} : { kernel }),
  });
  const process = {
    name: "guest",
    pid: guest.pid,
    startTime: startTimeOf(guest.pid) ?? "",
    log: join(directory, "console.log"),
  };
  const carrier = guestCarrier(guest);
  await carrier.script(`mkdir -p ${GUEST_DIRECTORY}
mount -t tmpfs -o size=80% tmpfs ${GUEST_DIRECTORY}
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
ip link add ${layout.bridge} type bridge mcast_snooping 0
ip link set eth0 master ${layout.bridge} up
ip link set ${layout.bridge} up`);
  return { carrier, process, kernel: guest.kernel };
}

/** undefined when the guest has gone. */
export async function findGuest(layout: Layout): Promise<Carrier | undefined> {
  const guest = await connectGuest(join(layout.directory, "guest"));
  return guest === undefined ? undefined : guestCarrier(guest);
}

function guestCarrier(guest: Guest): Carrier {
  return {
    kind: "guest",
    directory: GUEST_DIRECTORY,
    script: async (text) => {
      const result = await guest.exec(["sh", "-eu"], { input: text, cwd: "/" });
      if (result.code === 0) return result.stdout;
      const output = `${result.stdout}${result.stderr}`;
      throw new CommandError(["sh", "-eu", "(in the guest)"], `exit code ${result.code}`, output);
    },
    interactive: (argv, netns) => interactiveInGuest(guest, argv, netns),
    release: () => guest.disconnect(),
  };
}

async function interactiveInGuest(guest: Guest, argv: readonly string[], netns?: string): Promise<number> {
  const running = guest.spawn(argv, {
    discard: true,
    onOutput: (chunk, stream) => process[stream].write(chunk),
    ...(netns === undefined ? {} : { netns }),
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => running.kill(signal));
  }
  // Nobody reads on, as behind `| head`: the command ends as it would on this machine.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => running.kill("SIGTERM"));
  process.stdin.on("data", (chunk: Buffer) => running.write(chunk));
  process.stdin.once("end", () => running.end());
  const { code } = await running.done;
  process.stdin.destroy();
  return code;
}
