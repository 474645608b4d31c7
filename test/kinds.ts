/** Waits until an API server that was just given our CRDs serves them. */
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  loadBalancers,
  type Resource,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { until } from "#test/until.ts";

const KINDS: readonly Resource<KubeObject>[] = [
  addressPools,
  bfdProfiles,
  bgpPeers,
  loadBalancers,
  speakerStatuses,
];

interface Lister {
  list<T extends KubeObject>(
    resource: Resource<T>,
    options: { readonly namespace: string },
  ): Promise<unknown>;
}

/** An established kind answers 429 to whoever asks before its storage stands. */
export async function untilKindsAnswer(client: Lister, namespace: string): Promise<void> {
  await until(
    "all kinds to be listed",
    async () => {
      for (const kind of KINDS) await client.list(kind, { namespace });
      return true;
    },
    { deadlineMs: 60_000 },
  );
}
