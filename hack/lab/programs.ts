/** Kubernetes' and the container runtime's programs, built from their modules into .lab/bin when their go.mod changed. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run, runScript } from "#hack/common/command.ts";
import { locked } from "#hack/common/lock.ts";
import { type Say, say, watched } from "#hack/common/progress.ts";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";

const KUBERNETES = "1.36.3";
const GO = "1.26.8";
const GO_MINIMUM = [1, 26] as const;
const SOURCES = join(import.meta.dirname, "programs");

export type ProgramGroup =
  | "kube"
  | "containers"
  | "helm"
  | "actionlint"
  | "metallb"
  | "kube-vip"
  | "upstream";

interface Build {
  readonly output: string;
  readonly argv: readonly string[];
  readonly cgo: boolean;
  /** What go is told before -o; `build` when absent. */
  readonly verb?: readonly string[];
}

const VERSION = "k8s.io/component-base/version.git";
const [MAJOR, MINOR] = KUBERNETES.split(".");
/**
 * For a short build. Nobody debugs these programs: without the tables for it the compiler needs a fifth less time, and
 * without inlining a sixth less again (measured). Go's own packages are inlined, because the programs spend most of
 * their time there.
 */
const BUILT_QUICKLY = ["-gcflags=all=-dwarf=false -l", "-gcflags=std=-dwarf=false"];
const WITHOUT_FILE_SYSTEMS = "no_btrfs no_devmapper no_zfs no_aufs";

const BUILDS: Readonly<Record<ProgramGroup, readonly Build[]>> = {
  kube: [
    {
      output: "kube",
      cgo: false,
      argv: [
        ...BUILT_QUICKLY,
        "-ldflags",
        `-s -w -X ${VERSION}Version=v${KUBERNETES} -X ${VERSION}Major=${MAJOR} -X ${VERSION}Minor=${MINOR}`,
        ".",
      ],
    },
  ],
  containers: [
    ...["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => ({
      output: name,
      cgo: false,
      argv: [
        ...BUILT_QUICKLY,
        "-ldflags",
        "-s -w",
        "-tags",
        WITHOUT_FILE_SYSTEMS,
        `github.com/containerd/containerd/v2/cmd/${name}`,
      ],
    })),
    {
      output: "runc",
      cgo: true,
      argv: [...BUILT_QUICKLY, "-ldflags", "-s -w", "-tags", "seccomp", "github.com/opencontainers/runc"],
    },
  ],
  // For tests of the chart; no lab needs it.
  helm: [
    { output: "helm", cgo: false, argv: [...BUILT_QUICKLY, "-ldflags", "-s -w", "helm.sh/helm/v4/cmd/helm"] },
  ],
  // Kubernetes' own tests, and the program that their pods run. With vet the build of the tests did not end.
  upstream: [
    {
      output: "e2e.test",
      cgo: false,
      verb: ["test", "-vet=off", "-c"],
      argv: [...BUILT_QUICKLY, "-ldflags", "-s -w", "k8s.io/kubernetes/test/e2e"],
    },
    {
      output: "agnhost",
      cgo: false,
      argv: [...BUILT_QUICKLY, "-ldflags", "-s -w", "k8s.io/kubernetes/test/images/agnhost"],
    },
  ],
  // For the test of .github/workflows.
  actionlint: [
    {
      output: "actionlint",
      cgo: false,
      argv: [...BUILT_QUICKLY, "-ldflags", "-s -w", "github.com/rhysd/actionlint/cmd/actionlint"],
    },
  ],
  // For the test that takes a cluster over from it. One package at a time: nobody waits for it in a hurry.
  metallb: ["controller", "speaker"].map((name) => ({
    output: `metallb-${name}`,
    cgo: false,
    argv: ["-p", "1", ...BUILT_QUICKLY, "-ldflags", "-s -w", `go.universe.tf/metallb/${name}`],
  })),
  // For the benchmark that compares takeovers with it.
  "kube-vip": [
    {
      output: "kube-vip",
      cgo: false,
      argv: ["-p", "1", ...BUILT_QUICKLY, "-ldflags", "-s -w", "github.com/kube-vip/kube-vip"],
    },
  ],
};

