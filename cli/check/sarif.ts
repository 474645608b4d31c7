/** A report of check in SARIF 2.1.0, which code hosts show beside the lines that it is about. Pure. */
import { faultText } from "#api/v1beta1/fault.ts";
import type { CheckReport } from "#cli/check/verdicts.ts";
import { printableJson } from "#cli/json.ts";
import { BUILD } from "#common/version.ts";

const RULES = {
  refused: "Genkan's admission would refuse the object.",
  warning: "Genkan's admission would take the object, and warn.",
  unreadable: "The file cannot be read.",
} as const;
type Rule = keyof typeof RULES;

/** A URI reference: what has a meaning there is escaped. */
const uriOf = (file: string): string => encodeURI(file).replaceAll("?", "%3F").replaceAll("#", "%23");

export function asSarif({ objects, unreadable }: CheckReport): string {
  const result = (ruleId: Rule, text: string, place: { file: string; line: number; column?: number }) => ({
    ruleId,
    level: ruleId === "warning" ? "warning" : "error",
    message: { text },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(place.file) },
          region: { startLine: Math.max(1, place.line), startColumn: Math.max(1, place.column ?? 1) },
        },
      },
    ],
  });
  const results = objects.flatMap(({ file, line, kind, name, faults, places, warnings }) => [
    ...faults.map((fault, at) => {
      const place = places[at] ?? { line, column: 1 };
      return result("refused", `${kind} "${name}": ${faultText(fault)}`, { file, ...place });
    }),
    ...warnings.map((warning) => result("warning", `${kind} "${name}": ${warning}`, { file, line })),
  ]);
  const broken = unreadable.map(({ file, line, message }) => result("unreadable", message, { file, line }));
  const rules = Object.entries(RULES).map(([id, text]) => ({ id, shortDescription: { text } }));
  return printableJson({
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "genkan", version: BUILD, rules } },
        results: [...results, ...broken],
      },
    ],
  });
}
