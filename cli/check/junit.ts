/** A report of check as JUnit has it, which CI servers show as tests: one for each object. Pure. */
import { printable } from "#api/printable.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { CheckReport } from "#cli/check/verdicts.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** What XML 1.0 cannot hold is written as an escape; so is what would confuse a terminal. */
const escaped = (text: string): string =>
  printable(text)
    .replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? letter)
    .replace(/[\uFFFE\uFFFF]/g, "\uFFFD");

export function asJunit({ objects, unreadable }: CheckReport): string {
  const cases = objects.map(({ file, line, kind, name, admitted, faults, places }) => {
    const head = `  <testcase classname="${escaped(file)}" name="${escaped(`${kind} "${name}"`)}" file="${escaped(file)}" line="${line}"`;
    if (admitted) return `${head}/>`;
    const lines = faults.map((fault, at) => {
      const place = places[at] ?? { line, column: 1 };
      return `${file}:${place.line}:${place.column}: ${faultText(fault)}`;
    });
    const [first] = faults;
    const message = first === undefined ? "refused" : faultText(first);
    return `${head}>\n    <failure message="${escaped(message)}">${lines.map(escaped).join("\n")}</failure>\n  </testcase>`;
  });
  const broken = unreadable.map(
    ({ file, line, message }) =>
      `  <testcase classname="${escaped(file)}" name="readable" file="${escaped(file)}" line="${line}">\n    <error message="${escaped(message)}"/>\n  </testcase>`,
  );
  const refused = objects.filter(({ admitted }) => !admitted).length;
  const counts = `tests="${objects.length + unreadable.length}" failures="${refused}" errors="${unreadable.length}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="genkan check" ${counts}>\n${[...cases, ...broken].map((text) => `${text}\n`).join("")}</testsuite>\n`;
}
