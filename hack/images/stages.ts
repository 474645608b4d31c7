/**
 * What lies where in each image. The Dockerfile says the same for a container engine; stages.test.ts holds the two
 * to each other.
 */
import type { BundleName } from "./bundle.ts";
import { PAGE_FILES } from "./page.ts";

export interface Stage {
  /** Image `genkan/<name>`. */
  readonly name: string;
  /** Made files -> their place in the image. */
  readonly files: Readonly<Record<string, string>>;
  readonly bundles: readonly BundleName[];
  /** Debian's programs that go in with the libraries they link, beside node: the same path on both sides. */
  readonly programs: readonly string[];
  /** Place -> what it leads to. */
  readonly links?: Readonly<Record<string, string>>;
  /** Whether pods of a cluster run it. */
  readonly runsInCluster: boolean;
  readonly entrypoint: readonly string[];
  readonly environment: readonly string[];
  /** uid:gid, or undefined for root. */
  readonly user?: string;
}

const NODE = "/usr/bin/node";
const NON_ROOT = "65532:65532";

/** What scripts of CI servers call. The Dockerfile's base has these of its own. */
const SHELL = "/usr/bin/busybox";
const APPLETS = [
  ...[
    "sh",
    "env",
    "cat",
    "ls",
    "mkdir",
    "rm",
    "rmdir",
    "cp",
    "mv",
    "ln",
    "chmod",
    "touch",
    "test",
    "true",
    "false",
  ],
  ...[
    "echo",
    "printf",
    "head",
    "tail",
    "sed",
    "grep",
    "find",
    "xargs",
    "sort",
    "wc",
    "tr",
    "cut",
    "tee",
    "id",
    "sleep",
  ],
  ...["date", "dirname", "basename", "readlink", "realpath", "uname", "which", "tar", "gzip", "gunzip"],
];
export const SHELL_LINKS: Readonly<Record<string, string>> = {
  "/bin": "usr/bin",
  ...Object.fromEntries(APPLETS.map((name) => [`/usr/bin/${name}`, "busybox"])),
};

export const STAGES: readonly Stage[] = [
  {
    name: "operator",
    files: { "operator.mjs": "/app/operator.mjs" },
    bundles: ["operator"],
    programs: [],
    entrypoint: [NODE, "--max-semi-space-size=4", "/app/operator.mjs"],
    environment: [],
    user: NON_ROOT,
    runsInCluster: true,
  },
  {
    name: "controller",
    files: {
      "controller.mjs": "/app/controller.mjs",
      ...Object.fromEntries(PAGE_FILES.map((file) => [`console/${file}`, `/app/console/${file}`])),
    },
    bundles: ["controller"],
    programs: [],
    entrypoint: [NODE, "--max-semi-space-size=4", "/app/controller.mjs"],
    environment: [],
    user: NON_ROOT,
    runsInCluster: true,
  },
  {
    name: "speaker",
    files: {
      "speaker.mjs": "/app/speaker.mjs",
      "speaker-worker.mjs": "/app/speaker-worker.mjs",
      "speaker-bfd.mjs": "/app/speaker-bfd.mjs",
      "speaker-gossip.mjs": "/app/speaker-gossip.mjs",
      "socket.node": "/app/socket.node",
    },
    bundles: ["speaker", "speaker-worker", "speaker-bfd", "speaker-gossip"],
    programs: ["/usr/sbin/nft"],
    // Measured: these flags keep a speaker's memory about 50 MB below the defaults.
    entrypoint: [
      NODE,
      "--max-semi-space-size=1",
      "--optimize-for-size",
      "--max-old-space-size=192",
      "--v8-pool-size=1",
      "/app/speaker.mjs",
    ],
    environment: ["MALLOC_ARENA_MAX=1"],
    runsInCluster: true,
  },
  {
    // For CI servers, which run a script in it: hence the shell.
    name: "cli",
    files: { "genkan.mjs": "/app/genkan.mjs" },
    bundles: ["genkan"],
    programs: [SHELL],
    links: { ...SHELL_LINKS, "/usr/bin/genkan": "/app/genkan.mjs" },
    entrypoint: ["/usr/bin/genkan"],
    environment: [],
    user: NON_ROOT,
    runsInCluster: false,
  },
];

/** The pods of the demo and the tests, compiled from echo.c: in the lab only, so the Dockerfile does not know it. */
export const ECHO = { name: "echo", program: "/echo", user: NON_ROOT } as const;
