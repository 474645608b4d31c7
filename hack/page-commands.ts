/**
 * Which test runs the commands of which page: those in blocks of `sh`, by the heading that they stand under. What no test can
 * run has the reason instead. hack/page-commands.test.ts finds a block that is in neither.
 */

export interface Run {
  /** Tests that take the commands from the page and run them. */
  readonly by: readonly string[];
}
export interface NotRun {
  readonly why: string;
}

const PAGES = "test/integration/pages.test.ts";
const STATUS = "test/integration/cli-status.test.ts";
const EXPLAIN = "test/integration/cli-explain.test.ts";
const INSTALL = "test/integration/docs-install.test.ts";
const STRANGER = "test/stranger/stranger.test.ts";
const RELEASE = "test/release/release.test.ts";
const UNINSTALL = "test/integration/operator-uninstall.test.ts";

const GOALS = "goals of make, which people and CI run; that they are there is looked at";

/** Page -> heading. */
export const COMMANDS: Readonly<Record<string, Readonly<Record<string, Run | NotRun>>>> = {
  "CONTRIBUTING.md": {
    "Set up": { why: GOALS },
    "Run one test": { why: "the commands are those by which every test is run" },
  },
  "README.md": {
    Genkan: { why: GOALS },
    Install: { why: "the three commands of docs/install.md in short" },
    "Working on it": {
      why: "the lab's own commands: test/e2e starts, asks and ends one by the same program",
    },
  },
  "docs/admission.md": { "Client certificates": { by: [PAGES] } },
  "docs/chaos.md": { "Faults on purpose": { why: GOALS } },
  "docs/check.md": {
    "Check manifests without a cluster": { by: [PAGES] },
    "In CI": { by: [RELEASE] },
  },
  "docs/cli.md": {
    "Where to get it": { by: [PAGES] },
    "What there is": { by: [STATUS] },
    "From the address to the pod": { by: [EXPLAIN] },
    "Where an address has been": { by: [EXPLAIN] },
    "Before a change": { by: [EXPLAIN] },
    "Moving addresses": { by: [PAGES] },
    "When you ask for help": { by: [PAGES] },
    Rights: { by: [STATUS] },
  },
  "docs/console.md": { "Look at it": { by: [PAGES] } },
  "docs/gitops.md": { "Wait until it is there": { by: ["test/integration/preview.test.ts"] } },
  "docs/install.md": {
    "Build, push, install": { by: [INSTALL, STRANGER, RELEASE] },
    "Without access to the internet": { by: [INSTALL, STRANGER] },
    "A private registry": { by: [INSTALL] },
    "With Helm": { by: ["test/integration/chart-install.test.ts"] },
    "With Docker and kustomize": { by: [INSTALL] },
    "The controllers and speakers": { by: [INSTALL, STRANGER] },
    "A first Service": { by: [INSTALL, STRANGER] },
    Upgrade: { by: [PAGES] },
  },
  "docs/layer2.md": {
    "When a node returns": { by: [PAGES] },
    "Where ARP moves no address": { by: [PAGES] },
  },
  "docs/metrics.md": {
    "Scrape them": { by: [PAGES] },
    "Alerts and a dashboard": { by: [PAGES] },
    "Traffic of each Service": { by: [PAGES] },
    Traces: { by: [PAGES] },
  },
  "docs/migrate.md": {
    "Come from another load balancer": { by: [PAGES] },
    "Take over from MetalLB": { by: ["test/takeover/takeover.test.ts"] },
    "Who forwards": { by: [PAGES] },
  },
  "docs/release.md": {
    Build: { why: GOALS },
    Sign: { by: [PAGES] },
    "Verify a release": { by: [RELEASE] },
  },
  "docs/security.md": { "Profiles of our own": { by: [PAGES] } },
  "docs/troubleshooting.md": {
    "Look at everything once": { by: [PAGES] },
    "Ask one process": {
      why: "a port is forwarded by a kubelet, and no kubelet runs there; speaker/http.test.ts asks for the same path",
    },
  },
  "docs/uninstall.md": {
    "Remove Genkan": { by: [UNINSTALL] },
    "Services with a finalizer": { by: [PAGES] },
    "A node that was left": { by: ["test/layer2/left-node.test.ts", "test/dataplane/left.test.ts"] },
  },
};
