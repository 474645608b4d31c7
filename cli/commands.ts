/** The commands that read a cluster, and their options; answers.ts has what they do. Wiring only. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Answer, ExitCode } from "#cli/answer.ts";
import type { ClusterReader, ClusterWriter } from "#cli/cluster.ts";
import type { Documents } from "#cli/documents.ts";
import { type Client, parseClient } from "#cli/explain/client.ts";
import type { ReadOptions } from "#cli/read.ts";
import { type Format, rendered } from "#cli/rendered.ts";
import { type WatchOptions, watch } from "#cli/watch.ts";

export interface Shell {
  /** The cluster of a kubeconfig, or of $KUBECONFIG. */
  readonly open: (kubeconfig: string | undefined) => Promise<ClusterReader & ClusterWriter>;
  readonly namespaceOption: () => Option;
  /** Objects of files and folders, or of standard input for `-`. */
  readonly readFiles: (paths: readonly string[]) => Promise<Documents>;
  /** Of a command that goes on: aborts when somebody ends it. */
  readonly untilInterrupted: () => AbortSignal;
  readonly isTerminal: boolean;
  readonly clock: WatchOptions["clock"];
  /** Standard output, and standard error. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Standard output, and the exit code. */
  readonly end: (text: string, exitCode: ExitCode) => void;
}

interface Flags {
  readonly kubeconfig?: string;
  /** In which Genkan is installed. */
  readonly namespace: string;
  readonly output: Format;
  /** Of those that have it. */
  readonly watch?: boolean;
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

interface RebalanceFlags extends Flags {
  readonly dryRun?: true;
}

interface DrainFlags extends Flags {
  readonly timeout: number;
}

type From = ReadOptions & { readonly cluster: ClusterReader & ClusterWriter };

/** Of an option that may be repeated. */
export const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];

function secondsOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("It is no number of seconds.");
  return Number(text);
}

function clientOf(text: string): Client {
  const client = parseClient(text);
  if (client === undefined)
    throw new InvalidArgumentError("It is no ADDRESS:PORT, such as 203.0.113.7:4242.");
  return client;
}

const keyOfName = (service: string): string => (service.includes("/") ? service : `default/${service}`);

/** Loaded only where a cluster is read: controller and speaker stand behind it. */
const answers = () => import("#cli/answers.ts");

/** Returns their names: their exit codes are others than those of check and migrate. */
export function addClusterCommands(program: Command, shell: Shell): readonly string[] {
  const names: string[] = [];
  const add = <F extends Flags>(
    name: string,
    description: string,
    answer: (from: From, flags: F, argument: string) => Promise<Answer>,
  ): Command => {
    const command = program.command(name);
    names.push(command.name());
    return command
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
        const look = (): Promise<Answer> => answer({ cluster, namespace: flags.namespace }, flags, argument);
        if (flags.watch) {
          shell.end("", await watch({ ...shell, look, format: flags.output }, shell.untilInterrupted()));
          return;
        }
        const found = await look();
        shell.end(rendered(found, flags.output), found.exitCode);
      });
  };
  const addWatched: typeof add = (...command) =>
    add(...command).option("-w, --watch", "go on until Ctrl-C, and show each change");
  addWatched(
    "status",
    "Say whether all is well, and what to do about what is not: exit code 1 then.",
    async (from) => (await answers()).status(from),
  );
  addWatched<ServicesFlags>(
    "services",
    "List Services of ours, what they got, and why not.",
    async (from, { of }) => (await answers()).services(from, of),
  ).option("--of <namespace>", "only those of this namespace");
  addWatched("owners", "List addresses, and which nodes attract them.", async (from) =>
    (await answers()).owners(from),
  );
  addWatched("pools", "List pools, and how much of them is given.", async (from) =>
    (await answers()).pools(from),
  );
  addWatched("bgp", "List BGP sessions of all nodes: exit code 1 if one is not established.", async (from) =>
    (await answers()).bgp(from),
  );
  addWatched("bfd", "List BFD sessions of all nodes: exit code 1 if one is not up.", async (from) =>
    (await answers()).bfd(from),
  );
  addWatched<ExplainFlags>(
    "explain <service>",
    "Explain the way from a Service's address to its pods: exit code 1 if a step of it is broken.",
    async (from, { from: client }, service) =>
      (await answers()).explain(from, keyOfName(service), { client, clock: shell.clock }),
  ).option("--from <client>", "also say which pod a connection from ADDRESS:PORT goes to", clientOf);
  add(
    "history <service>",
    "List which node answered for a Service's addresses by layer 2 when, how long, and why.",
    async (from, _, service) => (await answers()).history(from, keyOfName(service)),
  );
  add<PlanFlags>(
    "plan",
    "Say what a change would do to the cluster: exit code 2 if something moves, 1 if it would be refused.",
    async (from, { filename = [], drain = [], withoutPool = [] }) => {
      const { found, unreadable } = await shell.readFiles(filename);
      const [first] = unreadable;
      if (first !== undefined) throw new Error(`${first.file}: ${first.message}`);
      const manifests = found.map(({ object }) => object);
      return (await answers()).plan(from, { manifests, drained: drain, withoutPools: withoutPool });
    },
  )
    .option("-f, --filename <path>", "manifests to apply: a file, a folder, or - (may be repeated)", collect)
    .option("--drain <node>", "a node that is drained and switched off (may be repeated)", collect)
    .option("--without-pool <pool>", "a pool that is deleted (may be repeated)", collect);
  add<RebalanceFlags>(
    "rebalance",
    "Spread layer 2 addresses evenly over the nodes: with --dry-run exit code 2 if one would move.",
    async (from, { dryRun }) => (await answers()).rebalance(from, { isDryRun: dryRun === true }),
  ).option("--dry-run", "only say what would move");
  add<DrainFlags>(
    "drain <node>",
    "Cordon a node, and wait until other nodes have its addresses: exit code 1 if it keeps some.",
    async (from, { timeout }, node) => {
      return (await answers()).drain(from, node, {
        timeoutMs: timeout * 1_000,
        tell: (line) => shell.complain(`${line}\n`),
      });
    },
  ).option("--timeout <seconds>", "how long to wait", secondsOf, 30);
  add(
    "bundle",
    "Print all that somebody who helps would ask for, without secrets: objects, answers, logs.",
    async (from) => (await answers()).bundle(from),
  );
  return names;
}
