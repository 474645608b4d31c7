/** Builds a user-mode Linux from Debian's sources, once, and keeps it in .lab/guest. */
import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run, runScript } from "#hack/common/command.ts";
import { locked } from "#hack/common/lock.ts";
import { type Say, watched } from "#hack/common/progress.ts";
import { CACHE, digestOf } from "#hack/guest/cache.ts";
import { fitSources } from "#hack/guest/user-mode/fit.ts";
import {
  KernelSourceError,
  openMirror,
  type SourceMirror,
  type SourcePackage,
  seriesOf,
} from "#hack/guest/user-mode/sources.ts";

const CONFIG = join(import.meta.dirname, "kernel.config");
/** To be raised when the steps below, or fit.ts, make another kernel of the same configuration. */
const RECIPE = "1";
/** Parts of what is built in, or of no use here, that somebody may ask modprobe for by these names. */
const ALIASES = ["net/netfilter/nfnetlink", "net/netfilter/nft_objref", "drivers/net/virtio_net"];
/** Of the sources, what no build for this architecture reads, but for its Kconfig: half of what there is to unpack. */
const UNREAD = [
  ...["drivers/gpu", "drivers/media", "drivers/net/ethernet", "drivers/net/wireless", "drivers/staging"],
  ...["drivers/infiniband", "drivers/scsi", "sound", "arch/arm", "arch/arm64", "arch/powerpc", "arch/mips"],
].map((path) => `${path}/*.[ch]`);
const UNREAD_TEXTS = ["Documentation/*.rst", "Documentation/*.yaml", "arch/*.dts", "arch/*.dtsi"];

/** A user-mode Linux that was built. */
export interface BuiltKernel {
  /** The program. */
  readonly program: string;
  /** A directory with lib/modules/<release>: all is built in, and these lists say so to modprobe. */
  readonly modules: string;
  readonly source: SourcePackage;
}

/** None of the kernels could be built; the message has a line for each that was tried. */
export class KernelBuildError extends Error {
  readonly code = "GUEST_KERNEL_BUILD";
}

/** What was built from this configuration; undefined when nothing was. */
export async function findBuiltKernel(): Promise<BuiltKernel | undefined> {
  const directory = await directoryOf();
  const text = await readFile(join(directory, "source.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  return {
    program: join(directory, "linux"),
    modules: directory,
    source: JSON.parse(text) as SourcePackage,
  };
}

/** Builds one where there is none: 2 GB of disk for a moment, and minutes. Throws KernelBuildError, KernelSourceError. */
export async function ensureBuiltKernel(tell: Say): Promise<BuiltKernel> {
  const present = await findBuiltKernel();
  if (present !== undefined) return present;
  return locked(join(LAB_DIRECTORY, "locks", "guest-kernel"), tell, async () => {
    // Whoever had the lock before may have built it.
    const built = await findBuiltKernel();
    if (built !== undefined) return built;
    const work = join(CACHE, "user-mode-build");
    await rm(work, { recursive: true, force: true });
    try {
      return await buildFirst(await openMirror(join(work, "apt")), work, tell);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** Changes with the configuration and the recipe: who has an older build makes a new one. */
export async function nameOfBuild(): Promise<string> {
  return `user-mode-${digestOf(await readFile(CONFIG), RECIPE)}`;
}

const directoryOf = async (): Promise<string> => join(CACHE, await nameOfBuild());

/** The best that builds. */
async function buildFirst(mirror: SourceMirror, work: string, tell: Say): Promise<BuiltKernel> {
  const failures: string[] = [];
  for (const source of mirror.sources) {
    try {
      return await build(mirror, source, { work, tell });
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      failures.push(`${source.name} ${source.version}: ${message}`);
      tell(`user-mode Linux: ${source.name} did not build: ${message.split("\n")[0]}`);
    }
  }
  throw new KernelBuildError(failures.join("\n"));
}

async function build(
  mirror: SourceMirror,
  source: SourcePackage,
  { work, tell }: { work: string; tell: Say },
): Promise<BuiltKernel> {
  const label = `user-mode Linux: ${source.name} ${source.version} of ${source.suite}`;
  tell(`${label}: getting the sources (160 MB, once)`);
  const tarball = await watched(`${label}: getting the sources`, mirror.fetch(source, work), tell);
  const exclude = [...UNREAD, ...UNREAD_TEXTS].map((pattern) => `--exclude=${source.name}/${pattern}`);
  await watched(`${label}: unpacking`, run(["tar", "xf", tarball, "-C", work, ...exclude]), tell);
  await rm(tarball);
  const tree = join(work, source.name);
  await fitSources(tree, source);
  await configure(tree, source);
  await compile(tree, label, tell);
  const draft = join(work, "built");
  await collect(tree, draft, source);
  const target = await directoryOf();
  await rm(target, { recursive: true, force: true });
  await rename(draft, target);
  const built = await findBuiltKernel();
  if (built === undefined) throw new KernelSourceError(`${target} vanished`);
  return built;
}

async function configure(tree: string, source: SourcePackage): Promise<void> {
  const wanted = join(tree, "genkan.config");
  await cp(CONFIG, wanted);
  // Before 7: registers of a program are kept on the kernel's stack.
  if (seriesOf(source)[0] < 7) await appendFile(wanted, "CONFIG_KERNEL_STACK_ORDER=3\n");
  await make(tree, [`KCONFIG_ALLCONFIG=${wanted}`, "allnoconfig"]);
}

async function compile(tree: string, label: string, tell: Say): Promise<void> {
  let compiled = 0;
  const what = `${label}: compiling`;
  tell(`${what} (about four minutes on two idle processors, once)`);
  const timer = setInterval(() => tell(`${what}: ${compiled} files of about 1,100`), 20_000);
  try {
    await make(tree, [`-j${availableParallelism()}`, "linux"], (text) => {
      compiled += text.split("\n").filter((line) => /^ {2}CC /.test(line)).length;
    });
  } finally {
    clearInterval(timer);
  }
}

/** The machine's own flags for make (of the `make` that called us) are not the kernel's. */
function make(tree: string, argv: readonly string[], onOutput?: (text: string) => void): Promise<string> {
  const environment = { MAKEFLAGS: "", MFLAGS: "", MAKELEVEL: "" };
  const options = { cwd: tree, environment, ...(onOutput === undefined ? {} : { onOutput }) };
  return run(["make", "ARCH=um", ...argv], options);
}

async function collect(tree: string, target: string, source: SourcePackage): Promise<void> {
  await mkdir(target);
  await run(["strip", "-o", join(target, "linux"), join(tree, "linux")]);
  const release = (await make(tree, ["-s", "kernelrelease"])).trim();
  const modules = join(target, "lib", "modules", release);
  await mkdir(modules, { recursive: true });
  for (const name of ["modules.builtin", "modules.builtin.modinfo"])
    if (existsSync(join(tree, name))) await cp(join(tree, name), join(modules, name));
  await appendFile(join(modules, "modules.builtin"), ALIASES.map((name) => `kernel/${name}.ko\n`).join(""));
  await writeFile(join(modules, "modules.order"), "");
  await runScript(`/sbin/depmod -b "${target}" "${release}"`);
  await writeFile(join(target, "source.json"), `${JSON.stringify(source)}\n`);
}
