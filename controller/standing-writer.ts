/**
 * Says of BGPPeers and BFDProfiles whether they are valid and that nothing acts on them yet: they are admitted so that
 * a repository can be applied whole, and nobody shall wonder why no session comes up. Only the leader writes.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import type { Judged } from "#api/v1beta1/admission/judge.ts";
import { type Condition, setCondition } from "#api/v1beta1/conditions.ts";
import { standingOf } from "#api/v1beta1/standing.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { bfdProfiles, bgpPeers, type Resource } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import { createLoop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";

export interface StandingOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly namespace: string;
}

interface Inactive extends KubeObject {
  status?: { conditions?: Condition[] };
}

const MIN_INTERVAL_MS = 500;

/** Runs until `signal` aborts. */
export async function runStanding(options: StandingOptions, signal: AbortSignal): Promise<void> {
  const resources: readonly Resource<Inactive>[] = [bgpPeers, bfdProfiles];
  await Promise.all(resources.map((resource) => runKind(resource, options, signal)));
}

async function runKind(
  resource: Resource<Inactive>,
  options: StandingOptions,
  signal: AbortSignal,
): Promise<void> {
  const store = new Store<Inactive>();
  const loop = createLoop({
    ...options,
    name: `standing-${resource.plural}`,
    minIntervalMs: MIN_INTERVAL_MS,
    pass: async () => {
      for (const object of store.list()) await write(resource, object, options, signal);
    },
  });
  const cancel = store.subscribe(() => loop.trigger());
  await Promise.all([new Reflector({ ...options, resource, store }).start(signal), loop.run(signal)]);
  cancel();
}

async function write(
  resource: Resource<Inactive>,
  object: Inactive,
  { client, clock, namespace }: StandingOptions,
  signal: AbortSignal,
): Promise<void> {
  const before: readonly Condition[] = object.status?.conditions ?? [];
  const judged: Judged = { ...object, kind: resource.kind };
  const conditions = standingOf(judged, { namespace, pools: [], services: [] }).reduce(
    (list, standing) => setCondition(list, standing, clock.date()),
    before,
  );
  if (conditions === before) return;
  const { name, resourceVersion } = object.metadata;
  try {
    await client.patch(resource, {
      name,
      namespace: object.metadata.namespace ?? namespace,
      subresource: "status",
      type: "merge",
      body: { metadata: { resourceVersion }, status: { conditions } },
      fieldManager: FIELD_MANAGER.controller,
      signal,
    });
  } catch (error) {
    // Somebody wrote first, or it is gone: the watch shows that, and asks for another pass.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
