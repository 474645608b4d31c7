/** A virtual machine with Debian's generic kernel, the host's root, and a way to run commands in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Channel, type ExecOptions, type ExecResult, type Running, runToEnd } from "#hack/guest/channel.ts";
import { CHECKOUT, ensureGuestFiles, type GuestFiles } from "#hack/guest/files.ts";

/** Ports of the control channel: this many processes of the host can talk to one guest at a time. */
const PORTS = 6;
const BOOT_DEADLINE_MS = 120_000;

/** Loaded at boot, so that nothing depends on what loads by itself. `modprobe NAME` works in the guest for the rest. */
const MODULES = [
  ...[
    "ip_vs",
    "ip_vs_mh",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_sh",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ipip",
    "ip6_tunnel",
    "sit",
  ],
  ...[
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_hash",
    "nft_limit",
    "nft_log",
    "nft_masq",
    "nft_nat",
  ],
  ...[
    "nft_numgen",
    "nft_objref",
    "nft_quota",
    "nft_redir",
    "nft_reject_inet",
    "nf_conntrack_netlink",
    "nfnetlink",
  ],
  ...["veth", "bridge", "dummy", "vxlan", "macvlan", "tun", "sctp", "virtio_net", "inet_diag", "tcp_diag"],
];

export interface GuestOptions {
  /** Megabytes of memory; 2048 when absent. */
  memory?: number;
  /** A tap device of the host that becomes the guest's first network card (eth0). */
  tap?: string;
  /** Hardware address of that card. */
  mac?: string;
  /** Where the sockets, the pid and the console's log go; a new directory below /tmp when absent. */
  directory?: string;
  /** The guest outlives this process: stop it with `connectGuest(directory)` and `stop()`. */
  detached?: boolean;
  /** Told what is being waited for. */
  progress?: (line: string) => void;
}

export interface Guest {
  readonly directory: string;
  /** Process id of qemu. */
  readonly pid: number;
  /** Runs a program in the guest as root; never throws because of its exit code. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Starts a program and leaves its input open; `input` and `signal` of the options are not for this. */
  spawn(argv: readonly string[], options?: ExecOptions): Running;
  /** Hangs up; a detached guest goes on running. Commands started over this connection are killed. */
  disconnect(): void;
  /** Writes the guest's caches to the host and ends qemu. */
  stop(): Promise<void>;
}

/** The guest did not come up; `message` has the end of its console. */
export class GuestBootError extends Error {
  readonly code = "GUEST_BOOT";
}

/** Boots a guest (3 to 10 s; the first time also downloads its kernel) and loads its modules. */
export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const files = await ensureGuestFiles(options.progress ?? (() => {}));
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "genkan-guest-")));
  const qemu = await launch(files, directory, options);
  const { pid } = qemu;
  if (pid === undefined) throw new GuestBootError("qemu-system-x86_64 could not be started");
  await writeFile(join(directory, "pid"), `${pid}\n`);
  const ended = new AbortController();
  qemu.once("exit", () => ended.abort());
  const channel = await waitForAgent(directory, ended.signal);
  if (channel === undefined) {
    kill(pid);
    const console = await readFile(join(directory, "console.log"), "utf8").catch(() => "");
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    throw new GuestBootError(`the guest did not answer; its console ends with:\n${console.slice(-2000)}`);
  }
  if (options.detached === true) qemu.unref();
  const guest = guestOver(channel, { directory, pid, removeDirectory: options.directory === undefined });
  const loaded = await guest.exec(["modprobe", "-a", ...MODULES]);
  if (loaded.code !== 0) {
    await guest.stop();
    throw new GuestBootError(`modprobe in the guest: ${loaded.stderr}`);
  }
  return guest;
}

/** Joins a guest that another process started with `detached`; undefined when there is none in this directory. */
export async function connectGuest(directory: string): Promise<Guest | undefined> {
  const pid = Number(await readFile(join(directory, "pid"), "utf8").catch(() => "0"));
  if (pid === 0 || !alive(pid)) return undefined;
  for (let attempt = 0; attempt < 3; attempt++) {
    // Port 0 is for the process that booted the guest.
    for (let port = 1; port < PORTS; port++) {
      const channel = await Channel.open(join(directory, `port${port}`), 2000);
      if (channel !== undefined) return guestOver(channel, { directory, pid, removeDirectory: false });
    }
  }
  return undefined;
}

async function launch(files: GuestFiles, directory: string, options: GuestOptions): Promise<ChildProcess> {
  const log = await open(join(directory, "console.log"), "w");
  const append = [
    "console=ttyS0 quiet panic=-1 mitigations=off",
    `genkan.checkout=${CHECKOUT} genkan.modules=${files.modules} genkan.agent=${files.agent}`,
  ].join(" ");
  const arguments_ = [
    "-accel",
    "tcg,thread=multi",
    // Old on purpose: it has AES, and no AVX, whose emulation costs more than it saves (measured).
    "-cpu",
    "Westmere",
    "-smp",
    "2",
    "-m",
    String(options.memory ?? 2048),
  ];
  arguments_.push(
    "-nographic",
    "-no-reboot",
    "-kernel",
    files.kernel,
    "-initrd",
    files.initrd,
    "-append",
    append,
  );
  arguments_.push("-virtfs", "local,path=/,mount_tag=host,security_model=none,multidevs=remap");
  arguments_.push("-device", "virtio-serial-pci");
  for (let port = 0; port < PORTS; port++) {
    arguments_.push(
      "-chardev",
      `socket,id=port${port},path=${join(directory, `port${port}`)},server=on,wait=off`,
    );
    arguments_.push("-device", `virtserialport,chardev=port${port},name=agent${port}`);
  }
  if (options.tap === undefined) arguments_.push("-nic", "none");
  else {
    arguments_.push("-netdev", `tap,id=net,ifname=${options.tap},script=no,downscript=no`);
    arguments_.push(
      "-device",
      `virtio-net-pci,netdev=net${options.mac === undefined ? "" : `,mac=${options.mac}`}`,
    );
  }
  // A guest that is not detached dies with this process, however that ends.
  const prefix = options.detached === true ? [] : ["setpriv", "--pdeathsig", "KILL", "--"];
  const [command = "", ...rest] = [...prefix, "qemu-system-x86_64", ...arguments_];
  const child = spawn(command, rest, { stdio: ["ignore", log.fd, log.fd], detached: true });
  child.on("error", () => {});
  await log.close();
  return child;
}

async function waitForAgent(directory: string, ended: AbortSignal): Promise<Channel | undefined> {
  const deadline = performance.now() + BOOT_DEADLINE_MS;
  while (performance.now() < deadline && !ended.aborted) {
    const channel = await Channel.open(join(directory, "port0"), 60_000);
    if (channel !== undefined) return channel;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

function guestOver(
  channel: Channel,
  at: { directory: string; pid: number; removeDirectory: boolean },
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
    exec: (argv, options = {}) => runToEnd(spawn(argv, options), options),
    spawn,
    disconnect: () => channel.close(),
    stop: async () => {
      await Promise.race([
        channel.sync().catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, 5000).unref()),
      ]);
      channel.close();
      kill(at.pid);
      while (alive(at.pid)) await new Promise((resolve) => setTimeout(resolve, 20));
      if (at.removeDirectory) await rm(at.directory, { recursive: true, force: true });
    },
  };
}

function kill(pid: number): void {
  if (alive(pid)) process.kill(pid, "SIGKILL");
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}
