/**
 * What MetalLB's chart is given: values, wherever they stand (a file, a HelmRelease of Flux, an Application of Argo CD, a
 * HelmChart of k3s, `helmCharts` of kustomize, a helmfile) -> the spec of a MetalLB object, and the old configuration in
 * them. Pure.
 */
import { type Found, readValue } from "#cli/documents.ts";
import { isOldConfig, sourcesOfOldConfig } from "#cli/migrate/origins/configmap.ts";
import {
  deep,
  inText,
  isMap,
  listOf,
  mapsOf,
  type Notes,
  partOf,
  type Source,
  type Spec,
  textOf,
} from "#cli/migrate/source.ts";

/** One set of values, and the namespace that MetalLB is installed in by it. */
export interface Values {
  readonly values: Spec;
  readonly namespace: string | undefined;
  /** What is named there and not read: files, ConfigMaps, parameters. */
  readonly elsewhere: readonly string[];
}

const isMetallbChart = (chart: unknown): boolean => typeof chart === "string" && /(^|\/)metallb$/.test(chart);

/** Values as they are, or as the text in which Argo CD and k3s keep them. */
function asValues(value: unknown): Spec | undefined {
  const read = typeof value === "string" ? readValue(value) : value;
  return isMap(read) ? read : undefined;
}

/** Of the chart itself, or of one that has it below itself. undefined: they are of something else. */
export function metallbValues(values: Spec, isChart: boolean): Spec | undefined {
  if (isMap(values.metallb)) return values.metallb;
  if (isChart || isMap(values.configInline) || isOldConfig(asValues(values.configInline))) return values;
  return undefined;
}

/** A file of values says nowhere whose they are: controller and speaker beside each other are MetalLB's. */
export function isValuesFile(value: unknown): value is Spec {
  if (!isMap(value)) return false;
  const inner = metallbValues(value, false) ?? value;
  return isMap(inner.configInline) || (isMap(inner.speaker) && isMap(inner.controller));
}

interface Release {
  readonly chart: unknown;
  readonly values: unknown;
  readonly namespace: string | undefined;
  readonly elsewhere?: readonly string[];
}

/** What installs charts, by kind. */
const RELEASES: Readonly<Record<string, (object: Spec) => readonly Release[]>> = {
  HelmRelease: (object) => [
    {
      chart: deep(object, "spec", "chart", "spec", "chart") ?? deep(object, "spec", "chartRef", "name"),
      values: deep(object, "spec", "values"),
      namespace:
        textOf(deep(object, "spec", "targetNamespace")) ?? textOf(deep(object, "metadata", "namespace")),
      elsewhere: namesIn(deep(object, "spec", "valuesFrom")),
    },
  ],
  Application: (object) => argo(deep(object, "spec")),
  ApplicationSet: (object) => argo(deep(object, "spec", "template", "spec")),
  HelmChart: (object) => [
    {
      chart: deep(object, "spec", "chart"),
      values: deep(object, "spec", "valuesContent") ?? deep(object, "spec", "values"),
      namespace: textOf(deep(object, "spec", "targetNamespace")),
    },
  ],
  HelmChartConfig: (object) => [
    {
      chart: deep(object, "metadata", "name"),
      values: deep(object, "spec", "valuesContent"),
      namespace: undefined,
    },
  ],
  Kustomization: (object) =>
    mapsOf(object, "helmCharts").map((chart) => ({
      chart: chart.name,
      values: chart.valuesInline,
      namespace: textOf(chart.namespace) ?? textOf(object.namespace),
    })),
};

function argo(spec: unknown): Release[] {
  if (!isMap(spec)) return [];
  const sources = [spec.source, ...listOf(spec, "sources")].filter(isMap);
  return sources.map((source) => ({
    elsewhere: [
      ...namesIn(deep(source, "helm", "valueFiles")),
      ...listOf<Spec>(isMap(source.helm) ? source.helm : {}, "parameters")
        .map((parameter) => inText(deep(parameter, "name")))
        .filter((name) => !PLAIN_PATH.test(name)),
    ],
    chart: source.chart ?? deep(source, "path"),
    values: withParameters(
      deep(source, "helm", "valuesObject") ?? deep(source, "helm", "values"),
      listOf<Spec>(isMap(source.helm) ? source.helm : {}, "parameters"),
    ),
    namespace: textOf(deep(spec, "destination", "namespace")),
  }));
}

/** Files by their names, references to ConfigMaps and Secrets by theirs. */
const namesIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.map((each: unknown) => textOf(each) ?? inText(deep(each, "name"))) : [];

const PLAIN_PATH = /^[\w-]+(\.[\w-]+)*$/;

/** `--set controller.logLevel=debug`, for names without lists. */
function withParameters(written: unknown, parameters: readonly Spec[]): unknown {
  if (parameters.length === 0) return written;
  const values: Spec = structuredClone(asValues(written) ?? {});
  for (const { name, value } of parameters.filter(isMap)) {
    if (typeof name !== "string" || !PLAIN_PATH.test(name)) continue;
    const keys = name.split(".").filter((key) => key !== "__proto__");
    const last = keys.pop();
    let inner = values;
    for (const key of keys) {
      const next: Spec = isMap(inner[key]) ? inner[key] : {};
      inner[key] = next;
      inner = next;
    }
    if (last !== undefined) inner[last] = value;
  }
  return values;
}

