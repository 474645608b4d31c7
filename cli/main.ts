#!/usr/bin/env node
/** The `genkan` command. Wiring only. */
import { Command, CommanderError, Option } from "commander";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { runCheck } from "#cli/check/command.ts";

const UNUSABLE = 2;

const stdin = (): AsyncIterable<Uint8Array> => process.stdin;
const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];
const output = (): Option =>
  new Option("-o, --output <format>", "for people or programs").default("text").choices(["text", "json"]);
const namespaceOption = (): Option =>
  new Option("-n, --namespace <name>", "the namespace that Genkan is installed in").default(
    DEFAULT_NAMESPACE,
  );

interface CheckFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly output: "text" | "json";
}

const program = new Command("genkan")
  .description("Judges and converts Genkan's configuration without a cluster.")
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
  .addOption(output())
  .action(async (flags: CheckFlags, command: Command) => {
    const isNamespaceGiven = command.getOptionValueSource("namespace") === "cli";
    const { text, exitCode } = await runCheck({ ...flags, isNamespaceGiven }, { stdin });
    process.stdout.write(text);
    process.exitCode = exitCode;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has said what is wrong; help and version are asked for and right.
  process.exitCode = error.exitCode === 0 ? 0 : UNUSABLE;
}
