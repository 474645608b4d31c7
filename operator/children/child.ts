/** What every object of the operator's making has in common. Pure. */
import { APP_NAME, GROUP, LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_NAME, MANAGED_BY } from "#api/names.ts";
import { apiVersionOf, type Resource } from "#common/kube/resource.ts";
import { type Draft, type KubeObject, keyOf } from "#common/kube/wire.ts";
import { fingerprint } from "#operator/differs.ts";

/** An object that the operator wants to exist, complete: what the API server should hold, defaults apart. */
export interface Child {
  readonly resource: Resource<KubeObject>;
  readonly object: Draft<KubeObject> & Readonly<Record<string, unknown>>;
}

export type Component = "controller" | "speaker" | "webhook" | "metrics";

/** Where and out of what the children are made. */
export interface Site {
  readonly namespace: string;
  readonly images: { readonly controller: string; readonly speaker: string };
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Whether NetworkPolicies are made. */
  readonly networkPolicy: "Enabled" | "Disabled";
}

/** The labels by which a workload knows its own pods; they never change, as selectors can't. */
export function selectorLabels(component: Component): Record<string, string> {
  return { [LABEL_NAME]: APP_NAME, [LABEL_COMPONENT]: component };
}

/** The namespace that an object was made for: what has no namespace itself is told apart by it. */
export const LABEL_INSTANCE = "app.kubernetes.io/instance";
/** Changes with what was wanted, so that a field that is wanted no longer is noticed too. */
const ANNOTATION_FINGERPRINT = `${GROUP}/fingerprint`;

/** Finds what the operators of all namespaces made. */
export const ANY_MANAGED_SELECTOR = `${LABEL_MANAGED_BY}=${MANAGED_BY}`;

/** Finds what the operator of this namespace made; what is found and not wanted gets removed. */
export function managedSelector(namespace: string): string {
  return `${LABEL_MANAGED_BY}=${MANAGED_BY},${LABEL_INSTANCE}=${namespace}`;
}

/** `fields` as a child: name, labels and kind filled in. What takes it along when it goes: owners.ts. */
export function child<T extends KubeObject>(
  resource: Resource<T>,
  identity: { readonly site: Site; readonly name: string; readonly component: Component },
  fields: Omit<Draft<T>, "metadata" | "apiVersion" | "kind">,
): Child {
  const { site, name, component } = identity;
  const labels = {
    ...selectorLabels(component),
    [LABEL_MANAGED_BY]: MANAGED_BY,
    [LABEL_INSTANCE]: site.namespace,
  };
  // A Secret's fields are all wanted at any time; a digest of its key would only be something to attack.
  const annotations =
    resource.kind === "Secret" ? {} : { annotations: { [ANNOTATION_FINGERPRINT]: fingerprint(fields) } };
  const metadata = {
    name,
    ...(resource.namespaced ? { namespace: site.namespace } : {}),
    labels,
    ...annotations,
  };
  return {
    resource,
    object: { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata, ...fields },
  };
}

/** `Deployment genkan-system/controller`: for logs, conditions, and as a key. */
export function describeChild(
  resource: Pick<Resource<KubeObject>, "kind">,
  object: { readonly metadata: { readonly name: string; readonly namespace?: string } },
): string {
  return `${resource.kind} ${keyOf(object)}`;
}
