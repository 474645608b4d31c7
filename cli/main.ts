#!/usr/bin/env node
/** The `genkan` command. Wiring only. */
import { Command, CommanderError, Option } from "commander";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { printable } from "#api/printable.ts";
import { EXIT } from "#cli/answer.ts";
import { CHECK_FORMATS, type CheckFormat, runCheck } from "#cli/check/command.ts";
import type { ClusterReader, ClusterWriter } from "#cli/cluster.ts";
import { addClusterCommands, collect } from "#cli/commands.ts";
import { addCompletion } from "#cli/completion/command.ts";
import type { Documents } from "#cli/documents.ts";
import { readInputs } from "#cli/files.ts";
import { runMigrate } from "#cli/migrate/command.ts";
import { readCluster } from "#cli/migrate/live.ts";
import { systemClock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { BUILD } from "#common/version.ts";

const UNUSABLE = 2;

const stdin = (): AsyncIterable<Uint8Array> => process.stdin;
const namespaceOption = (): Option =>
  new Option("-n, --namespace <name>", "the namespace that Genkan is installed in").default(
    DEFAULT_NAMESPACE,
  );

interface CheckFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly output: CheckFormat;
  readonly exclude: readonly string[];
  readonly strict: boolean;
}

const program = new Command("genkan")
  .description(
    "Shows and explains what Genkan does in a cluster; judges and converts configuration without one.",
  )
  .version(BUILD, "--version", "which build this is")
  .exitOverride();

program
  .command("check")
  .description("Judge manifests as the cluster would: exit code 0 admitted, 1 refused, 2 unreadable.")
  .requiredOption(
    "-f, --filename <path>",
    "a file, a folder with all below it, or - (may be repeated)",
    collect,
  )
  .addOption(namespaceOption())
  .option("--exclude <pattern>", "what to leave out, as in .gitignore (may be repeated)", collect, [])
  .option("--strict", "exit code 1 also if nothing was judged, or templates were passed over", false)
  .addOption(
    new Option("-o, --output <format>", "for people, programs or CI").default("text").choices(CHECK_FORMATS),
  )
  .action(async (flags: CheckFlags, command: Command) => {
    const isNamespaceGiven = command.getOptionValueSource("namespace") === "cli";
    const { text, exitCode } = await runCheck({ ...flags, isNamespaceGiven }, { stdin });
    process.stdout.write(text);
    process.exitCode = exitCode;
  });

interface MigrateFlags {
  readonly filename?: readonly string[];
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly prefer: "layer2" | "bgp";
  readonly forwarding?: "IPVS" | "KubeProxy";
  readonly output: "yaml" | "json";
  readonly fromNamespace?: string;
}

/** Its reader is loaded only where a cluster is read: it takes longer than all the rest of a command. */
async function open(kubeconfig: string | undefined): Promise<ClusterReader & ClusterWriter> {
  const { openCluster } = await import("#cli/cluster.ts");
  return openCluster(kubeconfig ?? process.env.KUBECONFIG);
}

/** The files, or what the cluster has. */
async function metallbOf({ filename, kubeconfig }: MigrateFlags): Promise<Documents> {
  if (filename !== undefined) return readInputs(filename, { stdin });
  return readCluster(await open(kubeconfig));
}

program
  .command("migrate")
  .description(
    "Make our manifests of MetalLB's, or of another's: exit code 0 all carried over, 3 with notes, 2 unreadable, 1 nothing made.",
  )
  .option("-f, --filename <path>", "as in check; without it the cluster is read", collect)
  .option("--kubeconfig <path>", "of the cluster; without it $KUBECONFIG, else ~/.kube/config")
  .addOption(namespaceOption())
  .option("--from-namespace <name>", "of several installations, the one to carry over")
  .addOption(
    new Option("--prefer <protocol>", "for pools that are announced both ways")
      .default("bgp")
      .choices(["layer2", "bgp"]),
  )
  .addOption(
    new Option("--forwarding <mode>", "write who forwards at first into the LoadBalancer").choices([
      "IPVS",
      "KubeProxy",
    ]),
  )
  .addOption(
    new Option("-o, --output <format>", "of the manifests").default("yaml").choices(["yaml", "json"]),
  )
  .action(async (flags: MigrateFlags) => {
    const { text, told, exitCode } = runMigrate(await metallbOf(flags), flags);
    process.stdout.write(text);
    process.stderr.write(told);
    process.exitCode = exitCode;
  });

const ofCluster = addClusterCommands(program, {
  open,
  namespaceOption,
  readFiles: (paths) => readInputs(paths, { stdin }),
  untilInterrupted: () => {
    const end = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
    return end.signal;
  },
  isTerminal: process.stdout.isTTY === true,
  clock: systemClock,
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  end: (text, exitCode) => {
    process.stdout.write(text);
    process.exitCode = exitCode;
  },
});

program
  .command("version")
  .description("Print which build this is.")
  .action(() => void process.stdout.write(`${BUILD}\n`));

addCompletion(program, (text) => process.stdout.write(text));

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed what is wrong already; a call for help ends with 0.
  if (!(error instanceof CommanderError)) process.stderr.write(`${printable(errorText(error))}\n`);
  const isHelp = error instanceof CommanderError && error.exitCode === 0;
  process.exitCode = isHelp ? 0 : ofCluster.includes(program.args[0] ?? "") ? EXIT.none : UNUSABLE;
}
