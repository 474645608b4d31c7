/** The commands that read a cluster: each is some kinds to read and a pure function of them. Wiring only. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Answer, ExitCode, Format } from "#cli/answer.ts";
import { rendered } from "#cli/answer.ts";
import type { ClusterReader } from "#cli/cluster.ts";
import type { Documents } from "#cli/documents.ts";
import { explain } from "#cli/explain/command.ts";
import { type Client, parseClient } from "#cli/explain/connection.ts";
import { listOwners } from "#cli/list/owners.ts";
import { listPools } from "#cli/list/pools.ts";
import { listServices } from "#cli/list/services.ts";
import { listBfd, listBgp } from "#cli/list/sessions.ts";
import { plan } from "#cli/plan/command.ts";
import { type ReadOptions, read } from "#cli/read.ts";
import { status } from "#cli/status/command.ts";

export interface Shell {
  /** The cluster of a kubeconfig, or of $KUBECONFIG. */
  readonly open: (kubeconfig: string | undefined) => Promise<ClusterReader>;
  readonly namespaceOption: () => Option;
  /** Objects of files and folders, or of standard input for `-`. */
  readonly readFiles: (paths: readonly string[]) => Promise<Documents>;
  /** Standard output, and the exit code. */
  readonly end: (text: string, exitCode: ExitCode) => void;
}

interface Flags {
  readonly kubeconfig?: string;
  /** In which Genkan is installed. */
  readonly namespace: string;
  readonly output: Format;
}

interface ServicesFlags extends Flags {
  readonly of?: string;
}

interface ExplainFlags extends Flags {
  readonly from?: Client;
}

interface PlanFlags extends Flags {
  readonly filename?: readonly string[];
  readonly drain?: readonly string[];
  readonly withoutPool?: readonly string[];
}

const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];

function clientOf(text: string): Client {
  const client = parseClient(text);
  if (client === undefined)
    throw new InvalidArgumentError("It is no ADDRESS:PORT, such as 203.0.113.7:4242.");
  return client;
}

const NAMES: string[] = [];

/** Whether the command line asks for one of these: their exit codes are others than those of check and migrate. */
export function isOfCluster({ args }: Command): boolean {
  return NAMES.includes(args[0] ?? "");
}

/** What speakers plan from, and what they report. */
const OF_PLANS = [
  ...(["loadBalancers", "pools", "peers", "profiles", "nodes"] as const),
  ...(["services", "slices", "speakers", "leases"] as const),
] as const;

export function addClusterCommands(program: Command, shell: Shell): void {
  const add = <F extends Flags>(
    name: string,
    description: string,
    answer: (from: ReadOptions, flags: F, argument: string) => Promise<Answer>,
  ): Command => {
    NAMES.push(name.split(" ")[0] ?? name);
    return program
      .command(name)
      .description(description)
      .addOption(shell.namespaceOption())
      .option("--kubeconfig <path>", "of the cluster; without it $KUBECONFIG, else ~/.kube/config")
      .addOption(
        new Option("-o, --output <format>", "for people or programs")
          .default("table")
          .choices(["table", "json", "yaml"]),
      )
      .action(async (...given: unknown[]) => {
        // Commander gives what stands before the options first, then these, then the command.
        const [argument, flags] = (given.length === 3 ? given : ["", ...given]) as [string, F];
        const cluster = await shell.open(flags.kubeconfig);
        const found = await answer({ cluster, namespace: flags.namespace }, flags, argument);
        shell.end(rendered(found, flags.output), found.exitCode);
      });
  };
  add(
    "status",
    "Say whether all is well, and what to do about what is not: exit code 1 then.",
    async (from) =>
      status(
        await read(from, "loadBalancers", "pools", "peers", "profiles", "speakers", "leases", "services"),
      ),
  );
  add<ServicesFlags>("services", "List Services of ours, what they got, and why not.", async (from, { of }) =>
    listServices(await read(from, "loadBalancers", "pools", "services"), {
      ...(of !== undefined && { inNamespace: of }),
    }),
  ).option("--of <namespace>", "only those of this namespace");
  add("owners", "List addresses, and which nodes attract them.", async (from) =>
    listOwners(await read(from, ...OF_PLANS)),
  );
  add("pools", "List pools, and how much of them is given.", async (from) =>
    listPools(await read(from, "pools")),
  );
  add("bgp", "List BGP sessions of all nodes: exit code 1 if one is not established.", async (from) =>
    listBgp(await read(from, "speakers", "leases")),
  );
  add("bfd", "List BFD sessions of all nodes: exit code 1 if one is not up.", async (from) =>
    listBfd(await read(from, "speakers", "leases")),
  );
  add<ExplainFlags>(
    "explain <service>",
    "Explain the way from a Service's address to its pods: exit code 1 if a step of it is broken.",
    async (from, { from: client }, service) =>
      explain(await read(from, ...OF_PLANS), service.includes("/") ? service : `default/${service}`, client),
  ).option("--from <client>", "also say which pod a connection from ADDRESS:PORT goes to", clientOf);
  add<PlanFlags>(
    "plan",
    "Say what a change would do to the cluster: exit code 2 if something moves, 1 if it would be refused.",
    async (from, { filename = [], drain = [], withoutPool = [] }) => {
      const { found, unreadable } = await shell.readFiles(filename);
      const [first] = unreadable;
      if (first !== undefined) throw new Error(`${first.file}: ${first.message}`);
      const manifests = found.map(({ object }) => object);
      const snapshot = await read(from, ...OF_PLANS, "namespaces", "serviceCIDRs");
      return plan(snapshot, { manifests, drained: drain, withoutPools: withoutPool });
    },
  )
    .option("-f, --filename <path>", "manifests to apply: a file, a folder, or - (may be repeated)", collect)
    .option("--drain <node>", "a node that is drained and switched off (may be repeated)", collect)
    .option("--without-pool <pool>", "a pool that is deleted (may be repeated)", collect);
}
