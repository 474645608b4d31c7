/**
 * The kernel's sources, from the Debian mirror that this machine's apt uses already. Other suites than the machine's
 * own have them, so apt gets directories of its own: nothing is added to the machine's sources, nothing is installed.
 */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "#hack/common/command.ts";

/** Bookworm's keys sign trixie and its backports as well. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SUITES = ["trixie-backports", "bookworm-backports", "trixie"];

export interface SourcePackage {
  /** `linux-source-7.2` */
  readonly name: string;
  /** `7.2.12-1~bpo13+1` */
  readonly version: string;
  readonly suite: string;
}

/** The sources cannot be had; the message says what was tried. */
export class KernelSourceError extends Error {
  readonly code = "GUEST_KERNEL_SOURCE";
}

/** `apt-cache madison` -> what it lists, in its order. Pure. */
export function parseMadison(output: string): SourcePackage[] {
  return output.split("\n").flatMap((line) => {
    const [name = "", version = "", origin = ""] = line.split("|").map((part) => part.trim());
    const suite = /\s(\S+)\/main\s/.exec(origin)?.[1];
    return /^linux-source-\d+\.\d+$/.test(name) && suite !== undefined ? [{ name, version, suite }] : [];
  });
}

/** [7, 2] of linux-source-7.2 */
export function seriesOf({ name }: SourcePackage): [major: number, minor: number] {
  const [major = 0, minor = 0] = name.slice("linux-source-".length).split(".").map(Number);
  return [major, minor];
}

/**
 * Which to try, the best first: 7.2, with which this was built and measured; a newer one, because 7.2 leaves the mirror
 * some day; then 6.12, which traces its programs by ptrace and takes one and a half times as long for a system call.
 * Series before 6.12 and between were not tried. One version of a series is enough. Pure.
 */
export function rankSources(found: readonly SourcePackage[]): SourcePackage[] {
  const rank = (source: SourcePackage): number => {
    const [major, minor] = seriesOf(source);
    if (major === 7 && minor === 2) return 0;
    if (major > 7 || (major === 7 && minor > 2)) return 1;
    return major === 6 && minor === 12 ? 2 : Number.POSITIVE_INFINITY;
  };
  const byRank = found
    .filter((source) => rank(source) < Number.POSITIVE_INFINITY)
    .sort((a, b) => rank(a) - rank(b) || compareSeries(b, a));
  return byRank.filter((source, index) => byRank.findIndex(({ name }) => name === source.name) === index);
}

function compareSeries(a: SourcePackage, b: SourcePackage): number {
  const [major, minor] = seriesOf(a);
  const [otherMajor, otherMinor] = seriesOf(b);
  return major - otherMajor || minor - otherMinor;
}

/** apt with its state below `directory`; resolves to its output. */
type Apt = (argv: readonly string[], cwd?: string) => Promise<string>;

export interface SourceMirror {
  /** The best first; never empty. */
  readonly sources: readonly SourcePackage[];
  /** Puts `linux-source-X.tar.xz` into a directory; resolves to its path. */
  fetch(source: SourcePackage, into: string): Promise<string>;
}

/** Asks the mirror what it has (11 MB of lists). Throws KernelSourceError. */
export async function openMirror(directory: string): Promise<SourceMirror> {
  const apt = await aptIn(directory);
  // A suite that the mirror lacks makes apt fail though it has the lists of the others.
  const complaint = await apt(["apt-get", "update", "-qq"]).catch((error: Error) => error.message);
  const names = await apt(["apt-cache", "pkgnames", "linux-source-"]);
  const listed = await apt(["apt-cache", "madison", ...names.split("\n").filter(Boolean)]).catch(() => "");
  const sources = rankSources(parseMadison(listed));
  if (sources.length === 0)
    throw new KernelSourceError(`the mirror has no kernel sources in ${SUITES.join(", ")}: ${complaint}`);
  return { sources, fetch: (source, into) => fetchSource(apt, source, into) };
}

async function aptIn(directory: string): Promise<Apt> {
  const mirror = await mirrorOf();
  await mkdir(join(directory, "lists", "partial"), { recursive: true });
  await mkdir(join(directory, "archives", "partial"), { recursive: true });
  const list = join(directory, "sources.list");
  await writeFile(
    list,
    SUITES.map((suite) => `deb [arch=amd64 signed-by=${KEYRING}] ${mirror} ${suite} main\n`).join(""),
  );
  const settings = [
    `Dir::Etc::sourcelist=${list}`,
    "Dir::Etc::sourceparts=/dev/null",
    `Dir::State::lists=${join(directory, "lists")}`,
    `Dir::Cache=${directory}`,
    // The user _apt may not write into a directory of root's.
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
  ].flatMap((setting) => ["-o", setting]);
  return ([program = "", ...rest], cwd) =>
    run([program, ...settings, ...rest], cwd === undefined ? {} : { cwd });
}

/** The mirror of Debian itself among what this machine's apt uses. */
async function mirrorOf(): Promise<string> {
  const format = "$(LABEL)|$(CREATED_BY)|$(REPO_URI)";
  const targets = await run(["apt-get", "indextargets", "--format", format]);
  for (const line of targets.split("\n")) {
    const [label, createdBy, uri] = line.split("|");
    if (label === "Debian" && createdBy === "Packages" && uri !== undefined) return uri;
  }
  throw new KernelSourceError("this machine's apt knows no mirror of Debian (try apt-get update)");
}

async function fetchSource(apt: Apt, source: SourcePackage, into: string): Promise<string> {
  await mkdir(into, { recursive: true });
  await apt(["apt-get", "download", "-qq", `${source.name}=${source.version}`], into);
  const archive = (await readdir(into)).find((name) => name.endsWith(".deb"));
  if (archive === undefined)
    throw new KernelSourceError(`apt-get download ${source.name}=${source.version} left no package`);
  const tarball = `${source.name}.tar.xz`;
  const unpack = `dpkg-deb --fsys-tarfile "$1" | tar xf - --strip-components=3 "./usr/src/$2"`;
  await run(["bash", "-o", "pipefail", "-ec", unpack, "sh", archive, tarball], { cwd: into });
  await rm(join(into, archive));
  return join(into, tarball);
}
