/**
 * Takes the finalizer of ours off all Services, when Genkan is removed: nobody would be there to do so later. Controllers
 * do it as they end, and the operator does it again in its last step, for controllers that could not.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import { hasOurFinalizer, withoutOurs } from "#common/cleanup-finalizer.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound, KubeError } from "#common/kube/error.ts";
import { type Service, services } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";

export interface ReleaseOptions {
  readonly client: Pick<KubeClient, "list" | "patch">;
  readonly log: Logger;
  readonly signal?: AbortSignal;
}

const PAGE = 250;
const AT_ONCE = 8;
/** Somebody else may write the same Services meanwhile. Each round lists anew. */
const ROUNDS = 3;

/**
 * Resolves to the number of Services that were released. A Service that the API server refuses to change is logged and left;
 * ConnectionError if the server does not answer, KubeError if it does not list Services.
 */
export async function releaseServices(options: ReleaseOptions): Promise<number> {
  let released = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const held = await heldServices(options);
    if (held.length === 0) break;
    let changed = 0;
    const queue = held.values();
    const work = async (): Promise<void> => {
      for (const service of queue) {
        const outcome = await release(options, service);
        if (outcome === "released") released += 1;
        if (outcome === "changed") changed += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (changed === 0) break;
  }
  if (released > 0)
    options.log.info("finalizers taken off Services", { event: "servicesReleased", released });
  return released;
}

async function heldServices({ client, signal }: ReleaseOptions): Promise<Service[]> {
  const held: Service[] = [];
  let continueToken: string | undefined;
  do {
    const page = await client.list(services, {
      limit: PAGE,
      ...(continueToken === undefined ? {} : { continueToken }),
      ...(signal === undefined ? {} : { signal }),
    });
    held.push(...page.items.filter(hasOurFinalizer));
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
  return held;
}

async function release(
  { client, log, signal }: ReleaseOptions,
  service: Service,
): Promise<"released" | "changed" | "left"> {
  const { name, namespace, resourceVersion, finalizers } = service.metadata;
  try {
    await client.patch(services, {
      name,
      namespace,
      // As Kubernetes' own controllers do: with the status goes the metadata.
      subresource: "status",
      type: "merge",
      body: { metadata: { resourceVersion, finalizers: withoutOurs(finalizers) } },
      fieldManager: FIELD_MANAGER.controller,
      ...(signal === undefined ? {} : { signal }),
    });
    return "released";
  } catch (error) {
    if (isNotFound(error)) return "left";
    if (isConflict(error)) return "changed";
    if (!(error instanceof KubeError)) throw error;
    log.warn("cannot take the finalizer off a Service", { service: keyOf(service), error: errorText(error) });
    return "left";
  }
}
