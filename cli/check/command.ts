/** `genkan check`. */
import { exitCodeOf, forPeople, forPrograms } from "#cli/check/print.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
import { type Input, readInputs } from "#cli/files.ts";

export interface CheckArguments {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly isNamespaceGiven: boolean;
  readonly output: "text" | "json";
}

/** The text for standard output, and the exit code. */
export async function runCheck(
  { filename, output, ...options }: CheckArguments,
  input: Input,
): Promise<{ readonly text: string; readonly exitCode: 0 | 1 | 2 }> {
  const report = checkDocuments(await readInputs(filename, input), options);
  return { text: output === "json" ? forPrograms(report) : forPeople(report), exitCode: exitCodeOf(report) };
}