/** All values of MetalLB in a manifest that installs charts; undefined: it installs something else. */
export function valuesOf({ object }: Found): Values[] | undefined {
  const releases = Object.hasOwn(RELEASES, object.kind) ? RELEASES[object.kind]?.(object) : undefined;
  const found = (releases ?? []).flatMap(({ chart, values, namespace, elsewhere = [] }) => {
    const isChart = isMetallbChart(chart);
    const inner = metallbValues(asValues(values) ?? {}, isChart);
    return inner === undefined ? [] : [{ values: inner, namespace, elsewhere }];
  });
  return found.length === 0 ? undefined : found;
}

/** helmfile.yaml is no manifest: releases with values in it. */
export function helmfileValues(value: unknown): Values[] {
  return mapsOf(value, "releases")
    .filter(({ chart }) => isMetallbChart(chart))
    .map((release) => {
      const given = listOf<unknown>(release, "values");
      return {
        values: Object.assign({}, ...given.filter(isMap)) as Spec,
        namespace: textOf(release.namespace),
        elsewhere: given.filter((each) => typeof each === "string"),
      };
    });
}

/** Of a workload: field of the chart -> field of our controllerConfig or speakerConfig. */
const CONFIG: Readonly<Record<string, string>> = {
  priorityClassName: "priorityClassName",
  runtimeClassName: "runtimeClassName",
  affinity: "affinity",
  podAnnotations: "annotations",
  resources: "resources",
};
const READ = [
  "nodeSelector",
  "tolerations",
  "logLevel",
  "enabled",
  "ignoreExcludeLB",
  ...Object.keys(CONFIG),
];
/** Not told: they are about the chart's own pods and objects, of which ours needs none. */
const SILENT = [
  "nameOverride",
  "fullnameOverride",
  "global",
  "namespaceOverride",
  "commonLabels",
  "commonAnnotations",
];

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

/** A MetalLB object that says what the values say, and the pools and peers that they hold. */
export function sourcesOfValues(
  found: Found,
  { values, namespace, elsewhere }: Values,
  notes: Notes,
): Source[] {
  const spec: Spec = {};
  const source = partOf(found, "MetalLB", { name: "values", part: "values", spec, namespace });
  const left: string[] = [];
  if (!isEmpty(values.loadBalancerClass)) source.spec.loadBalancerClass = values.loadBalancerClass;
  if (!isEmpty(values.imagePullSecrets)) source.spec.imagePullSecrets = pullSecrets(values.imagePullSecrets);
  for (const role of ["controller", "speaker"] as const) {
    const given = values[role];
    if (!isMap(given)) continue;
    readRole(role, given, source.spec);
    left.push(
      ...Object.keys(given)
        .filter((name) => !READ.includes(name) && !isEmpty(given[name]))
        .map((name) => `${role}.${name}`),
    );
    const level = given.logLevel;
    if (isEmpty(level)) continue;
    if (source.spec.logLevel !== undefined && source.spec.logLevel !== level) {
      notes.add(
        source,
        `${role}.logLevel: ${JSON.stringify(level)} is not carried over: ours has one for all, "${inText(source.spec.logLevel)}"`,
      );
    } else source.spec.logLevel = level;
  }
  const known = ["loadBalancerClass", "imagePullSecrets", "controller", "speaker", "configInline", ...SILENT];
  left.push(...Object.keys(values).filter((name) => !known.includes(name) && !isEmpty(values[name])));
  if (left.length > 0) {
    notes.add(source, `${left.sort().join(", ")}: not carried over: nothing of the LoadBalancer corresponds`);
  }
  if (elsewhere.length > 0) {
    notes.add(source, `${elsewhere.join(", ")}: not read: render first, or give its content as a file, too`);
  }
  const inline = asValues(values.configInline);
  const old =
    inline !== undefined && isOldConfig(inline) ? sourcesOfOldConfig(found, inline, notes, namespace) : [];
  return [source, ...old];
}

function readRole(role: "controller" | "speaker", given: Spec, spec: Spec): void {
  const selector = role === "controller" ? "controllerNodeSelector" : "nodeSelector";
  if (!isEmpty(given.nodeSelector)) spec[selector] = given.nodeSelector;
  if (!isEmpty(given.tolerations)) spec[`${role}Tolerations`] = given.tolerations;
  if (role === "speaker" && given.ignoreExcludeLB === true) spec.ignoreExcludeLabel = true;
  const config: Spec = {};
  for (const [name, ours] of Object.entries(CONFIG)) if (!isEmpty(given[name])) config[ours] = given[name];
  if (Object.keys(config).length > 0) spec[`${role}Config`] = config;
}

/** The chart takes names as texts and as objects. */
const pullSecrets = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map((each: unknown) => (typeof each === "string" ? { name: each } : each))
    : value;
