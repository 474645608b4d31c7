/** What is tested, and how: the one list, for the Makefile's goals and for hack/long. */
import { globSync } from "node:fs";

/**
 * How the files of a suite share the machine:
 * - together: some at once, by one runner: they need nothing that another one has;
 * - apart: some at once, each in a network and a mount namespace of its own;
 * - alone: one after the other, in the machine's own network.
 */
export type Sharing = "together" | "apart" | "alone";

/** What files of a suite need that is built or downloaded, which nobody can do in a network of his own: prepare.ts. */
export type Need = "guests" | "helm" | "memberlist";

export interface Suite {
  readonly name: string;
  /** Paths from the root, `*` and `**`. */
  readonly patterns: readonly string[];
  readonly sharing: Sharing;
  /** Files at once. */
  readonly atOnce: number;
  /** Files that touch nothing (pure.ts) run in so many processes, beside the others. */
  readonly sharedProcesses?: number;
  /** A run that takes longer hangs. Minutes; a slow machine takes a third of it. */
  readonly limitMinutes: number;
  readonly needs?: readonly Need[];
  /** Left out of `all`: it takes minutes, or what it needs is fetched for minutes, and few changes touch it. */
  readonly onlyByName?: true;
}

export const SUITES: readonly Suite[] = [
  {
    name: "unit",
    patterns: [
      ...["api", "common", "operator", "controller", "speaker", "cli", "console", "hack"].map(
        (folder) => `${folder}/**/*.test.ts`,
      ),
      ...["test/*.test.ts", "test/cases/**/*.test.ts", "test/{bench,upstream}/**/*.test.ts"],
    ],
    sharing: "together",
    // Many of those with a process of their own wait for sockets and timers most of their time.
    atOnce: 4,
    sharedProcesses: 2,
    limitMinutes: 10,
  },
  {
    // Whole programs of ours, floods of input, and simulations of many members: seconds of computing each.
    name: "programs",
    patterns: ["test/{programs,fuzz,gossip,model,chaos,soak}/*.test.ts"],
    sharing: "together",
    atOnce: 2,
    limitMinutes: 15,
  },
  {
    // With a real API server each, on ports of its own; most of their time they wait.
    name: "integration",
    patterns: ["test/integration/!(pages|operator-uninstall|operator-uninstall-tools).test.ts"],
    sharing: "together",
    atOnce: 3,
    limitMinutes: 40,
    needs: ["helm"],
  },
  {
    // As above, of minutes each: the commands of the pages, and every order in which things are removed.
    name: "walks",
    patterns: ["test/integration/{pages,operator-uninstall,operator-uninstall-tools}.test.ts"],
    sharing: "together",
    atOnce: 2,
    limitMinutes: 20,
    needs: ["helm"],
  },
  {
    // Speakers and hosts in namespaces. Their deadlines are seconds.
    name: "layer2",
    patterns: ["test/layer2/!(selfprobe).test.ts"],
    sharing: "apart",
    atOnce: 2,
    limitMinutes: 15,
  },
  {
    // Routers in namespaces.
    name: "interop",
    patterns: ["test/interop/!(vrf|tcp-ao).test.ts"],
    sharing: "apart",
    atOnce: 2,
    limitMinutes: 15,
    needs: ["memberlist"],
  },
  {
    // Milliseconds are measured here, or hundreds of processes started: others would disturb.
    name: "timing",
    patterns: ["test/{guest,bfd,lab}/*.test.ts", "test/bgp/!(ecmp).test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 12,
  },
  {
    // Under kernels with ip_vs, one after the other: guests, if this one has none. A guest has one processor.
    name: "kernels",
    patterns: [
      "test/dataplane/!(ipvs|sharing|encapsulation|remembered|neighbours|tunnels|schedulers|two-choices|interrupted|renumbered|no-scheduler).test.ts",
      "test/layer2/selfprobe.test.ts",
    ],
    sharing: "apart",
    atOnce: 2,
    // All of some guests is emulated: beside others' work it has taken fifteen.
    limitMinutes: 35,
    needs: ["guests"],
  },
  {
    // Three nodes with speakers and pods under a kernel with ip_vs, an API server and clients beside them.
    name: "ipvs",
    patterns: ["test/dataplane/{ipvs,sharing}.test.ts", "test/bgp/ecmp.test.ts", "test/hostile/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 25,
  },
  {
    // On a whole cluster with real pods.
    name: "e2e",
    patterns: ["test/e2e/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 25,
  },
  {
    // Forwarding of three nodes and no more: tunnels, schedulers, what a node remembers, upgrades that are interrupted; BGP
    // sessions that need a kernel with VRFs or TCP-AO.
    name: "flows",
    patterns: [
      "test/dataplane/{remembered,neighbours,schedulers,encapsulation,tunnels}.test.ts",
      "test/dataplane/{two-choices,interrupted,renumbered,no-scheduler}.test.ts",
      "test/interop/{vrf,tcp-ao}.test.ts",
    ],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 60,
    needs: ["guests"],
    onlyByName: true,
  },
  {
    // A browser, which is fetched for a minute.
    name: "console",
    patterns: ["test/console/*.test.ts"],
    sharing: "together",
    atOnce: 1,
    limitMinutes: 10,
    onlyByName: true,
  },
  {
    // A library of Flux's, which is built for minutes.
    name: "gitops",
    patterns: ["test/gitops/*.test.ts"],
    sharing: "together",
    atOnce: 1,
    limitMinutes: 15,
    onlyByName: true,
  },
  {
    // Whole releases, with images of two architectures.
    name: "release",
    patterns: ["test/release/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 30,
    onlyByName: true,
  },
  {
    // A whole cluster with another load balancer, which is built for minutes.
    name: "takeover",
    patterns: ["test/takeover/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 40,
    onlyByName: true,
  },
  {
    // A whole cluster that goes from the release before this one, which is built, to this one, and back.
    name: "upgrade",
    patterns: ["test/upgrade/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 40,
    onlyByName: true,
  },
  {
    // A whole cluster and a whole release, by the commands of a page.
    name: "stranger",
    patterns: ["test/stranger/*.test.ts"],
    sharing: "alone",
    atOnce: 1,
    limitMinutes: 30,
    onlyByName: true,
  },
];

/**
 * What `make test` runs: step after step. The tracks of a step run beside each other, and each track its suites in their
 * order; a track gives way to those before it. So the suites that wait most share the machine with those that compute
 * most. Whoever measures, or has the machine's own network, is alone.
 */
export const STEPS: readonly (readonly (readonly string[])[])[] = [
  [["unit"]],
  [
    ["layer2", "interop", "kernels"],
    ["programs", "integration", "walks"],
  ],
  [["timing"]],
  [["ipvs"]],
  [["e2e"]],
];

/** The steps of some suites by name: as above for all of them, else one after the other. Pure. */
export function stepsOf(names: readonly string[]): Suite[][][] {
  const isAll = names.includes("all");
  const steps = isAll ? STEPS : names.map((name) => [[name]]);
  return steps.map((tracks) =>
    tracks.map((track) => track.flatMap((name) => SUITES.filter((suite) => suite.name === name))),
  );
}

/** The suite's files, sorted; paths from `root`. */
export function filesOf(suite: Suite, root: string): string[] {
  return globSync([...suite.patterns], { cwd: root, exclude: ["**/node_modules/**"] }).sort();
}
