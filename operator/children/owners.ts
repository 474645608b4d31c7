/**
 * Who takes what along when it goes, by the garbage collector, which needs no operator and none of its rights. Pure.
 *
 * - The LoadBalancer owns the workloads: whoever deletes it ends the speakers, and these clean their nodes. Whoever
 *   deletes it with `--cascade=foreground` waits until their pods have ended.
 * - The install namespace owns what has no namespace itself.
 * - The rest has no owner. Rights and ServiceAccounts must outlive the speakers that report by them; the operator takes
 *   them away after those, and the namespace's end does where no operator is.
 */
import { apiVersionOf, loadBalancers, namespaces, type Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Child } from "#operator/children/child.ts";

export interface Owners {
  readonly loadBalancer: Owner;
  readonly namespace: Owner;
}

export interface Owner {
  readonly name: string;
  readonly uid: string;
}

const WORKLOADS = new Set(["Deployment", "DaemonSet"]);

/** `child` with its owner, if it has one. */
export function withOwner(child: Child, owners: Owners): Child {
  const reference = WORKLOADS.has(child.resource.kind)
    ? // Blocking: a foreground deletion waits for it.
      referenceTo(loadBalancers, owners.loadBalancer, true)
    : child.resource.namespaced
      ? undefined
      : referenceTo(namespaces, owners.namespace, false);
  if (reference === undefined) return child;
  const metadata = { ...child.object.metadata, ownerReferences: [reference] };
  return { ...child, object: { ...child.object, metadata } };
}

function referenceTo(resource: Resource<KubeObject>, { name, uid }: Owner, blockOwnerDeletion: boolean) {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name,
    uid,
    controller: false,
    blockOwnerDeletion,
  };
}
