/** `genkan check`. */
import { GROUP } from "#api/names.ts";
import { asJunit } from "#cli/check/junit.ts";
import { exitCodeOf, forPeople, forPrograms } from "#cli/check/print.ts";
import { asSarif } from "#cli/check/sarif.ts";
import { type CheckReport, checkDocuments } from "#cli/check/verdicts.ts";
import { type Input, readInputs } from "#cli/files.ts";

const FORMATS = { text: forPeople, json: forPrograms, sarif: asSarif, junit: asJunit } as const;
export type CheckFormat = keyof typeof FORMATS;
export const CHECK_FORMATS = Object.keys(FORMATS) as readonly CheckFormat[];

export interface CheckArguments {
  readonly filename: readonly string[];
  readonly exclude: readonly string[];
  readonly namespace: string;
  readonly isNamespaceGiven: boolean;
  readonly output: CheckFormat;
  readonly strict: boolean;
}

/** The text for standard output, and the exit code. */
export async function runCheck(
  { filename, output, exclude, strict, ...options }: CheckArguments,
  input: Input,
): Promise<{ readonly text: string; readonly exitCode: 0 | 1 | 2 }> {
  const report: CheckReport = checkDocuments(
    await readInputs(filename, input, { exclude, group: GROUP }),
    options,
  );
  return { text: FORMATS[output](report), exitCode: exitCodeOf(report, strict) };
}
