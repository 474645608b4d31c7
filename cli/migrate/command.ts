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
  readonly exitCode: 0 | 2;
}

/** Nothing comes out of input that cannot all be read: half a configuration is none. */
export function runMigrate(documents: Documents, { output, ...options }: MigrateArguments): MigrateResult {
  if (documents.unreadable.length > 0) {
    const lines = documents.unreadable.map(
      ({ file, line, message }) => `${printable(`${file}${line > 0 ? `:${line}` : ""}: ${message}`)}\n`,
    );
    return { text: "", told: lines.join(""), exitCode: 2 };
  }
  const migration = migrate(documents, options);
  const lines = [...migration.notes.map(noteLine), summary(migration)];
  return {
    text: output === "json" ? asJson(migration) : asYaml(migration),
    told: lines.map((line) => `${line}\n`).join(""),
    exitCode: 0,
  };
}
