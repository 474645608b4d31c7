/**
 * The Helm chart: config/chart, with the rest of config/ put in as it stands there, so that nothing is written twice but
 * the Deployment. test/integration/chart.test.ts holds what Helm makes of it to config/default.
 */
import { createWriteStream, globSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parse, parseDocument } from "yaml";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { gzip } from "#hack/lab/oci.ts";
import { tarOf } from "#hack/lab/tar.ts";

export interface ChartOf {
  /** With its "v". */
  readonly version: string;
  /** Role -> image by digest; undefined: the names of config/, with the version as tag. */
  readonly images?: ReadonlyMap<string, string>;
}

const CONFIG = join(CHECKOUT, "config");
/** Files that become templates, with the condition under which they are rendered. */
const COPIED: readonly (readonly [file: string, condition: string | undefined])[] = [
  ["rbac/operator.yaml", undefined],
  ["rbac/metrics-reader.yaml", undefined],
  ["rbac/people.yaml", undefined],
  ["operator/networkpolicy.yaml", ".Values.networkPolicy.enabled"],
  ["default/namespace.yaml", ".Values.namespace.create"],
];

/** Makes the chart in `directory` anew. */
export async function assembleChart(directory: string, { version, images }: ChartOf): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, "templates"), { recursive: true });
  for (const file of globSync("**/*.*", { cwd: join(CONFIG, "chart") }).sort())
    await writeFile(join(directory, file), await readFile(join(CONFIG, "chart", file)));
  const crds = (await readdir(join(CONFIG, "crd"))).filter((name) => name.startsWith("genkan.dev_"));
  for (const [file, condition] of [
    ...COPIED,
    ...crds.map((name) => [`crd/${name}`, ".Values.crds.install"] as const),
  ]) {
    const text = templateOf(await readFile(join(CONFIG, file), "utf8"), condition);
    const name = join(directory, "templates", file.replace("/", "-"));
    await writeFile(name, file.startsWith("crd/") ? withPolicy(text) : text);
  }
  await writeFile(join(directory, "LICENSE"), await readFile(join(CHECKOUT, "LICENSE")));
  await change(join(directory, "Chart.yaml"), { version: version.replace(/^v/, ""), appVersion: version });
  if (images !== undefined) await nameImages(join(directory, "values.yaml"), images);
}

/** A manifest of ours as a template: in the release's namespace. Pure. */
export function templateOf(manifest: string, condition: string | undefined): string {
  if (manifest.includes("{{")) throw new Error("a manifest of config/ has {{ in it, which Helm would read");
  const text = manifest.replaceAll(
    new RegExp(`(namespace|name): ${DEFAULT_NAMESPACE}\\b`, "g"),
    "$1: {{ .Release.Namespace }}",
  );
  return condition === undefined ? text : `{{- if ${condition} }}\n${text}{{- end }}\n`;
}

/** A CRD that stays when the chart goes. As text: Helm writes large numbers of what it has parsed in another way. */
function withPolicy(crd: string): string {
  const name = /^metadata:\n {2}name: \S+\n/m;
  if (!name.test(crd) || /^ {2}annotations:/m.test(crd)) throw new Error("a CRD begins in an unexpected way");
  const policy =
    "  {{- if .Values.crds.keep }}\n  annotations: { helm.sh/resource-policy: keep }\n  {{- end }}\n";
  return crd.replace(name, (found) => found + policy);
}

async function change(file: string, values: Readonly<Record<string, string>>): Promise<void> {
  const document = parseDocument(await readFile(file, "utf8"));
  for (const [name, value] of Object.entries(values)) document.set(name, value);
  await writeFile(file, document.toString({ lineWidth: 0 }));
}

/** `registry.example.com/genkan/operator@sha256:...` as the values of its role. */
async function nameImages(file: string, images: ReadonlyMap<string, string>): Promise<void> {
  const document = parseDocument(await readFile(file, "utf8"));
  for (const role of Object.keys(parse(String(document)).images)) {
    const [repository, digest] = images.get(role)?.split("@") ?? [];
    if (repository === undefined || digest === undefined) throw new Error(`no image of ${role} by digest`);
    document.setIn(["images", role, "repository"], repository);
    document.setIn(["images", role, "digest"], digest);
  }
  await writeFile(file, document.toString({ lineWidth: 0 }));
}

/** The chart as Helm takes it from a file; returns the file's name. The same chart gives the same bytes. */
export async function packChart(output: string, chart: ChartOf & { scratch: string }): Promise<string> {
  // Helm wants all files below a folder of the chart's name.
  const parent = join(chart.scratch, "chart");
  await rm(parent, { recursive: true, force: true });
  await assembleChart(join(parent, "genkan"), chart);
  const name = `genkan-chart-${chart.version.replace(/^v/, "")}.tgz`;
  await pipeline(gzip(tarOf(parent)), createWriteStream(join(output, name)));
  return name;
}
