/** What the console reads of a cluster, and the rights that each kind is judged by. Pure. */
import { type Everything, sourceOf } from "#cli/read.ts";
import type { Deed } from "#common/access/review.ts";

/** In the order in which they are read: Leases last, so that they are young. */
export const KINDS = [
  "loadBalancers",
  "pools",
  "peers",
  "profiles",
  "nodes",
  "services",
  "slices",
  "speakers",
  "leases",
] as const satisfies readonly (keyof Everything)[];

export type Kind = (typeof KINDS)[number];

/** Who may list the kind may see here what is made of it. */
export function deedOf(kind: Kind, namespace: string): Deed {
  const { resource, isInstalled } = sourceOf(kind);
  return {
    resourceAttributes: {
      verb: "list",
      group: resource.group,
      version: resource.version,
      resource: resource.plural,
      ...(isInstalled && { namespace }),
    },
  };
}

/** `leases.coordination.k8s.io in genkan-system`, as `kubectl auth can-i list` takes it. */
export function rightOf(kind: Kind, namespace: string): string {
  const { resource, isInstalled } = sourceOf(kind);
  const name = resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
  return `${name} in ${isInstalled ? namespace : "all namespaces"}`;
}
