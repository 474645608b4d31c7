/** `genkan completion`: prints what a shell completes by. */
import { Argument, type Command, type Option } from "commander";
import { type CompletedCommand, type CompletedOption, completion, SHELLS, type Shell } from "./scripts.ts";

/** `print`: to standard output. After all other commands: it knows those that are there when it runs. */
export function addCompletion(program: Command, print: (text: string) => void): void {
  program
    .command("completion")
    .description("Print what a shell needs to complete genkan: `source <(genkan completion bash)`.")
    .addArgument(new Argument("<shell>", "the shell that reads it").choices(SHELLS))
    .action((shell: Shell) => print(completion(shell, program.commands.map(commandOf))));
}

function commandOf(command: Command): CompletedCommand {
  const values = command.registeredArguments[0]?.argChoices;
  return {
    name: command.name(),
    description: command.description(),
    options: [...command.options.map(optionOf), { names: ["-h", "--help"], description: "what it takes" }],
    ...(values !== undefined && { values }),
  };
}

function optionOf({ short, long, description, argChoices, required, flags }: Option): CompletedOption {
  const names = [short, long].filter((name) => name !== undefined);
  if (!required) return { names, description };
  return { names, description, value: argChoices ?? (flags.includes("<path>") ? "path" : "any") };
}
