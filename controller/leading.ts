/** The leader's client: it always reads, and it sends no write once another replica may hold the Lease. */
import type { KubeClient } from "#common/kube/client.ts";

/** A write was not sent, because another replica may hold the Lease by now. */
export class NotLeadingError extends Error {
  override readonly name = "NotLeadingError";
  readonly code = "NOT_LEADING";

  constructor(call: string, object: string) {
    super(`${call} ${object} not sent: the lease may be another's`);
  }
}

export function whileLeading(client: KubeClient, isLeading: () => boolean): KubeClient {
  const gate = <T>(call: string, object: string, send: () => Promise<T>): Promise<T> =>
    isLeading() ? send() : Promise.reject(new NotLeadingError(call, object));
  return {
    ...client,
    create: (resource, object, options) =>
      gate("create", object.metadata.name, () => client.create(resource, object, options)),
    replace: (resource, object, options) =>
      gate("replace", object.metadata.name, () => client.replace(resource, object, options)),
    patch: (resource, request) => gate("patch", request.name, () => client.patch(resource, request)),
    apply: (resource, object, options) =>
      gate("apply", object.metadata.name, () => client.apply(resource, object, options)),
    remove: (resource, name, options) => gate("remove", name, () => client.remove(resource, name, options)),
  };
}
