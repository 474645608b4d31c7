/** What every object of the operator's making has in common. Pure. */
import { APP_NAME, LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_NAME, MANAGED_BY } from "#api/names.ts";
import { apiVersionOf, type Resource } from "#common/kube/resource.ts";
import type { Draft, KubeObject } from "#common/kube/wire.ts";

/** An object that the operator wants to exist, complete: what the API server should hold, defaults apart. */
export interface Child {
  readonly resource: Resource<KubeObject>;
  readonly object: Draft<KubeObject> & Readonly<Record<string, unknown>>;
}

export type Component = "controller" | "speaker" | "webhook";

/** Where and out of what the children are made. */
export interface Site {
  readonly namespace: string;
  readonly images: { readonly controller: string; readonly speaker: string };
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
}

/** The labels by which a workload knows its own pods; they never change, as selectors can't. */
export function selectorLabels(component: Component): Record<string, string> {
  return { [LABEL_NAME]: APP_NAME, [LABEL_COMPONENT]: component };
}

/** All labels of a child. What carries LABEL_MANAGED_BY and is not wanted gets removed. */
export function childLabels(component: Component): Record<string, string> {
  return { ...selectorLabels(component), [LABEL_MANAGED_BY]: MANAGED_BY };
}

/**
 * `fields` as a child: names, labels and kind filled in. Children have no owner reference on purpose: the garbage
 * collector would take the speakers away before they cleaned their nodes.
 */
export function child<T extends KubeObject>(
  resource: Resource<T>,
  identity: { readonly name: string; readonly namespace?: string; readonly component: Component },
  fields: Omit<Draft<T>, "metadata" | "apiVersion" | "kind">,
): Child {
  const { name, namespace, component } = identity;
  return {
    resource,
    object: {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: childLabels(component) },
      ...fields,
    },
  };
}

/** `Kind namespace/name`, for logs, conditions and keys. */
export function childName(of: Child): string {
  const { name, namespace } = of.object.metadata;
  return `${of.resource.kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
