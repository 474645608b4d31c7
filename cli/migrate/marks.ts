/** Labels and annotations: what people wrote is carried over, by what tools know their own objects is not. Pure. */
import { metadataOf, type Notes, type Source } from "#cli/migrate/source.ts";

/**
 * Written by Helm, Argo CD, Flux, kustomize, Rancher, OLM, kapp and kubectl. With one of these marks, such a tool would
 * take our object for its own, and remove it because it is not in its source.
 */
const TOOLS: readonly RegExp[] = [
  /^kubectl\.kubernetes\.io\//,
  /^(meta\.)?helm\.sh\//,
  /^app\.kubernetes\.io\/(managed-by|instance|version|created-by)$/,
  /^argocd\.argoproj\.io\//,
  /^([a-z]+\.)?toolkit\.fluxcd\.io\//,
  /^(internal\.|kustomize\.)?config\.(kubernetes|k8s)\.io\//,
  /^cli-utils\.sigs\.k8s\.io\//,
  /(^|\.)cattle\.io\//,
  /^olm\.|^operators\.coreos\.com\//,
  /^kapp\.k14s\.io\/|^kbld\.k14s\.io\//,
  /^addonmanager\.kubernetes\.io\//,
  /^pulumi\.com\/|^kluctl\.io\/|^carvel\.dev\//,
];
/** With the prefix of a tool, but written by people: in which order, and whether at all, it is applied. */
const ORDERS =
  /^(argocd\.argoproj\.io\/(sync-wave|sync-options|compare-options)|kustomize\.toolkit\.fluxcd\.io\/(prune|reconcile|force|ssa|substitute))$/;
/** People's, too, but it makes of an object something that comes and goes with a release. */
const HOOK = /^(helm\.sh|argocd\.argoproj\.io)\/hook$/;

/** Labels and annotations that are carried over. */
export function peoplesMarks(source: Source): object {
  // A part of a larger object has no marks of its own.
  if (source.label !== undefined) return {};
  const { labels, annotations } = metadataOf(source.found.object);
  const kept = { labels: peoples(labels), annotations: peoples(annotations) };
  return Object.fromEntries(Object.entries(kept).filter(([, map]) => Object.keys(map).length > 0));
}

export function noteHooks(source: Source, notes: Notes): void {
  if (source.label !== undefined) return;
  const { annotations = {} } = metadataOf(source.found.object);
  for (const key of Object.keys(annotations).filter((name) => HOOK.test(name))) {
    notes.add(
      source,
      `metadata.annotations: ${key} is not carried over: what comes out is no part of that chart`,
    );
  }
}

function peoples(map: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map ?? {}).filter(([key, value]) => {
      if (ORDERS.test(key)) return true;
      // Charts call every object of theirs so.
      if (/^app\.kubernetes\.io\/(name|part-of)$/.test(key) && value === "metallb") return false;
      return !TOOLS.some((tool) => tool.test(key));
    }),
  );
}