/** Builds what is missing or was built from something else; the first time takes minutes. */
export async function ensurePrograms(
  groups: readonly ProgramGroup[] = ["kube", "containers"],
  tell: Say = say,
): Promise<void> {
  await mkdir(BIN_DIRECTORY, { recursive: true });
  await locked(join(LAB_DIRECTORY, "locks", "programs"), tell, async () => {
    for (const group of groups) await ensureGroup(group, tell);
  });
  const kubectl = join(BIN_DIRECTORY, "kubectl");
  if (!existsSync(kubectl)) {
    const draft = `${kubectl}.${process.pid}`;
    await writeFile(draft, '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/kube" kubectl "$@"\n');
    await chmod(draft, 0o755);
    await rename(draft, kubectl);
  }
}

async function ensureGroup(group: ProgramGroup, tell: Say): Promise<void> {
  const source = join(SOURCES, group);
  const builds = BUILDS[group];
  const digest = await digestOf(source, JSON.stringify(builds));
  const stamp = join(BIN_DIRECTORY, `.${group}`);
  const isBuilt = builds.every((build) => existsSync(join(BIN_DIRECTORY, build.output)));
  if (isBuilt && (await readFile(stamp, "utf8").catch(() => "")) === digest) return;
  const go = await ensureGo(tell);
  for (const build of builds) {
    const what = `building ${build.output} from its Go modules`;
    tell(`${what} (minutes the first time, seconds later)`);
    // Renamed into place: the old one may be running.
    const draft = join(BIN_DIRECTORY, `.${build.output}.${process.pid}`);
    const environment = { CGO_ENABLED: build.cgo ? "1" : "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
    const argv = [go, ...(build.verb ?? ["build"]), "-o", draft, ...build.argv];
    await watched(what, run(argv, { cwd: source, environment }), tell);
    await rename(draft, join(BIN_DIRECTORY, build.output));
  }
  await writeFile(stamp, digest);
}

async function digestOf(directory: string, more: string): Promise<string> {
  const hash = createHash("sha256").update(more);
  for (const file of (await readdir(directory)).sort()) hash.update(await readFile(join(directory, file)));
  return hash.digest("hex");
}

/** `go version go1.26.8 linux/amd64` is new enough? Pure. */
export function isNewEnough(output: string): boolean {
  const found = /go version go(\d+)\.(\d+)/.exec(output);
  if (found === null) return false;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > GO_MINIMUM[0] || (major === GO_MINIMUM[0] && minor >= GO_MINIMUM[1]);
}

/** Path of a go that is new enough; an old one fetches its successor as a Go module. */
export async function ensureGo(tell: Say): Promise<string> {
  const present = await run(["go", "version"], { environment: { GOTOOLCHAIN: "local" } }).catch(() => "");
  if (isNewEnough(present)) return "go";
  const toolchain = join(LAB_DIRECTORY, "go", GO);
  const program = join(toolchain, "bin", "go");
  if (existsSync(program)) return program;
  const what = `getting Go ${GO} as a module (this machine has ${present.trim() || "no go: install golang-go"})`;
  tell(what);
  const modules = join(LAB_DIRECTORY, "go", "modules");
  const version = `golang.org/toolchain@v0.0.1-go${GO}.linux-amd64`;
  const environment = { GOMODCACHE: modules, GOFLAGS: "-modcacherw", GO111MODULE: "on" };
  await mkdir(modules, { recursive: true });
  await watched(what, run(["go", "mod", "download", version], { environment, cwd: modules }), tell);
  await rm(toolchain, { recursive: true, force: true });
  await rename(join(modules, version), toolchain);
  // Files of a module are not executable.
  await runScript(`chmod -R a+x "${toolchain}/bin" "${toolchain}/pkg/tool"`);
  return program;
}
