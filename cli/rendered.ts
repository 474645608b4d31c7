/** An answer in the form that was asked for. Apart from answer.ts, which the console takes too, without YAML. Pure. */
import { stringify } from "yaml";
import { printable } from "#api/printable.ts";
import type { Answer } from "#cli/answer.ts";
import { printableJson } from "#cli/json.ts";

export type Format = "table" | "json" | "yaml";

export function rendered({ text, value }: Answer, format: Format): string {
  if (format === "table") return text;
  if (format === "json") return printableJson(value);
  // An escape of JSON means nothing in plain YAML: there such a text is shown, and not the character itself.
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
    .split("\n")
    .map(printable)
    .join("\n");
}
