/** MetalLB, the operator's own object -> LoadBalancer; BFDProfile -> BFDProfile. */
import { APP_NAME, CONTROLLER_NAME, LABEL_COMPONENT, LABEL_NAME, SPEAKER_NAME } from "#api/names.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import type { Converted } from "#cli/migrate/pools.ts";
import {
  deep,
  dropUnset,
  inText,
  isMap,
  listOf,
  type Notes,
  type Source,
  type Spec,
} from "#cli/migrate/source.ts";

const WHY: Readonly<Record<string, string>> = {
  bgpBackend: "speakers speak BGP themselves",
  frrk8sConfig: "there is no FRR",
  image: "images are the operator's",
};

export function convertBalancers(sources: readonly Source[], namespace: string, notes: Notes): Converted[] {
  return sources.flatMap((source, at) => {
    if (at > 0) {
      const [first] = sources;
      if (canonical(first?.spec) !== canonical(source.spec) || source.label === undefined) {
        notes.add(
          source,
          `is not carried over: the only LoadBalancer is made of ${first?.label ?? `MetalLB "${first?.name}"`}`,
        );
      }
      return [];
    }
    const spec: Spec = structuredClone(source.spec);
    dropUnset(spec, ["logLevel", "loadBalancerClass", "image", "bgpBackend"]);
    for (const [name, why] of Object.entries(WHY)) {
      if (spec[name] === undefined) continue;
      notes.add(source, `spec.${name}: ${JSON.stringify(spec[name])} is not carried over: ${why}`);
      delete spec[name];
    }
    for (const name of ["controllerConfig", "speakerConfig"]) {
      const config = spec[name];
      if (!isMap(config)) continue;
      dropUnset(config, ["priorityClassName", "runtimeClassName"]);
      const from = source.namespace === "" ? "metallb-system" : source.namespace;
      config.affinity = translated(config.affinity, { from, to: namespace });
      if (config.affinity === undefined) delete config.affinity;
    }
    const secrets = listOf<unknown>(spec, "imagePullSecrets").map((each) =>
      JSON.stringify(deep(each, "name")),
    );
    if (secrets.length > 0) {
      notes.add(
        source,
        `spec.imagePullSecrets: copy Secret ${secrets.join(", ")} to "${namespace}", if Genkan's images need it`,
      );
    }
    return [{ source, spec }];
  });
}

/** By which labels MetalLB's pods are found, and ours. */
const LABELS: Readonly<Record<string, readonly [name: string, value: string]>> = {
  "app=metallb": [LABEL_NAME, APP_NAME],
  [`${LABEL_NAME}=metallb`]: [LABEL_NAME, APP_NAME],
  "component=controller": [LABEL_COMPONENT, CONTROLLER_NAME],
  "component=speaker": [LABEL_COMPONENT, SPEAKER_NAME],
};

/** Affinity to MetalLB's own pods is affinity to ours: in terms of our labels, in our namespace. */
function translated(value: unknown, namespaces: { readonly from: string; readonly to: string }): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => translated(each, namespaces));
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name === "labelSelector" && isMap(inner)) return [name, translatedSelector(inner)];
      if (name === "namespaces" && Array.isArray(inner)) {
        return [name, inner.map((each) => (each === namespaces.from ? namespaces.to : (each as unknown)))];
      }
      return [name, translated(inner, namespaces)];
    }),
  );
}

function translatedSelector(selector: Spec): Spec {
  const ofLabels = isMap(selector.matchLabels)
    ? {
        matchLabels: Object.fromEntries(
          Object.entries(selector.matchLabels).map(
            ([key, value]) => LABELS[`${key}=${inText(value)}`] ?? [key, value],
          ),
        ),
      }
    : {};
  if (!Array.isArray(selector.matchExpressions)) return { ...selector, ...ofLabels };
  const matchExpressions = selector.matchExpressions.map((each: unknown) => {
    if (!isMap(each)) return each;
    const found = listOf(each, "values").map((value) => LABELS[`${inText(each.key)}=${inText(value)}`]);
    const [first] = found;
    if (first === undefined || found.some((label) => label?.[0] !== first[0])) return each;
    return { ...each, key: first[0], values: found.map((label) => label?.[1]) };
  });
  return { ...selector, ...ofLabels, matchExpressions };
}

export function convertProfiles(sources: readonly Source[]): Converted[] {
  return sources.map((source) => {
    // Switched off is what they are without it.
    dropUnset(source.spec, ["echoMode", "passiveMode"]);
    return { source, spec: source.spec };
  });
}
