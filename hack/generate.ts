/**
 * config/crd/*.yaml (the source) -> api/v1beta1/generated/{types,schemas}.ts and docs/reference/*.md; the rights of each
 * role -> the tables in docs/security.md; the tables of metrics, conditions, events and alerts -> docs/reference; the
 * panels of hack/monitoring -> the dashboard;
 * docs/pictures/*.yaml -> docs/pictures/*.svg; what commands print about a small cluster -> docs/pictures/cli-*.svg.
 * `--check` writes nothing and ends with 1 where a file is not what would be written.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compile, type JSONSchema } from "json-schema-to-typescript";
import { parse, parseAllDocuments } from "yaml";
import { METRICS } from "#common/metric-table.ts";
import { alertsPage, type RuleFile } from "#hack/monitoring/alerts.ts";
import { dashboard, ROWS } from "#hack/monitoring/dashboard.ts";
import { drawPictures } from "#hack/pictures/pictures.ts";
import { drawTerminals } from "#hack/pictures/terminals.ts";
import { BEGIN, END, type OperatorRole, privileges } from "#hack/privileges.ts";
import { conditionsPage, eventsPage, metricsPage } from "#hack/vocabulary.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const BANNER =
  "// Made by hack/generate.ts out of config/crd. Do not edit: change the CRD and run `make generate`.\n";

interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  required?: string[];
  additionalProperties?: Schema | boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-validations"?: { rule: string; message: string; fieldPath?: string }[];
  [key: string]: unknown;
}

interface Definition {
  spec: {
    names: { kind: string; plural: string; shortNames?: string[] };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

interface Kind {
  readonly name: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly schema: Schema;
}

async function readKinds(): Promise<Kind[]> {
  const directory = join(ROOT, "config/crd");
  const files = (await readdir(directory)).filter((name) => name.startsWith("genkan.dev_")).sort();
  return Promise.all(
    files.map(async (file) => {
      const definition = parse(await readFile(join(directory, file), "utf8"), { merge: true }) as Definition;
      const [version] = definition.spec.versions;
      if (version === undefined) throw new Error(`${file}: no version`);
      const { kind, plural, shortNames } = definition.spec.names;
      return { name: kind, plural, shortNames: shortNames ?? [], schema: version.schema.openAPIV3Schema };
    }),
  );
}

/** The same schema as TypeScript should see it: metadata is Kubernetes' own, int-or-string is a union. */
function forTypes(schema: Schema): JSONSchema {
  if (schema["x-kubernetes-int-or-string"] === true) return { type: ["integer", "string"] };
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) {
    return {
      type: "object",
      additionalProperties: true,
      ...(schema.description === undefined ? {} : { description: schema.description }),
    };
  }
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    name,
    forTypes(property),
  ]);
  const { properties: _properties, items, additionalProperties, default: _default, ...rest } = schema;
  return {
    ...rest,
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
    ...(items === undefined ? {} : { items: forTypes(items) }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: forTypes(additionalProperties) }
      : {}),
  } as JSONSchema;
}

async function types(kinds: readonly Kind[]): Promise<string> {
  const parts = [
    BANNER,
    'import type { V1ObjectMeta } from "@kubernetes/client-node";\n',
    "/** Metadata as JSON has it: client-node's type says Date where a string arrives, and that a name may be missing. */",
    "export type ObjectMeta = Omit<",
    '  V1ObjectMeta,\n  "name" | "creationTimestamp" | "deletionTimestamp" | "managedFields"\n> & {',
    "  name: string;\n  creationTimestamp?: string;\n  deletionTimestamp?: string;\n};\n",
  ];
  for (const { name, schema } of kinds) {
    for (const part of ["spec", "status"] as const) {
      const of = schema.properties?.[part];
      if (of === undefined) continue;
      const title = `${name}${part === "spec" ? "Spec" : "Status"}`;
      const { title: _title, ...clean } = forTypes(of) as JSONSchema & { title?: string };
      parts.push(
        await compile(clean, title === "SpeakerStatusStatus" ? "SpeakerState" : title, {
          bannerComment: "",
          additionalProperties: false,
          ignoreMinAndMaxItems: true,
          format: true,
        }),
      );
    }
    const status = name === "SpeakerStatus" ? "SpeakerState" : `${name}Status`;
    const spec = schema.properties?.spec === undefined ? "" : `\n  spec: ${name}Spec;`;
    parts.push(
      `/** ${schema.description ?? name} */\nexport interface ${name} {\n  /** Items of a list do not say what they are. */\n  apiVersion?: string;\n  kind?: string;\n  metadata: ObjectMeta;${spec}\n  status?: ${status};\n}\n`,
    );
  }
  return parts.join("\n");
}

