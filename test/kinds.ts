/** Waits until an API server that was just given our CRDs serves them. */
import type { KubeClient } from "#common/kube/client.ts";
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  customResourceDefinitions,
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
const LONG = { deadlineMs: 60_000 };

export async function untilKindsAnswer(client: Pick<KubeClient, "list">): Promise<void> {
  await until(
    "all CRDs to be established",
    async () => {
      const { items } = await client.list(customResourceDefinitions);
      const isUp = items.every((crd) =>
        crd.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True"),
      );
      return items.length === KINDS.length && isUp;
    },
    LONG,
  );
  // An established kind answers 429 to whoever asks before its storage stands.
  await until(
    "all kinds to be listed",
    async () => {
      for (const kind of KINDS) await client.list(kind);
      return true;
    },
    LONG,
  );
}
