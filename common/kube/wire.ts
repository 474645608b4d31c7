/** The shapes of Kubernetes objects as JSON really carries them. Types only: nothing of client-node is loaded. */

/** A client-node type with its Dates as the strings that arrive. */
export type Wire<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Wire<T[K]> } : T;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Metadata of an object that came from the API server, which sets what is not optional here on every object. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  /** RFC 3339, whole seconds. */
  creationTimestamp: string;
  deletionTimestamp?: string;
  generateName?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: unknown[];
}

/** What every object has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** A client-node type as received: Wire, with true metadata. */
export type Received<T> = Omit<Wire<T>, "metadata"> & KubeObject;

/** The same, of a kind whose objects are in namespaces. */
export type ReceivedInNamespace<T> = Received<T> & { metadata: { namespace: string } };

/** An object on its way to the API server: a name, and as much of the rest as the call needs. */
export type Draft<T> = {
  apiVersion?: string;
  kind?: string;
  metadata: Partial<ObjectMeta> & { name: string };
} & { [K in Exclude<keyof T, "apiVersion" | "kind" | "metadata">]?: T[K] };

/** `namespace/name`, or `name` for what has no namespace: the key of a Store. */
export function keyOf(object: {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}): string {
  const { name, namespace } = object.metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
