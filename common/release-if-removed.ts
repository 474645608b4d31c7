/**
 * What a controller and the operator do as they end: where Genkan is removed, no Service may keep a finalizer that only we take
 * off. Which of them still has the right to do so depends on the order in which things are deleted.
 */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { loadBalancers, namespaces, type Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import { releaseServices } from "#common/release-services.ts";

export interface ReleaseIfRemovedOptions {
  readonly client: Pick<KubeClient, "list" | "patch">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  /** Of the time that a process has for its end; default 15,000 of the 25,000 of a controller. */
  readonly deadlineMs?: number;
}

/**
 * Takes our finalizer off all Services if there is no LoadBalancer any more, or it or the install namespace is being
 * deleted. A process that ends for another reason, such as a rolling update, leaves everything. Never fails.
 */
export async function releaseIfRemoved(options: ReleaseIfRemovedOptions): Promise<void> {
  const { clock, log, deadlineMs = 15_000 } = options;
  const over = new AbortController();
  const cancel = clock.after(deadlineMs, () => over.abort());
  const asked = { ...options, signal: over.signal };
  try {
    if (await isRemoved(asked)) await releaseServices(asked);
  } catch (error) {
    // Another one that ends does it, or the operator in its last step.
    log.warn("cannot tell whether Services are to be released", { error: errorText(error) });
  } finally {
    cancel();
  }
}

type Asked = Pick<ReleaseIfRemovedOptions, "client" | "namespace"> & { readonly signal: AbortSignal };

/**
 * Asks both, whatever the first answers: a namespace that is being deleted loses the right to look at its LoadBalancer in
 * no given order, and the right to look at namespaces stays longer. Rejects if neither is known to leave, and one of them is not known.
 */
async function isRemoved(asked: Asked): Promise<boolean> {
  const answers = await Promise.allSettled([
    isLeaving(asked, loadBalancers, LOADBALANCER_NAME, asked.namespace),
    isLeaving(asked, namespaces, asked.namespace),
  ]);
  if (answers.some((answer) => answer.status === "fulfilled" && answer.value)) return true;
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  return false;
}

/** It is gone, its kind is gone, or it is being deleted. */
async function isLeaving(
  { client, signal }: Asked,
  resource: Resource<KubeObject>,
  name: string,
  namespace?: string,
): Promise<boolean> {
  try {
    const { items } = await client.list(resource, {
      fieldSelector: `metadata.name=${name}`,
      signal,
      ...(namespace === undefined ? {} : { namespace }),
    });
    return items.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}
