/** A report of check, for people and for programs. Pure. */
import { printable } from "#api/printable.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { CheckReport } from "#cli/check/verdicts.ts";
import { printableJson } from "#cli/json.ts";

/** MetalLB's groups, whose objects somebody may have expected to be judged. */
const METALLB = ["metallb.io", "metallb.universe.tf"];

/** 0: all would be admitted; 1: at least one would not; 2: not everything could be read. */
export function exitCodeOf(report: CheckReport, isStrict = false): 0 | 1 | 2 {
  const { objects, unreadable, templates } = report;
  if (unreadable.length > 0) return 2;
  // A pipeline that judges nothing, by a wrong path or because nothing was rendered, is green for nothing.
  if (isStrict && (objects.length === 0 || templates > 0)) return 1;
  return objects.every(({ admitted }) => admitted) ? 0 : 1;
}

export function forPeople(report: CheckReport): string {
  const lines = report.objects.flatMap(({ file, line, kind, name, admitted, faults, places, warnings }) => [
    printable(`${file}:${line}: ${kind} "${name}" ${admitted ? "admitted" : "refused"}`),
    ...faults.map((each, at) => {
      const { line: row, column } = places[at] ?? { line, column: 1 };
      return `  ${printable(file)}:${row}:${column}: ${faultText(each)}`;
    }),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ]);
  const broken = report.unreadable.map(({ file, line, message }) =>
    printable(`${place(file, line)}: ${message}`),
  );
  return `${[...lines, ...broken, summary(report)].join("\n")}\n`;
}

function place(file: string, line: number): string {
  return line > 0 ? `${file}:${line}` : file;
}

function summary({ objects, passedOver, unreadable, notManifests, templates }: CheckReport): string {
  const admitted = objects.filter((object) => object.admitted).length;
  const others = [...passedOver.values()].reduce((sum, count) => sum + count, 0);
  const metallb = METALLB.reduce((sum, group) => sum + (passedOver.get(group) ?? 0), 0);
  return [
    `${objects.length} judged: ${admitted} admitted, ${objects.length - admitted} refused`,
    ...(others === 0 ? [] : [`${others} of other kinds passed over`]),
    ...(metallb === 0 ? [] : [`${metallb} of these are MetalLB's: genkan migrate makes ours of them`]),
    ...(notManifests === 0 ? [] : [`${notManifests} that are no manifests passed over`]),
    ...(templates === 0
      ? []
      : [`${templates} templates passed over: render first, then check what comes out`]),
    ...(unreadable.length === 0 ? [] : [`${unreadable.length} unreadable`]),
  ].join("; ");
}

/** `refusals`, each with its field and the whole sentence: docs/check.md promises these names. */
export function forPrograms(report: CheckReport): string {
  const admitted = report.objects.filter((object) => object.admitted).length;
  const objects = report.objects.map(({ file, line, kind, name, admitted, faults, places, warnings }) => {
    const refusals = faults.map((each, at) => ({
      field: each.field,
      message: faultText(each),
      ...places[at],
    }));
    return { file, line, kind, name, admitted, refusals, warnings };
  });
  const passedOver = Object.fromEntries(report.passedOver);
  const counts = { admitted, refused: objects.length - admitted };
  return printableJson({ ...counts, ...report, objects, passedOver });
}
