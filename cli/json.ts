import { printable } from "#api/printable.ts";

/** JSON that a terminal shows as it is: within a text of JSON the escape is still that very character. */
export function printableJson(value: unknown): string {
  const lines = JSON.stringify(value, undefined, 2).split("\n");
  return `${lines.map(printable).join("\n")}\n`;
}
