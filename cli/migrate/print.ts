/** A migration as manifests, and its notes. Pure. */
import { stringify } from "yaml";
import { printable } from "#api/printable.ts";
import { printableJson } from "#cli/json.ts";
import type { Migration } from "#cli/migrate/convert.ts";
import { isExposure, type Note } from "#cli/migrate/source.ts";

export function noteLine({ file, line, object, message }: Note): string {
  return printable(`${file}${line > 0 ? `:${line}` : ""}: ${object}: ${message}`);
}

/** For `kubectl apply -f -`; the notes are comments, so that they stay with it. */
export function asYaml({ objects, notes }: Migration): string {
  const comments = notes.map((note) => `# ${noteLine(note)}\n`).join("");
  // kubectl reads YAML 1.1: what is a text must not look like one of its booleans.
  const documents = objects.map((object) =>
    stringify(object, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false }),
  );
  return `${comments}${documents.map((text) => `---\n${text}`).join("")}`;
}

export function asJson({ objects, notes, passedOver }: Migration): string {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  return printableJson({ ...list, notes, passedOver });
}

export function summary({ objects, notes, passedOver }: Migration): string {
  const counts = new Map<string, number>();
  for (const { kind } of objects) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const made = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  const grown = notes.filter(isExposure).length;
  return [
    made === ""
      ? "nothing made: there is no configuration of MetalLB, nor of another that is read"
      : `${made} made`,
    grown === 0 ? `${notes.length} notes` : `${notes.length} notes, in ${grown} of them EXPOSURE GROWS`,
    ...(passedOver === 0 ? [] : [`${passedOver} that are not MetalLB's passed over`]),
  ].join("; ");
}
