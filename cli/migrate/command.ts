/** `genkan migrate`. */
import { printable } from "#api/printable.ts";
import type { Documents } from "#cli/documents.ts";
import { type MigrateOptions, migrate } from "#cli/migrate/convert.ts";
import { asJson, asYaml, noteLine, summary } from "#cli/migrate/print.ts";

export interface MigrateArguments extends MigrateOptions {
  readonly output: "yaml" | "json";
}

export interface MigrateResult {
  /** For standard output. */
  readonly text: string;
  /** For people, on standard error. */
  readonly told: string;
  readonly exitCode: 0 | 1 | 2 | 3;
}

/**
 * Nothing comes out of input that cannot all be read: half a configuration is none.
 * 0: all was carried over as it was; 1: nothing was made; 2: something could not be read; 3: there are notes.
 */
export function runMigrate(documents: Documents, { output, ...options }: MigrateArguments): MigrateResult {
  const migration = migrate(documents, options);
  if (migration.unreadable.length > 0) {
    const lines = migration.unreadable.map(
      ({ file, line, message }) => `${printable(`${file}${line > 0 ? `:${line}` : ""}: ${message}`)}\n`,
    );
    return { text: "", told: `${lines.join("")}nothing made: ${lines.length} unreadable\n`, exitCode: 2 };
  }
  const { objects, notes } = migration;
  const lines = [...notes.map(noteLine), summary(migration)];
  return {
    text:
      objects.length === 0 && output === "yaml"
        ? ""
        : output === "json"
          ? asJson(migration)
          : asYaml(migration),
    told: lines.map((line) => `${line}\n`).join(""),
    exitCode: objects.length === 0 ? 1 : notes.length === 0 ? 0 : 3,
  };
}
