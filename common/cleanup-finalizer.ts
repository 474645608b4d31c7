/**
 * The finalizer that Kubernetes' controllers of load balancers put on a Service (KEP-980): it is not deleted before its
 * load balancer is taken back. With spec.cleanupFinalizer of the LoadBalancer the leading controller does so, too. Pure.
 */
import { CLEANUP_FINALIZER, FIELD_MANAGER } from "#api/names.ts";
import { writersOfItem } from "#common/kube/managers.ts";
import type { KubeObject } from "#common/kube/wire.ts";

const PATH = ["metadata", "finalizers"] as const;

/**
 * Whether the Service bears it and we put it there. Another load balancer, or the cloud that a cluster comes from, uses
 * the same name: its finalizer is its own. If the API server names no writer, it counts as ours, so that none stays.
 */
export function hasOurFinalizer({ metadata }: Pick<KubeObject, "metadata">): boolean {
  if (metadata.finalizers?.includes(CLEANUP_FINALIZER) !== true) return false;
  const writers = writersOfItem(metadata.managedFields, PATH, CLEANUP_FINALIZER);
  return writers.length === 0 || writers.includes(FIELD_MANAGER.controller);
}

/** The finalizers of others. */
export function withoutOurs(finalizers: readonly string[] | undefined): string[] {
  return (finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
}