/** What ajv cannot read is left to the API server: CEL rules. */
function forAjv(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forAjv);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "x-kubernetes-validations")
      .map(([key, inner]) => [key, forAjv(inner)]),
  );
}

function schemas(kinds: readonly Kind[]): string {
  const lines = kinds.map(({ name, schema }) => `  ${name}: ${JSON.stringify(forAjv(schema))},`);
  return `${BANNER}\n/** Kind -> its schema, for ajv. */\nexport const SCHEMAS = {\n${lines.join("\n")}\n} as const;\n`;
}

function typeOf(schema: Schema): string {
  if (schema["x-kubernetes-int-or-string"] === true) return "integer or string";
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.type === "array") return `list of ${schema.items === undefined ? "any" : typeOf(schema.items)}`;
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    return `${schema.type ?? ""} ${schema.minimum ?? ""}..${schema.maximum ?? ""}`;
  }
  return schema.type ?? "any";
}

function rows(path: string, schema: Schema): string[] {
  const out: string[] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const at = path === "" ? name : `${path}.${name}`;
    const required = schema.required?.includes(name) === true ? "required" : "";
    const value = property.default === undefined ? required : `\`${JSON.stringify(property.default)}\``;
    const text = [
      property.description ?? "",
      ...(property["x-kubernetes-validations"] ?? []).map((rule) => `Rule: ${ruleLine(rule).slice(2)}.`),
    ];
    out.push(
      `| \`${at}\` | ${typeOf(property)} | ${value} | ${text.join(" ").replaceAll("|", "\\|").trim()} |`,
    );
    out.push(...rows(at, property));
    if (property.items !== undefined) out.push(...rows(`${at}[]`, property.items));
  }
  return out;
}

/** `- holdTime: must be ...` */
const ruleLine = ({ message, fieldPath }: { message: string; fieldPath?: string }): string =>
  `- ${fieldPath === undefined ? "" : `${fieldPath.slice(1)}: `}${message}`;

function reference({ name, plural, shortNames, schema }: Kind): string {
  const { spec, status } = schema.properties ?? {};
  const table = "| field | type | default | meaning |\n|---|---|---|---|\n";
  const section = (title: string, part: Schema | undefined): string =>
    part === undefined ? "" : `\n## ${title}\n\n${table}${rows(title, part).join("\n")}\n`;
  const rules = [
    ...(schema["x-kubernetes-validations"] ?? []),
    ...(spec?.["x-kubernetes-validations"] ?? []),
  ];
  const list = rules.length === 0 ? "" : `\nRules:\n\n${rules.map(ruleLine).join("\n")}\n`;
  return `<!-- Made by hack/generate.ts out of config/crd. -->\n# ${name}\n\n${schema.description ?? ""}\n\n\`kubectl get ${plural}\` (${shortNames.join(", ")}), genkan.dev/v1beta1.\n${list}${section("spec", spec)}${section("status", status)}`;
}

/** The page with the tables between their marks made anew; the rest is written by hand. */
async function security(): Promise<string> {
  const page = await readFile(join(ROOT, "docs/security.md"), "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/security.md: no ${BEGIN} ... ${END}`);
  const roles = parseAllDocuments(await readFile(join(ROOT, "config/rbac/operator.yaml"), "utf8"));
  const table = privileges(roles.map((document) => document.toJS() as OperatorRole));
  return `${page.slice(0, begin)}${table}${page.slice(end + END.length)}`;
}

async function readAlerts(): Promise<RuleFile> {
  const text = await readFile(join(ROOT, "config/monitoring/alerts.yaml"), "utf8");
  return (parse(text) as { spec: RuleFile }).spec;
}

const kinds = await readKinds();
const wanted = new Map<string, string>([
  ["api/v1beta1/generated/types.ts", await types(kinds)],
  ["api/v1beta1/generated/schemas.ts", schemas(kinds)],
  ...kinds.map((kind): [string, string] => [`docs/reference/${kind.name.toLowerCase()}.md`, reference(kind)]),
  ["docs/reference/conditions.md", conditionsPage()],
  ["docs/reference/events.md", eventsPage()],
  ["docs/reference/metrics.md", metricsPage(METRICS)],
  ["docs/reference/alerts.md", alertsPage(await readAlerts())],
  ["config/monitoring/generated/dashboard.json", dashboard(ROWS)],
  ["docs/security.md", await security()],
  ...(await drawPictures()),
  ...drawTerminals(),
]);
const stale: string[] = [];
for (const [file, text] of wanted) {
  const path = join(ROOT, file);
  const present = await readFile(path, "utf8").catch(() => undefined);
  if (present === text) continue;
  stale.push(file);
  if (process.argv.includes("--check")) continue;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
if (process.argv.includes("--check") && stale.length > 0) {
  process.stderr.write(`not fresh, run \`make generate\`: ${stale.join(", ")}\n`);
  process.exit(1);
}
